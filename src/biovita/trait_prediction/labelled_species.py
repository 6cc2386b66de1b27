"""Recordings or photographs of species whose labels are known: what probes are fitted on, and what is nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.directions import unit
from biovita.identification.exemplars import Labelled, labelled_dataset
from biovita.identification.likeness import centre_of
from biovita.identification.scorer import opened_projection
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.taxonomy import Rank, Taxon
from biovita.trait_prediction.species_labels import SpeciesLabels, name_key

__all__ = ["LabelledSpecies", "directed", "labelled_species", "shared_vectors"]


@dataclass(frozen=True, eq=False)
class LabelledSpecies:
    """Items of one modality, those of a species together.

    Attributes
    ----------
    taxa
        The species, each once.
    labels
        ``(species, 34)``: 1 true, 0 false, NaN unknown.
    of
        ``(items,)``: place of the species, ascending.
    rows
        As `biovita.identification.exemplars.EXEMPLARS` has them.
    tower
        ``(items, dim)``, float32, as the tower gives them.
    vectors
        The same as they are compared: from the centre of what the tower gives, and of length 1.
    shared
        ``(items, shared dim)``: in the space that media and texts share; None where there is none.
    notes
        Items that could not be used.
    """

    modality: Modality
    taxa: tuple[Taxon, ...]
    labels: np.ndarray
    of: np.ndarray
    rows: pa.Table
    tower: np.ndarray
    vectors: np.ndarray
    shared: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def starts(self) -> np.ndarray:
        """Where the items of each species begin, ``(species,)``."""
        return np.searchsorted(self.of, np.arange(len(self.taxa)))

    @cached_property
    def means(self) -> np.ndarray:
        """The mean vector of each species, ``(species, dim)``, float64, of length 1."""
        return self._means(self.vectors)

    @cached_property
    def shared_means(self) -> np.ndarray | None:
        """The same in the space that media and texts share; None where there is none."""
        return None if self.shared is None else self._means(self.shared)

    def _means(self, vectors: np.ndarray) -> np.ndarray:
        sums = np.add.reduceat(vectors.astype(np.float64), self.starts, axis=0)
        found: np.ndarray = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        return found

    def where(self, species: np.ndarray) -> LabelledSpecies:
        """Return those of some species, ``(species,)`` bool."""
        items = species[self.of]
        numbers = np.cumsum(species) - 1
        return replace(
            self,
            taxa=tuple(taxon for taxon, kept in zip(self.taxa, species.tolist(), strict=True) if kept),
            labels=self.labels[species],
            of=numbers[self.of[items]],
            rows=self.rows.filter(pa.array(items)),
            tower=self.tower[items],
            vectors=self.vectors[items],
            shared=None if self.shared is None else self.shared[items],
        )


def labelled_species(
    datasets: Sequence[Dataset],
    model: ModelCard,
    modality: Modality,
    known: SpeciesLabels,
    *,
    device: str = "auto",
    progress: bool = False,
) -> LabelledSpecies | None:
    """Return the items of datasets of which a label is known; None where there are none of the modality.

    Their vectors come from the datasets' tables, and are made where they are missing.

    Raises
    ------
    DatasetError
        Where none of the items of a dataset can be embedded.
    """
    found = [
        labelled_dataset(dataset, model, modality, device=device, progress=progress)
        for dataset in datasets
        if len(dataset.media(modality))
    ]
    if not found:
        return None
    taxa: dict[str, Taxon] = {}
    places = np.concatenate([_places(items, taxa) for items in found])
    labels = known.matrix(list(taxa.values()))
    used = ~np.isnan(labels).all(axis=1)
    numbers = np.where(used, np.cumsum(used) - 1, -1)
    of = np.where(places < 0, -1, numbers[places]) if taxa else places
    order = np.argsort(of, kind="stable")
    order = order[of[order] >= 0]
    if not len(order):
        return None
    tower = np.concatenate([items.vectors for items in found])[order]
    return LabelledSpecies(
        modality,
        tuple(taxon for taxon, is_used in zip(taxa.values(), used.tolist(), strict=True) if is_used),
        labels[used],
        of[order],
        pa.concat_tables([items.rows for items in found]).take(pa.array(order)),
        tower,
        directed(model, modality, tower),
        shared_vectors(model, modality, tower),
        tuple(note for items in found for note in items.notes),
    )


def directed(model: ModelCard, modality: Modality, vectors: np.ndarray) -> np.ndarray:
    """Return vectors of a tower as they are compared, ``(rows, dim)``: from their centre, and of length 1."""
    return unit(vectors - centre_of(model.encoder(modality)))


def shared_vectors(model: ModelCard, modality: Modality, vectors: np.ndarray) -> np.ndarray | None:
    """Return vectors of a tower in the space that media and texts share; None where a model has none."""
    if model.dim is None or Modality.TEXT not in model.encoders:
        return None
    return opened_projection(model, modality)(vectors)


def _places(items: Labelled, taxa: dict[str, Taxon]) -> np.ndarray:
    """Return by item the place of its species among those of all datasets, which grow; -1 of groups."""
    for label in items.labels:
        if label.taxon.rank == Rank.SPECIES:
            taxa.setdefault(name_key(label.taxon), label.taxon)
    places = {key: place for place, key in enumerate(taxa)}
    of_label = [places.get(name_key(each.taxon), -1) for each in items.labels]
    return np.array(of_label, np.int64)[items.places]
