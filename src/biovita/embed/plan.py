"""What a run has to embed: the dataset's rows against those that have a vector already."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.store import Dataset
from biovita.embed.texts import texts_of
from biovita.errors import DatasetError
from biovita.hashing import sha256_of
from biovita.media.items import Clip
from biovita.media.packed import MediaPath, PackedFile
from biovita.modality import Modality

__all__ = ["Plan", "items_of", "plan", "rows_of", "up_to_date"]

_MISSING_FILE = (-1, -1)
_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Plan:
    """Rows of a dataset, by what there is to do about them.

    Attributes
    ----------
    rows
        All rows of a modality, in the dataset's order.
    new
        Places of the rows to embed, ``(n,)``, int64, ascending.
    refresh
        Places of the rows whose vector stays and whose other columns changed: another taxon, a copied file.
    kept
        How many rows keep their vector, those of ``refresh`` among them.
    """

    rows: pa.Table
    new: np.ndarray
    refresh: np.ndarray
    kept: int


def rows_of(dataset: Dataset, modality: Modality) -> pa.Table:
    """Return what embedding needs to know of each item, in the dataset's order.

    Raises
    ------
    DatasetError
        Where two items have one id.
    """
    if modality == Modality.TEXT:
        return pa.table({"id": pa.array(texts_of(dataset.taxonomy), pa.string())})
    span = ["start_s", "end_s"] if modality == Modality.AUDIO else []
    rows = dataset.media(modality).select(["id", "taxon_id", "sha256", *span, "path"])
    if pc.count_distinct(rows["id"]).as_py() != rows.num_rows:
        counts = pc.value_counts(rows["id"]).to_pylist()
        twice = next(entry["values"] for entry in counts if entry["counts"] > 1)
        raise DatasetError(f"{dataset.path}: two {modality} items have the id {twice!r}: ids are unique")
    return rows


def up_to_date(rows: pa.Table, stored: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row its place in ``stored`` (-1 for none), and whether the vector there is of the same item.

    The same: the hash that the dataset states is, and the span of a recording.
    """
    place = pc.fill_null(pc.index_in(rows["id"], value_set=stored["id"].combine_chunks()), -1)
    places = place.to_numpy().astype(np.int64)
    same = places >= 0
    if stored.num_rows:
        for column in {"sha256", "start_s", "end_s"} & set(stored.column_names):
            before = stored[column].take(pa.array(np.maximum(places, 0)))
            same &= pc.equal(rows[column], before).to_numpy()
    return places, same


def plan(dataset: Dataset, rows: pa.Table, stored: pa.Table) -> Plan:
    """Return what there is to do.

    A file whose size or time of change is not the one recorded is hashed: other bytes are embedded again, the same
    bytes are not. Of a file that is not there the vector stays.
    """
    places, same = up_to_date(rows, stored)
    refresh = np.zeros(len(same), bool)
    if "sha256" in stored.column_names:
        for at, row, before in _pairs(rows, stored, np.flatnonzero(same), places):
            state = file_state(path := dataset.locate(row["path"]))
            touched = state not in {_MISSING_FILE, (before["file_size"], before["file_mtime_ns"])}
            same[at] = not touched or isinstance(path, PackedFile) or sha256_of(path) == row["sha256"]
            refresh[at] = same[at] and (touched or before["taxon_id"] != row["taxon_id"])
    return Plan(rows, np.flatnonzero(~same), np.flatnonzero(refresh), int(same.sum()))


def _pairs(
    rows: pa.Table, stored: pa.Table, at: np.ndarray, places: np.ndarray
) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
    """Give a row's place, the row and what is stored of it; some thousands at a time, however many there are."""
    now = rows.select(["sha256", "taxon_id", "path"])
    before = stored.select(["taxon_id", "file_size", "file_mtime_ns"]).combine_chunks()
    for start in range(0, len(at), _ROWS_AT_ONCE):
        part = at[start : start + _ROWS_AT_ONCE]
        taken = now.take(pa.array(part)).to_pylist(), before.take(pa.array(places[part])).to_pylist()
        yield from zip(part.tolist(), *taken, strict=True)


def file_state(path: MediaPath) -> tuple[int, int]:
    """Return a file's size in bytes and its time of change in nanoseconds; of no file or a packed one (-1, -1).

    A packed file has the bytes that the dataset's tables state, or it is not taken from the packed media.
    """
    if isinstance(path, PackedFile):
        return _MISSING_FILE
    try:
        status = path.stat()
    except (OSError, ValueError):
        return _MISSING_FILE
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else _MISSING_FILE


def items_of(
    dataset: Dataset, modality: Modality, rows: pa.Table, places: np.ndarray
) -> Iterator[tuple[dict[str, Any], Clip | MediaPath | str]]:
    """Give the table row and what the tower is to load, of the items at ``places``, in that order."""
    for batch in rows.take(pa.array(places)).to_batches(max_chunksize=1024):
        for row in batch.to_pylist():
            if modality == Modality.TEXT:
                yield row, row["id"]
                continue
            path = dataset.locate(row.pop("path"))
            row["file_size"], row["file_mtime_ns"] = file_state(path)
            yield row, Clip(path, row["start_s"], row["end_s"]) if modality == Modality.AUDIO else path
