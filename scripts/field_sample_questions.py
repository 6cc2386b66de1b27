"""The items of the field sample as questions: what `biovita identify` hears of recordings and sees in photographs.

A recording is scored as an event is: by the largest of its windows, for each candidate. Exemplars are the items of
species that have some of another recording or photographer; those of a question's own group are passed over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from biovita.dataset import Dataset
from biovita.embedding.items import dataset_items, loadable
from biovita.identification.asked import Perceiving
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import Labelled, labelled_dataset
from biovita.identification.gallery import Gallery, gallery_of
from biovita.identification.scorer import Scorer
from biovita.identification.scoring import open_towers_of
from biovita.modality import Modality
from biovita.model import load_model
from biovita.model.card import ModelCard
from biovita.progress import progress_bar

__all__ = ["Perceived", "Questions", "fitting_half", "perceived", "questions"]

MODEL = "starter"


@dataclass(frozen=True, eq=False)
class Perceived:
    """Windows of recordings, or photographs.

    Attributes
    ----------
    vectors
        ``(rows, dim)``, float32, of the tower; those of one item together.
    starts
        ``(items,)``: where those of each begin.
    """

    vectors: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True, eq=False)
class Questions:
    """Recordings or photographs of the sample, and what they are compared with.

    Attributes
    ----------
    seen
        What is heard or seen of them.
    groups
        By item.
    right
        ``(items,)``: number of the candidate; -1 where it is none.
    fitting
        ``(items,)``: is of the half that is fitted on.
    with_exemplars
        ``(items,)``: the species has an item of another group.
    """

    scorer: Scorer
    seen: Perceived
    groups: list[str]
    right: np.ndarray
    fitting: np.ndarray
    with_exemplars: np.ndarray

    @property
    def gallery(self) -> Gallery:
        """What is asked."""
        return self.scorer.gallery

    @cached_property
    def items(self) -> np.ndarray:
        """By row the item that it is of."""
        counts = np.diff(np.append(self.seen.starts, len(self.seen.vectors)))
        return np.repeat(np.arange(len(self.seen.starts)), counts)

    @cached_property
    def row_groups(self) -> list[str]:
        """By row the group that it is of."""
        return [self.groups[item] for item in self.items.tolist()]

    def of_items(self, rows: np.ndarray) -> np.ndarray:
        """Return what holds for items, ``(items, candidates)``: the largest of their rows."""
        found: np.ndarray = np.maximum.reduceat(rows, self.seen.starts, axis=0)
        return found

    def log_odds(self) -> np.ndarray:
        """Return those of all candidates, ``(items, candidates)``."""
        return self.of_items(self.scorer.score(self.seen.vectors, self.row_groups).logits)


def fitting_half(name: str) -> bool:
    """Say whether a species is of the half that is fitted on: the first digit of its name's SHA-256 is even."""
    return int(hashlib.sha256(name.encode()).hexdigest()[0], 16) % 2 == 0


def perceived(dataset: Dataset, card: ModelCard, modality: Modality, ids: Sequence[str]) -> Perceived:
    """Return items as a run of `biovita identify` takes them by default; they are kept beside the dataset's vectors."""
    perceiving = Perceiving()
    made = json.dumps([card.towers.name, modality, perceiving.as_json(), list(ids)])
    path = dataset.path / "embeddings" / f"questions-{hashlib.sha256(made.encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        items = dataset_items(dataset, modality)
        rows = {row["id"]: row for row in items.rows.to_pylist()}
        tower = open_towers_of(card, [modality], perceiving)[modality]
        found = []
        with progress_bar(f"{modality} questions", len(ids), shown=True) as done:
            for each in ids:
                loaded = tower.load(loadable(modality, rows[each], items.locate))
                cut = modality == Modality.AUDIO
                found.append(tower.encode_windows(list(loaded)) if cut else tower.encode([loaded]))
                done(1)
        starts = np.cumsum([0, *map(len, found[:-1])])
        path.parent.mkdir(exist_ok=True)
        np.savez(path, vectors=np.concatenate(found), starts=starts)
    with np.load(path, allow_pickle=False) as kept:
        return Perceived(kept["vectors"], kept["starts"])


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
    model = load_model(MODEL, "cpu")
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
        gallery = replace(gallery, exemplars={modality: replace(gallery.exemplars[modality], centre=mean)})
    seen = perceived(dataset, model.card, modality, items.rows["id"].to_pylist())
    return Questions(Scorer.of(model, gallery, tower), seen, groups, right, halves, several)
