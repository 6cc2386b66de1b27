"""The exemplars that a run keeps beside its scores, so that its answers name the nearest without a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import write_table
from biovita.errors import DatasetError
from biovita.files import replacing
from biovita.identification.exemplars import EXEMPLARS, Exemplars
from biovita.modality import MEDIA, Modality
from biovita.parquet import read_parquet

__all__ = ["KEPT_EXEMPLARS", "keep_exemplars", "kept_exemplars"]

KEPT_EXEMPLARS = pa.schema(
    [
        *EXEMPLARS,
        pa.field("modality", pa.string(), nullable=False),
        pa.field("taxon_id", pa.string(), nullable=False),
        pa.field("candidate", pa.int32(), nullable=False),  # number in the table of candidates
    ]
)
"""Columns of ``exemplars.parquet``: a row an exemplar, those of a modality and candidate together."""

_ROWS, _VECTORS = "exemplars.parquet", "exemplars.safetensors"


def keep_exemplars(directory: Path, exemplars: Mapping[Modality, Exemplars], candidates: pa.Table) -> None:
    """Write exemplars and their vectors into the directory of a run; without any, those that were there go.

    Parameters
    ----------
    candidates
        Rows of `biovita.archive.archive_tables.CANDIDATES`.
    """
    if not exemplars:
        for name in (_ROWS, _VECTORS):
            (directory / name).unlink(missing_ok=True)
        return
    from safetensors.numpy import save_file

    tables, tensors = [], {}
    for modality, mine in exemplars.items():
        ends = np.append(mine.starts[1:], len(mine.rows))
        number = pa.array(np.repeat(mine.candidates, ends - mine.starts).astype(np.int32))
        columns = {name: mine.rows[name] for name in EXEMPLARS.names}
        columns["modality"] = pa.repeat(modality.value, len(number))
        columns |= {"taxon_id": candidates["taxon_id"].combine_chunks().take(number), "candidate": number}
        tables.append(pa.table(columns, schema=KEPT_EXEMPLARS))
        tensors[modality.value] = np.ascontiguousarray(mine.vectors, np.float32)
        tensors[f"{modality.value}.centre"] = np.ascontiguousarray(mine.centre, np.float32)
    with replacing(directory / _VECTORS) as scratch:
        save_file(tensors, scratch)
    write_table(pa.concat_tables(tables), directory / _ROWS)


def kept_exemplars(directory: Path) -> dict[Modality, Exemplars]:
    """Return the exemplars of a run by modality; none where it was scored without a gallery.

    Raises
    ------
    DatasetError
        Where the files are damaged, or are not of one run.
    """
    if not (directory / _ROWS).is_file():
        return {}
    rows = read_parquet(directory / _ROWS, KEPT_EXEMPLARS)
    modalities = np.array(rows["modality"].to_pylist(), object)
    tensors = _tensors(directory / _VECTORS)
    found = {}
    for modality in MEDIA:
        mine = rows.filter(pa.array(modalities == modality.value)).combine_chunks()
        if not len(mine):
            continue
        vectors, centre = tensors.get(modality.value), tensors.get(f"{modality.value}.centre")
        numbers = mine["candidate"].to_numpy()
        if vectors is None or centre is None or vectors.shape != (len(mine), *centre.shape) or centre.ndim != 1:
            raise DatasetError(f"{directory / _VECTORS} does not fit {_ROWS}. Identify again with the gallery")
        candidates, starts = np.unique(numbers, return_index=True)
        if (np.diff(numbers) < 0).any() or not np.isfinite(vectors).all():
            raise DatasetError(f"{directory / _ROWS} is damaged. Identify again with the gallery")
        found[modality] = Exemplars(candidates, starts, mine, vectors, centre)
    return found


def _tensors(file: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return {name: each.astype(np.float32, copy=False) for name, each in load_file(file).items()}
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}. Identify again with the gallery") from error
