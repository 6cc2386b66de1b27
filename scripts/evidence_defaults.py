"""Fit the weights that ship: src/biovita/identification/data/evidence.json.

Run: python scripts/evidence_defaults.py DATASET      the field sample, imported (biovita data import folder)

All is fitted on one half of the species (`fitting_half`), by the smallest cross-entropy of the right species among the
180 of the sample, on grids. `field_sample_questions.py` says what is asked, and what it is compared with;
`benchmarks/identify_field_sample.py` reports on the other half.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from biovita.dataset import Dataset
from biovita.identification import likeness
from biovita.identification.likeness import Likeness
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from field_sample_questions import Questions, fitting_half, questions

OUT = Path(likeness.__file__).parent / "data" / "evidence.json"
WEIGHTS = {
    "exemplar": (3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20, 22, 25, 30),
    "name": (2, 4, 6, 8, 10, 12, 16),
    "class": (0.2, 0.3, 0.5, 0.7, 1.0),
}
SHARES = (0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 0.95, 0.98, 0.99, 0.997)
BARE = (0.0, -1.0, -2.0, -3.0, -4.0)
AS_GOOD = 0.002  # nats a question: less than what chance does
ANY = {"weight": 20.0, "share": 0.8}  # of models that nothing was fitted for


def losses(logits: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of the right candidate for each row."""
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None], dtype=np.float64).sum(axis=1)) + top
    return total - logits[np.arange(len(right)), right]


def with_other(likely: Likeness, likenesses: np.ndarray, numbers: np.ndarray, asked: Questions) -> Likeness:
    """Return a likeness with the mean over windows or photographs of the fitting half that are of other taxa."""
    right, fitting = asked.right[asked.items], asked.fitting[asked.items]
    against = (numbers[None] != right[:, None]) & fitting[:, None] & np.isfinite(likenesses)
    other = np.log(np.exp(likely.weight * likenesses[against], dtype=np.float64).mean())
    return replace(likely, other=round(float(other), 3))


def exemplar_likeness(asked: Questions, items: np.ndarray, only: np.ndarray | None = None) -> Likeness:
    """Return the best likeness to exemplars, on top of what classes say; ``only`` are the candidates of the list."""
    exemplars = asked.gallery.exemplars[asked.scorer.modality]
    base = np.full((len(asked.items), len(asked.gallery.candidates)), asked.scorer.prior, np.float32)
    if asked.scorer.classes is not None:
        base = asked.seen.vectors @ asked.scorer.classes + asked.scorer.begin
    if only is not None:
        base = np.where(only, base, -1e4)
    cosines = exemplars.cosines(asked.seen.vectors, asked.row_groups)
    found = []
    for weight, share in itertools.product(WEIGHTS["exemplar"], SHARES):
        likely = with_other(Likeness(float(weight), share), cosines, exemplars.candidates, asked)
        logits = base.copy()
        logits[:, exemplars.candidates] += likely.log_odds(cosines)
        found.append((losses(asked.of_items(logits), asked.right)[items].mean(), likely))
    return best(found)


def best(found: Iterable[tuple[float, Likeness]]) -> Likeness:
    """Return the likeness of the smallest weight whose loss is the smallest, or as good as that."""
    tried = list(found)
    least = min(loss for loss, _ in tried)
    loss, likely = min(
        (each for each in tried if each[0] <= least + AS_GOOD), key=lambda each: (each[1].weight, each[0])
    )
    print(f"  loss {loss:.3f}  {likely}")
    return likely


def name_likenesses(asked: Questions) -> list[tuple[np.ndarray, Likeness]]:
    """Return likenesses to names on the grid, with what each adds, ``(rows, names)``."""
    names = asked.gallery.names
    assert names is not None
    cosines = asked.scorer.projection(asked.scorer.modality)(asked.seen.vectors) @ names.directions.T
    likely = [
        with_other(Likeness(float(weight), share), cosines, names.candidates, asked)
        for weight, share in itertools.product(WEIGHTS["name"], SHARES)
    ]
    return [(each.log_odds(cosines), each) for each in likely]


def fit_audio(asked: Questions) -> tuple[Likeness, Likeness, float]:
    """Return the likenesses to exemplars and names, and the prior of taxa without a class.

    The prior is the mean of the odds that the classifier gives to what is not there.
    """
    own, names = asked.scorer.own, asked.gallery.names
    exemplar = exemplar_likeness(asked, asked.fitting & own[asked.right], own)
    assert names is not None
    assert asked.scorer.classes is not None
    base = asked.seen.vectors @ asked.scorer.classes + asked.scorer.begin
    right, fitting = asked.right[asked.items], asked.fitting[asked.items]
    absent = own[None] & (np.arange(len(own))[None] != right[:, None]) & fitting[:, None]
    prior = round(float(np.log(np.exp(base[absent], dtype=np.float64).mean())), 2)
    base[:, ~own] = prior
    found = []
    for added, likely in name_likenesses(asked):
        logits = base.copy()
        logits[:, names.candidates] += np.where(own[names.candidates], 0.0, added)
        found.append((losses(asked.of_items(logits), asked.right)[asked.fitting].mean(), likely))
    return exemplar, best(found), prior


def fit_bare(asked: Questions) -> float:
    """Return what is added where a name alone speaks: what gives the most right answers (Top-1 plus Top-5).

    It is fitted last, on the list of all species, with the weights that are written by then.
    """
    count = len(asked.gallery.candidates)
    spoken = asked.scorer.own | np.isin(
        np.arange(count), asked.gallery.exemplars[asked.scorer.modality].candidates
    )
    logits = asked.log_odds()
    rows = np.flatnonzero(asked.fitting)
    found = []
    for bare in BARE:
        tried = logits[rows] + np.where(spoken, 0.0, bare - asked.scorer.weights.bare)
        rank = (tried >= tried[np.arange(len(rows)), asked.right[rows], None]).sum(axis=1)
        found.append(((rank == 1).sum() + (rank <= 5).sum(), bare))
        print(f"  {bare}: {(rank == 1).mean():.3f} {(rank <= 5).mean():.3f}")
    return max(found)[1]


def fit_images(asked: Questions) -> tuple[Likeness, Likeness, Likeness]:
    """Return the likenesses to exemplars, names and classes of pictures."""
    exemplars, count = asked.gallery.exemplars[Modality.IMAGE], len(asked.gallery.candidates)
    only = np.isin(np.arange(count), exemplars.candidates)
    exemplar = exemplar_likeness(asked, asked.fitting & asked.with_exemplars, only)
    pictures, names = asked.scorer.pictures, asked.gallery.names
    assert pictures is not None
    assert names is not None
    classes = []
    numbers, likenesses = pictures.likenesses(asked.seen.vectors)
    for weight, share in itertools.product(WEIGHTS["class"], SHARES):
        likely = with_other(Likeness(float(weight), share), likenesses, numbers, asked)
        classes.append((likely.log_odds(likenesses), likely))
    found = []
    for (name_adds, name), (class_adds, likely) in itertools.product(name_likenesses(asked), classes):
        logits = np.zeros((len(asked.right), count), np.float32)
        logits[:, names.candidates] += name_adds
        logits[:, numbers] += class_adds
        found.append((losses(logits[asked.fitting], asked.right[asked.fitting]).mean(), (name, likely)))
    loss, (name, picture_class) = min(found, key=lambda each: each[0])
    print(f"  loss {loss:.3f}  {name}, {picture_class}")
    return exemplar, name, picture_class


def write(content: dict[str, object]) -> None:
    """Write the file, an entry a line."""
    lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items())
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Fit, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    dataset = Dataset.open(parser.parse_args().dataset)
    asked = {modality: questions(dataset, modality, centred=True) for modality in MEDIA}
    audio, image = asked[Modality.AUDIO], asked[Modality.IMAGE]
    print("recordings")
    heard, heard_name, prior = fit_audio(audio)
    print("photographs")
    seen, seen_name, seen_class = fit_images(image)
    revision = load_model("starter", "cpu", modalities=()).card.revision

    def stated(likely: Likeness) -> dict[str, float | None]:
        return {"weight": likely.weight, "share": likely.share, "other": likely.other}

    old = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    species = {each.taxon.scientific_name for each in audio.gallery.candidates}
    content = {
        "made": {
            "of": "the fitting half of the species of the field sample: scripts/evidence_defaults.py",
            "on": datetime.now(UTC).date().isoformat(),
            "species": sum(map(fitting_half, species)),
            "recordings": int(audio.fitting.sum()),
            "recordings of species with others": int((audio.fitting & audio.with_exemplars).sum()),
            "recordings of species without a class": int((audio.fitting & ~audio.scorer.own[audio.right]).sum()),
            "photographs": int(image.fitting.sum()),
            "photographs of species with others": int((image.fitting & image.with_exemplars).sum()),
        },
        "prior": {Modality.AUDIO: prior, Modality.IMAGE: round(-float(np.log(len(species))), 2)},
        "bare": dict.fromkeys(MEDIA, 0.0),
        "exemplar": {"birdnet-2.4": stated(heard), "efficientnet-lite2": stated(seen), "any": ANY},
        "name": {
            revision: {Modality.AUDIO: stated(heard_name), Modality.IMAGE: stated(seen_name)},
            "any": ANY,
        },
        "class": {"efficientnet-lite2": stated(seen_class)},
        "centre": {
            name: [round(number, 4) for number in each.gallery.exemplars[modality].centre.tolist()]
            for (modality, each), name in zip(asked.items(), ("birdnet-2.4", "efficientnet-lite2"), strict=True)
        },
        "back_off": old.get("back_off", {}),
    }
    write(content)
    likeness.shipped.cache_clear()
    content["bare"] = {modality: fit_bare(questions(dataset, modality)) for modality in MEDIA}
    write(content)


if __name__ == "__main__":
    main()
