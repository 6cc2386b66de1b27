"""Embeddings from disk, in the order of the dataset."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.store import Dataset
from biovita.embed.failures import read_failures
from biovita.embed.plan import rows_of, up_to_date
from biovita.embed.table import Made, VectorTable, embeddings_directory
from biovita.embed.vectors import Vectors
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.model.describe import describe

__all__ = ["read_vectors"]


def read_vectors(dataset: Dataset, model: str, modality: Modality) -> Vectors:
    """Return a modality's vectors as `embed` wrote them, in the dataset's order.

    Items that failed have none and are left out; vectors of items that are no longer in the dataset are ignored.

    Raises
    ------
    DatasetError
        Where vectors are missing, out of date, or made by another tower than the model has now; the message holds
        the command that mends it.
    ModelError
        Where the model is unknown or has no tower for the modality.
    """
    towers = describe(model).towers
    card = towers.encoder(modality)
    rows = rows_of(dataset, modality)
    if not len(rows):
        raise DatasetError(f"{dataset.path} has no {modality} items, and so no vectors of them")
    mend = f"Run: biovita embed {dataset.path} --model {model} --modality {modality}"
    directory = embeddings_directory(dataset, towers.name)
    failed = [failure.id for failure in read_failures(directory) if failure.modality == modality]
    table = VectorTable(directory, modality)
    if not table.exists:
        why = f"all {len(failed)} failed, see {directory / 'failed.parquet'}" if failed else "they were never made"
        raise DatasetError(f"{dataset.path} has no {modality} vectors of the model {model!r}: {why}. {mend}")
    if difference := table.made().difference(Made.by(card)):
        raise DatasetError(f"{table.path} was made by something else ({difference}). {mend}")
    stored, vectors = table.read()
    places, same = up_to_date(rows, stored)
    excused = pc.is_in(rows["id"], value_set=pa.array(failed, pa.string())).to_numpy()
    if missing := int((~same & ~excused).sum()):
        raise DatasetError(
            f"{dataset.path}: {missing} of {len(rows)} {modality} items have no vector of the model {model!r} "
            f"yet. {mend}"
        )
    rows = rows.filter(pa.array(same))
    ids = tuple(rows["id"].to_pylist())
    taxa = tuple(rows["taxon_id"].to_pylist()) if "taxon_id" in rows.column_names else ("",) * len(ids)
    return Vectors(ids, taxa, np.ascontiguousarray(vectors[places[same]]))
