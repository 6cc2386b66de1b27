"""Parquet files of others, read as long as what they hold is in proportion to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from biovita.errors import BiovitaError
from biovita.limits import limit, memory_mib, over

if TYPE_CHECKING:
    from pyarrow import parquet

__all__ = ["gathered", "read_parquet"]

_AT_ONCE = 1024  # rows of a table
_LESS_THAN_TWENTY = 20  # times a file's size that its rows may take, where that is more than the memory


def read_parquet(file: Path, columns: list[str]) -> pa.Table:
    """Return columns of a Parquet file, as long as what they hold is in proportion to the file.

    Raises
    ------
    BiovitaError
        Where it is none, lacks a column, or unpacks to more than the memory and twenty times its size.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            lacking = [name for name in columns if name not in opened.schema_arrow.names]
            if lacking:
                raise BiovitaError(f"{file}: lacks the column(s) {', '.join(lacking)}")
            if opened.metadata.num_rows > limit("rows"):
                raise BiovitaError(f"{file}: has {opened.metadata.num_rows:,} rows; {over('rows')}")
            schema = pa.schema([opened.schema_arrow.field(name) for name in columns])
            return gathered(_batches(opened, columns), schema, file, file.stat().st_size)
    except (pa.ArrowException, OSError, LookupError, TypeError) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:200]
        raise BiovitaError(f"{file}: cannot be read as Parquet: {reason}") from error


def _batches(opened: parquet.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    yield from opened.iter_batches(_AT_ONCE, columns=columns, use_threads=False)


def gathered(batches: Iterable[pa.RecordBatch], schema: pa.Schema, where: Path, size: int) -> pa.Table:
    """Return batches as a table, as long as they are in proportion to a file of ``size`` bytes.

    Raises
    ------
    BiovitaError
        Where they take more than the memory and twenty times that size.
    """
    most = max(memory_mib() << 20, _LESS_THAN_TWENTY * size)
    kept, total = [], 0
    for batch in batches:
        total += batch.nbytes
        if total > most:
            raise BiovitaError(
                f"{where}: unpacks to more than {most >> 20:,} MiB, twenty times its size (--memory MIB accepts more)"
            )
        kept.append(batch)
    return pa.Table.from_batches(kept, schema)
