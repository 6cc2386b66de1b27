"""Lance tables of others: opened where they lie whole, and columns of them read within the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from biovita.foreign_tables import Held
from biovita.limits import limit, over

if TYPE_CHECKING:
    import lance

__all__ = ["column_batches", "no_panic", "open_lance", "read_columns", "take_vectors"]

_ROWS = 1024
_TOGETHER, _LARGE = 64, 1 << 20  # batches that are handed out as one, and bytes of one that is large
_VECTORS = 4096  # in memory at once beside those that are taken
_LITTLE_AHEAD = {"batch_readahead": 2, "fragment_readahead": 1}  # what is read ahead lies in memory twice


@contextmanager
def no_panic() -> Iterator[None]:
    """Make a ValueError of a panic of Lance, which damaged files cause, and which is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"it is damaged: {error}") from None


def open_lance(place: str, options: Mapping[str, str] | None = None) -> lance.LanceDataset:
    """Return the Lance table at a place.

    Raises
    ------
    OSError, ValueError
        Of Lance, where there is none; also where its files lie elsewhere, for a table may name any address.
    """
    import lance

    with no_panic():
        table = lance.dataset(place, storage_options=None if options is None else dict(options))
        if elsewhere := [each.path for each in table.base_paths().values()]:
            raise ValueError(f"it leads to other places: {', '.join(elsewhere)}")
    return table


def read_columns(table: lance.LanceDataset, where: str, schema: pa.Schema) -> pa.Table:
    """Return columns of a Lance table as ``schema`` has them.

    Raises
    ------
    ValueError
        As `column_batches`, and where they take more than the memory.
    """
    held, kept = Held(where), []
    for batch in column_batches(table, schema):
        held.add(batch.nbytes)
        kept.append(batch)
    return pa.Table.from_batches(kept, schema)


def column_batches(table: lance.LanceDataset, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield columns of a Lance table as ``schema`` has them, some rows at a time, in its order.

    Raises
    ------
    ValueError
        Where a column is missing, of another type or not UTF-8, or there are more rows than the limit.
    """
    if lacking := [name for name in schema.names if name not in table.schema.names]:
        raise ValueError(f"it lacks the column(s) {', '.join(lacking)}")
    for field in schema:
        kind = table.schema.field(field.name).type
        if kind != field.type and not (pa.types.is_large_string(kind) and pa.types.is_string(field.type)):
            raise ValueError(f"its column {field.name} is of {str(kind)[:60]}, and not of {field.type}")
    with no_panic():
        if (rows := table.count_rows()) > limit("rows"):
            raise ValueError(f"it has {rows:,} rows; {over('rows')}")
        waiting: list[pa.RecordBatch] = []
        for batch in table.to_batches(columns=schema.names, batch_size=_ROWS, batch_readahead=1):
            waiting.append(batch)
            if len(waiting) == _TOGETHER or batch.nbytes > _LARGE:
                yield _sound(waiting, schema)
                waiting = []
        if waiting:
            yield _sound(waiting, schema)


def _sound(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    found = pa.concat_batches(batches).select(schema.names).cast(schema)
    found.validate(full=True)
    return found


def take_vectors(table: lance.LanceDataset, numbers: np.ndarray, *, rows: int, dim: int) -> np.ndarray:
    """Return the vectors of rows by their numbers, ``(len(numbers), dim)``, float32, in the order asked for.

    Of a quarter of the rows or more, the whole column is read once in its order.

    Parameters
    ----------
    rows
        How many the table has.

    Raises
    ------
    OSError, ValueError
        Where a vector is missing or of another length, or the table is damaged.
    """
    taken = np.empty((len(numbers), dim), np.float32)
    with no_panic():
        if 4 * len(numbers) >= rows:
            _scan(table, numbers, taken, rows)
            return taken
        for start in range(0, len(numbers), _VECTORS):
            found = table.take(numbers[start : start + _VECTORS].tolist(), columns=["vector"])
            for batch in found.to_batches():
                taken[start : start + len(batch)] = _matrix(batch, dim)
                start += len(batch)
    return taken


def _scan(table: lance.LanceDataset, numbers: np.ndarray, taken: np.ndarray, rows: int) -> None:
    """Fill ``taken`` reading the vectors of all rows once, in their order."""
    order = np.argsort(numbers, kind="stable")
    ordered, before, at = numbers[order], 0, 0
    for batch in table.to_batches(columns=["vector"], batch_size=_VECTORS, **_LITTLE_AHEAD):
        end = at + int(np.searchsorted(ordered[at:], before + len(batch)))
        taken[order[at:end]] = _matrix(batch, taken.shape[1])[ordered[at:end] - before]
        before, at = before + len(batch), end
    if at < len(numbers):
        raise ValueError(f"it has {before} rows, and states {rows}")


def _matrix(batch: pa.RecordBatch, dim: int) -> np.ndarray:
    vectors = batch.column("vector")
    vectors.validate(full=True)
    if vectors.null_count:
        raise ValueError("vectors are missing")
    flat: np.ndarray = vectors.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(batch), dim)
