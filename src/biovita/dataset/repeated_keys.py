"""Texts of a whole table compared in bounded memory: their order, and keys that occur more than once.

Few rows are held and compared by Arrow. Many are compared by DuckDB, which keeps on disk what is more than the memory
that may be used.
"""
# ruff: noqa: S608 - what is put into SQL are names of columns, quoted by `identifier`

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.limits import memory_mib
from biovita.sql import identifier, sql_text

if TYPE_CHECKING:
    import duckdb

__all__ = ["later_places", "ranked", "repeated"]

_ROW_BYTES = 1024  # that Arrow may take for a row while it compares
_AT_ONCE = 1 << 16  # rows


def ranked(texts: Iterable[pa.Array], number: int) -> tuple[np.ndarray, int]:
    """Return the place of each text among the different ones in the order of their characters, and how many those are.

    Parameters
    ----------
    texts
        Of type `string`; none is null.
    number
        How many there are, as far as it is known: it decides how they are compared.

    Returns
    -------
    tuple
        ``(texts,)``, int64, and the number of different texts.
    """
    if not _are_many(number):
        column = pa.chunked_array(texts, pa.string()).combine_chunks().dictionary_encode()
        order = pc.sort_indices(column.dictionary).to_numpy()
        places = np.empty(len(order), np.int64)
        places[order] = np.arange(len(order))
        return places[column.indices.to_numpy()], len(order)
    with _loaded(_numbered(pa.RecordBatch.from_arrays([each], ["text"]) for each in texts)) as connection:
        connection.execute(
            "create table ranks as select text, row_number() over (order by text) - 1 as rank "
            "from (select distinct text from loaded)"
        )
        found = connection.sql("select rank from loaded join ranks using (text) order by place").to_arrow_reader(
            _AT_ONCE
        )
        parts = [batch.column(0).to_numpy() for batch in found]
        (different,) = connection.sql("select count(*) from ranks").fetchall()[0]
        return np.concatenate(parts) if parts else np.empty(0, np.int64), different


def repeated(
    batches: Iterable[pa.RecordBatch], keys: Sequence[str], number: int, *, value: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows whose keys occur more than once; those with a null key are left out.

    Parameters
    ----------
    batches
        With the columns ``keys``, and ``value`` where that is given.
    number
        How many rows there are, as far as it is known: it decides how they are compared.
    value
        Of the rows that have the same keys and the same value, only the first counts.

    Yields
    ------
    pyarrow.RecordBatch
        The columns of ``batches``, ``place`` (its number, int64) and ``first_place`` (that of the first row with its
        keys), in the order of ``first_place`` and ``place``.
    """
    columns = [*keys, *([] if value is None else [value])]
    rows = _with_keys(_numbered(batch.select(columns) for batch in batches), keys)
    if not _are_many(number):
        yield from _held_together(list(rows), keys, value)
        return
    with _loaded(rows) as connection:
        key, each = (", ".join(map(identifier, names)) for names in (keys, columns))
        if value is not None:
            connection.execute(
                f"create table once as select {each}, min(place) as place from loaded group by {each}"
            )
        source = "loaded" if value is None else "once"
        connection.execute(
            f"create table twice as select {key}, min(place) as first_place from {source} "
            f"group by {key} having count(*) > 1"
        )
        yield from connection.sql(
            f"select {each}, place, first_place from {source} join twice using ({key}) order by first_place, place"
        ).to_arrow_reader(_AT_ONCE)


def later_places(batches: Iterable[pa.RecordBatch], keys: Sequence[str], number: int) -> np.ndarray:
    """Return the numbers of the rows whose keys occurred before, ascending, int64; of `repeated`."""
    later = [
        batch.column("place").filter(pc.greater(batch.column("place"), batch.column("first_place"))).to_numpy()
        for batch in repeated(batches, keys, number)
    ]
    return np.sort(np.concatenate([np.empty(0, np.int64), *later]))


def _held_together(
    batches: Sequence[pa.RecordBatch], keys: Sequence[str], value: str | None
) -> list[pa.RecordBatch]:
    if not batches:
        return []
    rows = pa.Table.from_batches(batches)
    if value is not None:
        first = rows.group_by([*keys, value], use_threads=False).aggregate([("place", "min")])
        rows = first.rename_columns([*keys, value, "place"])
    groups = rows.group_by(list(keys), use_threads=False).aggregate([("place", "min"), ("place", "max")])
    twice = groups.filter(pc.field("place_min") < pc.field("place_max")).drop_columns("place_max")
    if not twice.num_rows:
        return []
    twice = twice.rename_columns([*keys, "first_place"])
    found = rows.join(twice, list(keys), join_type="inner", use_threads=False)
    return list(found.sort_by([("first_place", "ascending"), ("place", "ascending")]).to_batches())


def _are_many(number: int) -> bool:
    return number * _ROW_BYTES > memory_mib() << 20


def _with_keys(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for key in keys:
            if batch.column(key).null_count:
                batch = batch.filter(batch.column(key).is_valid())
        yield batch


def _numbered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield rows with their number in the column ``place``."""
    start = 0
    for batch in batches:
        numbers = np.arange(start, start + batch.num_rows)
        yield pa.RecordBatch.from_arrays([*batch.columns, pa.array(numbers)], [*batch.schema.names, "place"])
        start += batch.num_rows


@contextmanager
def _loaded(batches: Iterable[pa.RecordBatch]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with rows in the table ``loaded``, in a folder that is there for the block."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="biovita-rows-") as folder, duckdb.connect() as connection:
        connection.execute(
            f"set memory_limit = '{memory_mib()}MiB'; set temp_directory = {sql_text(Path(folder))}; "
            "set preserve_insertion_order = false; set enable_progress_bar = false"
        )
        for number, batch in enumerate(batches):
            connection.register("batch", batch)
            into = "insert into loaded" if number else "create table loaded as"
            connection.execute(f"{into} select * from batch")
        yield connection
