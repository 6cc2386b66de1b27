"""Reading the two tables of a task in the compact layout: its taxa, and its queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.benchmark.task import padded_lists
from biovita.errors import DatasetError
from biovita.files import open_regular
from biovita.foreign_tables import Held
from biovita.parquet import read_as_it_is, read_parquet

__all__ = ["Queries", "Taxa", "read_queries", "read_taxa"]

_TIMES = 20  # the size of a file, which its lists may take where that is more than the memory
_NAMES = pa.schema([pa.field("taxon", pa.string(), nullable=False)])
_NUMBER = 4  # bytes


@dataclass(frozen=True, eq=False)
class Taxa:
    """The candidate taxa of a task.

    Attributes
    ----------
    samples, offsets
        As a `Task` has them.
    order
        ``(taxa,)`` the candidates of every query; None where each has its own.
    """

    names: tuple[str, ...]
    samples: np.ndarray
    offsets: np.ndarray
    order: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Queries:
    """The queries of a task.

    Attributes
    ----------
    rows, own
        ``(queries,)`` each one's row in the items, and its own taxon.
    candidates
        ``(queries, most)`` as a `Task` has them; None where all have the same.
    texts
        ``(queries, most)`` as a `Task` has them; None where each asks with its row.
    """

    rows: np.ndarray
    own: np.ndarray
    candidates: np.ndarray | None
    texts: np.ndarray | None


def read_taxa(file: Path) -> Taxa:
    """Return the taxa of a task.

    Raises
    ------
    DatasetError
        Where the file is no such table, or takes more than the memory.
    """
    names = read_parquet(file, _NAMES)["taxon"]
    if names.null_count:
        raise DatasetError(f"{file}: a taxon has no name")
    there = _kinds(file)
    table = read_as_it_is(file, ["samples", *(["order"] if "order" in there else [])])
    samples, offsets = _lists(file, table, "samples")
    order = _numbers(file, table, "order") if "order" in there else None
    if order is not None and not np.array_equal(np.sort(order), np.arange(len(names))):
        raise DatasetError(f"{file}: order has to hold each row of the table once")
    return Taxa(tuple(names.to_pylist()), samples, offsets, order)


def read_queries(file: Path, taxa: int, *, shared: bool) -> Queries:
    """Return the queries of a task.

    Parameters
    ----------
    taxa
        How many the task has.
    shared
        Whether all queries have the candidates that the table of taxa states.

    Raises
    ------
    DatasetError
        Where the file is no such table, or takes more than the memory.
    """
    there = _kinds(file)
    kind = None if shared else there.get("candidates")
    if not shared and not (kind is not None and pa.types.is_fixed_size_list(kind) and 0 < kind.list_size <= taxa):
        raise DatasetError(f"{file}: candidates has to hold lists of one length, of at most the {taxa:,} taxa")
    wanted = ["query", "taxon", *([] if shared else ["candidates"]), *(["texts"] if "texts" in there else [])]
    table = read_as_it_is(file, wanted)
    candidates = None
    if kind is not None:
        candidates = _joined(file, table, "candidates").reshape(-1, kind.list_size)
        if len(candidates) and (candidates.min() < -1 or candidates.max() >= taxa):
            raise DatasetError(f"{file}: candidates has rows that are not among the {taxa:,} taxa")
    texts = padded_lists(*_lists(file, table, "texts")) if "texts" in there else None
    return Queries(_numbers(file, table, "query"), _numbers(file, table, "taxon"), candidates, texts)


def _kinds(file: Path) -> dict[str, pa.DataType]:
    """Return the types of a file's columns, whose numbers may take the memory, or twenty times its size."""
    held = Held(str(file), _TIMES * file.stat().st_size)
    try:
        with open_regular(file) as raw, pq.ParquetFile(raw) as parquet:
            metadata = parquet.metadata
            for group in map(metadata.row_group, range(metadata.num_row_groups)):
                for column in map(group.column, range(group.num_columns)):
                    held.add(_NUMBER * max(0, column.num_values))
            return {each.name: each.type for each in parquet.schema_arrow}
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file}: cannot be read as Parquet: {str(error)[:300]}") from error


def _numbers(file: Path, table: pa.Table, name: str) -> np.ndarray:
    return _whole(file, name, table[name].chunks)


def _joined(file: Path, table: pa.Table, name: str) -> np.ndarray:
    """Return what all lists of a column hold, one after the other."""
    if table[name].null_count:
        raise DatasetError(f"{file}: {name} has empty cells")
    return _whole(file, name, [chunk.flatten() for chunk in table[name].chunks])


def _lists(file: Path, table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what all lists of a column hold, and where each begins and the last ends."""
    if not pa.types.is_list(table[name].type):
        raise DatasetError(f"{file}: {name} has to hold lists")
    lengths = [pc.fill_null(pc.list_value_length(chunk), 0).to_numpy() for chunk in table[name].chunks]
    return _joined(file, table, name), np.concatenate([[0], np.cumsum(np.concatenate([[], *lengths]))]).astype(
        np.int64
    )


def _whole(file: Path, name: str, chunks: Sequence[pa.Array]) -> np.ndarray:
    """Return whole numbers as int32."""
    for chunk in chunks:
        if not pa.types.is_integer(chunk.type) or chunk.null_count:
            raise DatasetError(f"{file}: {name} has to hold whole numbers")
    try:
        return np.concatenate([np.empty(0, np.int32), *(chunk.cast(pa.int32()).to_numpy() for chunk in chunks)])
    except pa.ArrowInvalid as error:
        raise DatasetError(f"{file}: {name} has numbers that are too large") from error
