"""What each kind of evidence names in the field sample, alone and together, and how answers back off.

Run: python benchmarks/identify_field_sample.py DATASET   the field sample, imported: biovita data import folder

Weights were fitted on one half of the species (scripts/evidence_defaults.py, scripts/back_off_defaults.py), and the
other is reported. scripts/field_sample_questions.py says what is asked, and what it is compared with. Differences are
paired, and their 95 % intervals bootstrapped by group.
"""

from __future__ import annotations

import argparse
import sys
from itertools import chain
from pathlib import Path

import numpy as np

from biovita.dataset import Dataset
from biovita.identification.back_off import back_off_of
from biovita.modality import Modality
from biovita.taxonomy import Rank

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from back_off_defaults import Mix, judged, mixes
from field_sample_questions import Questions, questions

TURNS = 10_000
SEED = 0
NONE = -1e4  # log-odds of what a kind of evidence cannot name


def kinds(asked: Questions) -> dict[str, np.ndarray]:
    """Return what each kind of evidence gives alone, by name, and what all give, ``(items, candidates)``."""
    scorer, gallery, vectors = asked.scorer, asked.gallery, asked.seen.vectors
    exemplars, names = gallery.exemplars[scorer.modality], gallery.names
    shape = len(vectors), len(gallery.candidates)
    found = {}
    if scorer.classes is not None:
        found["class"] = np.where(scorer.own, vectors @ scorer.classes + scorer.begin, NONE)
    if scorer.pictures is not None:
        numbers, log_odds = scorer.pictures.log_odds(vectors)
        found["class"] = np.full(shape, NONE)
        found["class"][:, numbers] = log_odds
    if names is not None:
        found["name"] = np.full(shape, NONE)
        cosines = scorer.projection(scorer.modality)(vectors) @ names.directions.T
        found["name"][:, names.candidates] = cosines
    for name, cosines in (
        ("nearest exemplar", nearest_cosines(asked)),
        ("exemplars", exemplars.cosines(vectors, asked.row_groups)),
    ):
        found[name] = np.full(shape, NONE)
        found[name][:, exemplars.candidates] = np.maximum(cosines, NONE)
    return {name: asked.of_items(rows) for name, rows in found.items()} | {"all together": asked.log_odds()}


def nearest_cosines(asked: Questions) -> np.ndarray:
    """Return the largest cosine with an exemplar of each candidate that is of another group, ``(rows, taxa)``."""
    exemplars = asked.gallery.exemplars[asked.scorer.modality]
    cosines = exemplars.directed(asked.seen.vectors) @ exemplars.directions.T
    own = np.array(exemplars.rows["group_id"].to_pylist(), object)
    cosines[np.array(asked.row_groups, object)[:, None] == own] = -np.inf
    return np.maximum.reduceat(cosines, exemplars.starts, axis=1)


def hits(logits: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return by row whether the right candidate is the best, and among the best five; it is the last of equals."""
    own = logits[np.arange(len(right)), right]
    rank = (logits >= own[:, None]).sum(axis=1)
    return rank == 1, rank <= 5


def interval(difference: np.ndarray, groups: list[str]) -> tuple[float, float]:
    """Return the 95 % interval of a mean of paired differences, bootstrapped by group."""
    _, numbers = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(numbers, difference), np.bincount(numbers)
    drawn = np.random.default_rng(SEED).integers(len(sums), size=(TURNS, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def table(title: str, asked: Questions, rows: np.ndarray, only: np.ndarray | None = None) -> None:
    """Print Top-1 and Top-5 of each kind, and how far all together are from the best of the others."""
    print(f"\n{title}")
    found = kinds(asked)
    if only is not None:
        found = {name: np.where(only, logits, 2 * NONE) for name, logits in found.items()}
    for half, mine in (("fitted", rows & asked.fitting), ("reported", rows & ~asked.fitting), ("both", rows)):
        right, groups = asked.right[mine], [group for group, own in zip(asked.groups, mine, strict=True) if own]
        scored = {name: hits(logits[mine], right) for name, logits in found.items()}
        print(f"  {half}: n = {mine.sum()}, {len(set(groups))} groups, {len(set(right.tolist()))} species")
        for name, (first, five) in scored.items():
            print(f"    {name:18s} {100 * first.mean():5.1f} / {100 * five.mean():5.1f}")
        together = scored.pop("all together")
        for place, what in enumerate(("Top-1", "Top-5")):
            best = max(scored, key=lambda name: scored[name][place].mean())
            difference = together[place].astype(float) - scored[best][place]
            low, high = interval(difference, groups)
            print(
                f"    {what}: {100 * difference.mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f}) against {best}"
            )


def share(values: np.ndarray, groups: list[str]) -> str:
    """Return a share in percent, with its interval."""
    low, high = interval(values.astype(float), groups)
    return f"{100 * values.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f}, n = {len(values)})"


def back_off(asked: dict[Modality, Questions]) -> None:
    """Print how answers back off, of each half."""
    for fitting in (True, False):
        print(f"\nbacking off, {'fitted' if fitting else 'reported'} half; 20 of its species are in no gallery")
        drawn = {modality: mixes(each, fitting=fitting)[0] for modality, each in asked.items()}
        parts = [(modality.value, *judged_mix(modality, mix)) for modality, mix in drawn.items()]
        _, *columns = zip(*parts, strict=True)
        right, ranks, unknown, groups = columns
        joined = np.concatenate(right), [*chain(*ranks)], np.concatenate(unknown), [*chain(*groups)]
        for name, right, ranks, unknown, groups in [*parts, ("both", *joined)]:
            at = np.array(groups, object)
            answered = np.array([rank is not None for rank in ranks])
            deep = np.array([rank in {Rank.SPECIES, Rank.GENUS} for rank in ranks])
            named = np.array([rank == Rank.SPECIES for rank in ranks])
            known = answered & ~unknown
            print(f"  {name}: right at the rank given {share(right[answered], list(at[answered]))}")
            print(f"    species or genus, of answers about known species {share(deep[known], list(at[known]))}")
            print(
                f"    species or genus, of all items of known species {share(deep[~unknown], list(at[~unknown]))}"
            )
            print(f"    named at species, of unknown species {share(named[unknown], list(at[unknown]))}")
            for rank in (*reversed(Rank), None):
                mine = np.array([each == rank for each in ranks])
                if mine.any():
                    print(f"    {rank or 'unknown'}: {mine.sum()}, right {right[mine].sum()}")


def judged_mix(modality: Modality, mix: Mix) -> tuple[np.ndarray, list[Rank | None], np.ndarray, list[str]]:
    """Return by question whether the answer is right, its rank, whether the species is unknown, and its group."""
    right, ranks = judged(mix.answers(back_off_of(modality)), mix.truth)
    return right, ranks, mix.unknown, list(mix.groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    dataset = Dataset.open(parser.parse_args().dataset)
    audio, image = (questions(dataset, modality) for modality in (Modality.AUDIO, Modality.IMAGE))
    known = audio.scorer.own[audio.right]
    table("recordings of species with a class, list of 180", audio, known)
    table(
        "recordings of species with other recordings and a class, list of 180", audio, known & audio.with_exemplars
    )
    table("all recordings, list of 180", audio, np.ones(len(known), bool))
    shown = np.isin(np.arange(len(image.gallery.candidates)), image.gallery.exemplars[Modality.IMAGE].candidates)
    table("photographs of species with other photographs, list of these", image, image.with_exemplars, shown)
    table("all photographs, list of 180", image, np.ones(len(image.right), bool))
    back_off({Modality.AUDIO: audio, Modality.IMAGE: image})


if __name__ == "__main__":
    main()
