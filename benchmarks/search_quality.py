"""What a search finds of species that the model never met, asked by sound, photograph and words.

    python benchmarks/search_quality.py NAME=DATASET:UNSEEN ... [--seeds 0 1 ...]

A DATASET is imported and has starter embeddings (`biovita demo` leaves one). One split a seed holds out UNSEEN species;
both stages of the starter recipes are trained on the others. Each held-out recording and photograph, and the name of
each held-out species, is a question; all recordings, photographs and names of the dataset are what is searched, those
of its own recording or observation left out. Right are those of its species, or of its family.

- Nine pairs of question and answer: mean average precision and recall at ten, chance, and the encoder alone where it
  can answer. Chance is the expected average precision of a random order (Bestgen 2015).
- One list of sounds and photographs: by the cosines as they are, by scores above the mean of each modality's
  background (`biovita.retrieval.background`), and by standard deviations of each modality above it; the gain is that of
  scores over cosines, also over all questions together.
- Two examples and one counter-example, the first wrong answer, against one example.

Percent, the mean over questions, then over seeds; differences with a 95 % interval by Student's t over the seeds.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biovita.dataset import Dataset
from biovita.dataset.held_out import unseen_taxa
from biovita.embedding import vectors
from biovita.modality import MEDIA, Modality
from biovita.model import Model, describe, load_model
from biovita.retrieval.background import Background
from biovita.retrieval.encode_query import text_of_taxon
from biovita.retrieval.query_parts import QueryPart, moved_by, query_for
from biovita.taxonomy import prompts
from biovita.traits.book import book_of
from starter_recipe import OPTIONS, copy_of, dataset_named, half_width, hold_out, trained

AT = 10
BACKGROUND = 2048
LEVELS = ("species", "family")
Row = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Side:
    """All items of a modality: shared and tower vectors, species, family, and what may not answer each other."""

    shared: np.ndarray
    tower: np.ndarray
    species: np.ndarray
    family: np.ndarray
    group: np.ndarray
    asked: np.ndarray  # rows that are questions

    def groups(self, level: str) -> np.ndarray:
        """Return the species or families of all items."""
        found: np.ndarray = getattr(self, level)
        return found

    @property
    def background(self) -> Background:
        """Items drawn at random, with which scores are compared."""
        order = np.random.default_rng(0).permutation(len(self.shared))[:BACKGROUND]
        return Background(self.shared[order])


def sides(dataset: Dataset, towers: Model, model: Model) -> dict[Modality, Side]:
    """Return what is searched, and what is asked with; a name is asked as common name and answered by all it has."""
    known = model.knowing(book_of(dataset))
    unseen = {taxon.id for taxon in unseen_taxa(dataset)}
    family = {taxon.id: taxon.family or "" for taxon in dataset.taxonomy.taxa}
    found = {}
    for modality in MEDIA:
        held = vectors(dataset, towers, modality, space="tower", columns=["group_id"])
        species = np.array(held.taxon_ids)
        found[modality] = Side(
            known.project(modality, held.array, held.ids),
            held.array / np.linalg.norm(held.array, axis=1, keepdims=True),
            species,
            np.array([family[each] for each in species]),
            np.array(held.columns["group_id"].to_pylist()),
            np.flatnonzero(np.isin(species, list(unseen))),
        )
    taxa = [taxon for taxon in dataset.taxonomy.taxa if taxon.family]
    texts = [text_of_taxon(taxon) for taxon in taxa] + [
        prompts(taxon).get("com", taxon.scientific_name) for taxon in taxa
    ]
    held = vectors(dataset, towers, Modality.TEXT, ids=list(dict.fromkeys(texts)), space="tower")
    rows = held.subset(texts)
    ids = np.array([taxon.id for taxon in taxa] * 2)
    found[Modality.TEXT] = Side(
        known.project(Modality.TEXT, rows.array, rows.ids),
        rows.array / np.linalg.norm(rows.array, axis=1, keepdims=True),
        ids,
        np.array([family[each] for each in ids]),
        np.array([f"{each}" for each in range(len(ids))]),
        np.flatnonzero(np.isin(ids, list(unseen)) & (np.arange(len(ids)) < len(taxa))),
    )
    return found


def average_precision(right: np.ndarray) -> float:
    """Return the average precision of an order, of which ``right`` says what counts."""
    places = np.flatnonzero(right) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())


def by_chance(rows: int, right: int) -> float:
    """Return the expected average precision of a random order."""
    harmonic = float((1 / np.arange(1, rows + 1)).sum())
    return (harmonic + (right - 1) / max(rows - 1, 1) * (rows - harmonic)) / rows


def answered(
    asking: Side, answering: Side, row: int, scores: np.ndarray, level: str, *, names: bool = False
) -> tuple[float, float, float] | None:
    """Return average precision, recall at ten, and chance, of one question; None where nothing is right."""
    allowed = answering.group != asking.group[row]
    if names:  # what is answered are the whole texts, the second half; a name does not answer itself
        half = len(answering.species) // 2
        allowed &= np.arange(len(answering.species)) < half
    right = answering.groups(level)[allowed] == asking.groups(level)[row]
    if not right.any():
        return None
    order = right[np.argsort(-scores[allowed], kind="stable")]
    return (
        average_precision(order),
        order[:AT].sum() / min(AT, right.sum()),
        by_chance(len(right), int(right.sum())),
    )


def pairs(found: Mapping[Modality, Side]) -> dict[Row, list[float]]:
    """Return of each pair and level: questions, precision, recall, chance, and precision of the encoder alone."""
    rows = {}
    for asked, asking in found.items():
        for answer, answering in found.items():
            for level in LEVELS:
                names = answer == Modality.TEXT
                results, alone = [], []
                for row in asking.asked:
                    question = row
                    if asked == Modality.TEXT and names:  # a common name asks for all that is known of its species
                        question = row + len(asking.species) // 2
                    scores = answering.shared @ asking.shared[question]
                    one = answered(asking, answering, question, scores, level, names=names)
                    if one is not None:
                        results.append(one)
                        if asked == answer:
                            of_tower = answering.tower @ asking.tower[question]
                            other = answered(asking, answering, question, of_tower, level, names=names)
                            assert other is not None
                            alone.append(other[0])
                if results:
                    means = [100 * float(value) for value in np.mean(results, axis=0)]
                    rows[f"{asked} to {answer}", level] = [
                        len(results),
                        *means,
                        100 * float(np.mean(alone)) if alone else np.nan,
                    ]
    return rows


def mixed(found: Mapping[Modality, Side]) -> dict[Row, list[float]]:
    """Return the precision of one list of sounds and photographs: by cosines, and by comparable scores."""
    rows = {}
    species, group = (
        np.concatenate([getattr(found[each], name) for each in MEDIA]) for name in ("species", "group")
    )
    family = np.concatenate([found[each].family for each in MEDIA])
    backgrounds = {each: found[each].background for each in MEDIA}
    for asked, asking in found.items():
        for level, groups in (("species", species), ("family", family)):
            plain, centred, scaled = [], [], []
            for row in asking.asked:
                products = {each: found[each].shared @ asking.shared[row] for each in MEDIA}
                scales = {each: backgrounds[each].scale(asking.shared[row]) for each in MEDIA}
                above = {each: products[each] - scales[each][0] for each in MEDIA}
                compared = {each: above[each] / np.sqrt(scales[each][1]) for each in MEDIA}
                allowed = group != asking.group[row]
                right = (groups == asking.groups(level)[row])[allowed]
                if not right.any():
                    continue
                for scores, kept in ((products, plain), (above, centred), (compared, scaled)):
                    joined = np.concatenate([scores[each] for each in MEDIA])[allowed]
                    kept.append(average_precision(right[np.argsort(-joined, kind="stable")]))
            if plain:
                rows[f"{asked} to both", level] = [
                    len(plain),
                    *(100 * float(np.mean(each)) for each in (plain, centred, scaled)),
                ]
    return rows


def with_means(rows: dict[Row, list[float]]) -> dict[Row, list[float]]:
    """Return rows with their mean over the modalities that are asked with."""
    means = {}
    for level in LEVELS:
        of_level = [values for (_, at), values in rows.items() if at == level]
        if of_level:
            means["all to both", level] = [float(each) for each in np.mean(of_level, axis=0)]
    return rows | means


def examples(found: Mapping[Modality, Side], seed: int) -> dict[Row, list[float]]:
    """Return the precision of one example, and of two and a counter-example, on what is left."""
    rows = {}
    rng = np.random.default_rng(seed)
    for modality, level in ((Modality.IMAGE, "species"), (Modality.AUDIO, "family"), (Modality.IMAGE, "family")):
        side = found[modality]
        background = side.background
        groups = side.groups(level)
        of: dict[str, list[int]] = defaultdict(list)
        for row in side.asked:
            of[groups[row]].append(row)
        one, more = [], []
        for name, members in of.items():
            first_of_group = [
                row for place, row in enumerate(members) if side.group[row] not in side.group[members[:place]]
            ]
            if len(first_of_group) < 4 or not name:
                continue
            for first, second in zip(
                rng.permutation(first_of_group), rng.permutation(first_of_group), strict=True
            ):
                if first == second:
                    continue
                parts = [QueryPart("", modality, side.shared[row]) for row in (first, second)]
                alone = side.shared @ parts[0].vector
                wrong = next(row for row in np.argsort(-alone, kind="stable") if groups[row] != name)
                judged = QueryPart("", modality, side.shared[wrong])
                query = query_for(moved_by(parts[:1], parts[1:], [judged]), [background], side.shared.shape[1])
                allowed = ~np.isin(side.group, side.group[[first, second]]) & (np.arange(len(groups)) != wrong)
                right = (groups == name)[allowed]
                for scores, kept in ((alone, one), (side.shared @ query, more)):
                    kept.append(average_precision(right[np.argsort(-scores[allowed], kind="stable")]))
        if one:
            rows[f"{modality} examples", level] = [len(one), 100 * float(np.mean(one)), 100 * float(np.mean(more))]
    return rows


def told(
    title: str,
    columns: Sequence[str],
    seeds: Sequence[Mapping[Row, Sequence[float]]],
    gain: tuple[int, int] | None,
) -> None:
    """Print the means over seeds; with ``gain`` the difference of two columns and its interval."""
    print(
        f"\n{title}\n{'':<26}{'':<9}"
        + "".join(f"{name:>12}" for name in columns)
        + ("" if gain is None else f"{'gain':>26}")
    )
    for row in dict.fromkeys(key for found in seeds for key in found):
        values = np.array([found[row] for found in seeds if row in found], np.float64)
        cells = "".join(f"{value:12.1f}" for value in values.mean(axis=0))
        if gain is not None:
            less = values[:, gain[1]] - values[:, gain[0]]
            half = half_width(less)
            cells += f"{less.mean():10.1f} ({less.mean() - half:5.1f}, {less.mean() + half:5.1f})"
        print(f"{row[0]:<26}{row[1]:<9}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", metavar="NAME=DATASET:UNSEEN")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    options = parser.parse_args()
    towers = load_model(describe("starter").towers, "cpu")
    for name, path, unseen in map(dataset_named, options.datasets):
        measured: dict[str, list[dict[Row, list[float]]]] = defaultdict(list)
        for seed in options.seeds:
            with copy_of(path) as dataset:
                hold_out(dataset, unseen, "all", seed)
                model = trained(dataset, towers, OPTIONS["default"], seed, {})
                found = sides(dataset, towers, model)
            measured["pairs"].append(pairs(found))
            measured["mixed"].append(with_means(mixed(found)))
            measured["examples"].append(examples(found, seed))
        print(f"\n{name}: {unseen} unseen species, seeds {options.seeds}")
        columns = ("questions", "precision", "recall@10", "chance", "encoder")
        told("question and answer", columns, measured["pairs"], None)
        told(
            "sounds and photographs in one list",
            ("questions", "cosines", "scores", "deviations"),
            measured["mixed"],
            (1, 2),
        )
        told("two examples and a counter-example", ("questions", "one", "three"), measured["examples"], (1, 2))


if __name__ == "__main__":
    main()
