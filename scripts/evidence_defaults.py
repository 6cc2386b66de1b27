"""Fit the weights that ship: src/biovita/identification/data/evidence.json.

Run: python scripts/evidence_defaults.py DATASET      the field sample, imported (biovita data import folder)

All is fitted on one half of the species (`fitting_half`), by the smallest cross-entropy of the right species among the
180 of the sample, on grids. Exemplars are the items of species that have some of another recording or photographer;
those of a question's own group are passed over. `benchmarks/identify_field_sample.py` reports on the other half.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from biovita.dataset import Dataset
from biovita.identification import likeness
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import Labelled, labelled_dataset
from biovita.identification.gallery import Gallery, gallery_of
from biovita.identification.likeness import Likeness
from biovita.identification.scorer import Scorer
from biovita.modality import MEDIA, Modality
from biovita.model import load_model

OUT = Path(likeness.__file__).parent / "data" / "evidence.json"
WEIGHTS = {
    "exemplar": (3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20, 22, 25, 30),
    "name": (2, 4, 6, 8, 10, 12, 16),
    "class": (0.2, 0.3, 0.5, 0.7, 1.0),
}
SHARES = (0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 0.95, 0.98, 0.99)
BARE = (0.0, -1.0, -2.0, -3.0, -4.0)
ANY = {"weight": 20.0, "share": 0.8}  # of models that nothing was fitted for


@dataclass(frozen=True, eq=False)
class Questions:
    """Recordings or photographs of the sample, and what they are compared with.

    Attributes
    ----------
    vectors
        ``(rows, dim)``, of the tower.
    right
        ``(rows,)``: number of the candidate.
    fitting
        ``(rows,)``: is of the half that is fitted on.
    with_exemplars
        ``(rows,)``: the species has an item of another group.
    """

    scorer: Scorer
    vectors: np.ndarray
    groups: list[str]
    right: np.ndarray
    fitting: np.ndarray
    with_exemplars: np.ndarray

    @property
    def gallery(self) -> Gallery:
        """What is asked."""
        return self.scorer.gallery

    def log_odds(self) -> np.ndarray:
        """Return those of all candidates, ``(rows, candidates)``."""
        return self.scorer.score(self.vectors, self.groups).logits


def fitting_half(name: str) -> bool:
    """Say whether a species is of the half that is fitted on: the first digit of its name's SHA-256 is even."""
    return int(hashlib.sha256(name.encode()).hexdigest()[0], 16) % 2 == 0


def questions(
    dataset: Dataset, modality: Modality, candidates: Sequence[Candidate] | None = None, *, centred: bool = False
) -> Questions:
    """Return the items of a modality as questions.

    Parameters
    ----------
    candidates
        None is all species of the dataset. Items of others are questions all the same, of the right number -1, and no
        exemplars.
    centred
        Take the mean of the fitting half's vectors, in place of the one that ships.
    """
    candidates = [Candidate(taxon) for taxon in dataset.taxonomy.taxa] if candidates is None else candidates
    model = load_model("starter", "cpu")
    items = labelled_dataset(dataset, model.card, modality)
    groups = items.rows["group_id"].to_pylist()
    of_species: dict[int, set[str]] = {}
    for place, group in zip(items.places.tolist(), groups, strict=True):
        of_species.setdefault(place, set()).add(group)
    several = np.array([len(of_species[place]) > 1 for place in items.places.tolist()])
    numbers = {each.taxon.id: number for number, each in enumerate(candidates)}
    right = np.array([numbers.get(items.labels[place].taxon.id, -1) for place in items.places.tolist()])
    shown = np.flatnonzero(several & (right >= 0))
    labelled = Labelled(modality, items.labels, items.places[shown], items.rows.take(shown), items.vectors[shown])
    tower = model.tower(modality)
    halves = np.array([fitting_half(items.labels[place].taxon.scientific_name) for place in items.places.tolist()])
    gallery = gallery_of(model, {modality: tower}, [labelled], candidates)
    if centred:
        mean = np.round(items.vectors[halves].mean(axis=0), 4)
        exemplars = {modality: replace(gallery.exemplars[modality], centre=mean)}
        gallery = replace(gallery, exemplars=exemplars)
    return Questions(Scorer.of(model, gallery, tower), items.vectors, groups, right, halves, several)


def losses(logits: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the cross-entropy of the right candidate for each row."""
    top = logits.max(axis=1)
    total = np.log(np.exp(logits - top[:, None], dtype=np.float64).sum(axis=1)) + top
    return total - logits[np.arange(len(right)), right]


def with_other(likely: Likeness, log_means: np.ndarray, numbers: np.ndarray, asked: Questions) -> Likeness:
    """Return a likeness with the mean over questions of the fitting half that are of other taxa."""
    against = (numbers[None] != asked.right[:, None]) & asked.fitting[:, None] & np.isfinite(log_means)
    return replace(likely, other=round(float(np.log(np.exp(log_means[against], dtype=np.float64).mean())), 3))


def exemplar_likeness(asked: Questions, rows: np.ndarray, only: np.ndarray | None = None) -> Likeness:
    """Return the best likeness to exemplars, on top of what classes say; ``only`` are the candidates of the list."""
    exemplars = asked.gallery.exemplars[asked.scorer.modality]
    base = np.full((len(asked.right), len(asked.gallery.candidates)), asked.scorer.prior, np.float32)
    if asked.scorer.classes is not None:
        base = asked.vectors @ asked.scorer.classes + asked.scorer.begin
    if only is not None:
        base = np.where(only, base, -1e4)
    found = []
    for weight in WEIGHTS["exemplar"]:
        log_means = exemplars.log_means(asked.vectors, Likeness(weight, 0.5), asked.groups)
        for share in SHARES:
            likely = with_other(Likeness(float(weight), share), log_means, exemplars.candidates, asked)
            logits = base.copy()
            logits[:, exemplars.candidates] += likely.log_odds(log_means)
            found.append((losses(logits, asked.right)[rows].mean(), likely))
    return best(found)


def best(found: Iterable[tuple[float, Likeness]]) -> Likeness:
    """Return the likeness of the smallest loss."""
    loss, likely = min(found, key=lambda each: each[0])
    print(f"  loss {loss:.3f}  {likely}")
    return likely


def name_likenesses(asked: Questions) -> list[tuple[np.ndarray, Likeness]]:
    """Return likenesses to names on the grid, with what each adds, ``(rows, names)``."""
    names = asked.gallery.names
    assert names is not None
    cosines = asked.scorer.projection(asked.scorer.modality)(asked.vectors) @ names.directions.T
    grid = itertools.product(WEIGHTS["name"], SHARES)
    likely = [
        with_other(Likeness(float(weight), share), weight * cosines, names.candidates, asked)
        for weight, share in grid
    ]
    return [(each.log_odds(each.weight * cosines), each) for each in likely]


def fit_audio(asked: Questions) -> tuple[Likeness, Likeness, float]:
    """Return the likenesses to exemplars and names, and the prior of taxa without a class.

    The prior is the mean of the odds that the classifier gives to what is not there.
    """
    own, names = asked.scorer.own, asked.gallery.names
    exemplar = exemplar_likeness(asked, asked.fitting & own[asked.right], own)
    assert names is not None
    assert asked.scorer.classes is not None
    base = asked.vectors @ asked.scorer.classes + asked.scorer.begin
    absent = own[None] & (np.arange(len(own))[None] != asked.right[:, None]) & asked.fitting[:, None]
    prior = round(float(np.log(np.exp(base[absent], dtype=np.float64).mean())), 2)
    base[:, ~own] = prior
    found = []
    for added, likely in name_likenesses(asked):
        logits = base.copy()
        logits[:, names.candidates] += added
        found.append((losses(logits, asked.right)[asked.fitting].mean(), likely))
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
    for weight in WEIGHTS["class"]:
        once = replace(pictures, likeness=Likeness(float(weight), 1.0, 0.0))
        numbers, log_means = once.log_odds(asked.vectors)
        for share in SHARES:
            likely = with_other(Likeness(float(weight), share), log_means, numbers, asked)
            classes.append((likely.log_odds(log_means), likely))
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
