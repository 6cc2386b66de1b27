"""The training rows of a dataset, by species and modality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.media.inputs import Clip
from biovita.media.packed_files import MediaPath
from biovita.modality import MEDIA, Modality
from biovita.taxonomy import Taxon, prompts
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.towers.sampling import SpeciesRows

__all__ = ["TrainingItems", "training_items"]


@dataclass(frozen=True, eq=False)
class TrainingItems:
    """The training rows of a dataset.

    Attributes
    ----------
    taxa
        The training species; their numbers are their places here.
    prompts
        By species, its texts.
    media
        By modality its rows: ``id``, ``taxon_id``, ``path``, and of recordings ``start_s`` and ``end_s``.
    of_species
        Which of them each species has.
    """

    dataset: Dataset
    taxa: tuple[Taxon, ...]
    prompts: tuple[tuple[str, ...], ...]
    media: Mapping[Modality, pa.Table]
    of_species: SpeciesRows

    def id(self, modality: Modality, row: int) -> str:
        """Return the id of a recording or photograph."""
        found: str = self.media[modality]["id"][row].as_py()
        return found

    def item(self, modality: Modality, row: int) -> Clip | MediaPath:
        """Return the file, or the span of it, that is decoded for a recording or photograph."""
        table = self.media[modality]
        path = self.dataset.locate(table["path"][row].as_py())
        if modality != Modality.AUDIO:
            return path
        return Clip(path, table["start_s"][row].as_py(), table["end_s"][row].as_py())


def training_items(dataset: Dataset, *, sounds: bool = True, exclude: Exclusion = NOTHING) -> TrainingItems:
    """Return what the ``train`` split of a dataset holds that is not excluded.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or there is no recording to train on and ``sounds`` are wanted.
    """
    media = {modality: _training_rows(dataset, modality, exclude) for modality in MEDIA}
    if sounds and not len(media[Modality.AUDIO]):
        also = " that are not excluded" if exclude.taxa else ""
        raise DatasetError(f"{dataset.path} has no recordings in its train split{also}")
    owners = pa.chunked_array(
        [chunk for table in media.values() for chunk in table["taxon_id"].chunks], pa.string()
    )
    species = pc.unique(owners).sort()
    taxa = tuple(dataset.taxonomy[taxon_id] for taxon_id in species.to_pylist())
    texts = tuple(tuple(prompts(taxon).values()) for taxon in taxa)
    rows = {modality: _by_species(table, species) for modality, table in media.items()}
    return TrainingItems(dataset, taxa, texts, media, SpeciesRows(rows, tuple(map(len, texts))))


def _training_rows(dataset: Dataset, modality: Modality, exclude: Exclusion) -> pa.Table:
    """Return a modality's rows; photographs in the order of their paths."""
    table = dataset.media(modality)
    span = ["start_s", "end_s"] if modality == Modality.AUDIO else []
    rows = table.filter(exclude.trained_rows).select(["id", "taxon_id", "path", *span])
    return (rows.sort_by("path") if modality == Modality.IMAGE else rows).combine_chunks()


def _by_species(table: pa.Table, species: pa.Array) -> tuple[np.ndarray, ...]:
    """Return the rows of each species, ascending, int64."""
    numbers = pc.index_in(table["taxon_id"], value_set=species).to_numpy().astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    ends = np.searchsorted(numbers[order], np.arange(1, len(species)))
    return tuple(np.split(order, ends)) if len(species) else ()
