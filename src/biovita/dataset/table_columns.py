"""A dataset's tables read by column and by batch: what is not asked for is not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.errors import DatasetError
from biovita.files import open_regular
from biovita.parquet import parquet_batches

__all__ = ["loose", "named_columns", "rows_of", "table_batches"]


def named_columns(schema: pa.Schema, columns: Sequence[str], where: pc.Expression | None) -> list[str]:
    """Return the columns to read for some columns and a condition, which names those that it is about in its text."""
    words = set() if where is None else set(re.findall(r"\w+", str(where)))
    return [name for name in schema.names if name in columns or name in words]


def loose(schema: pa.Schema) -> pa.Schema:
    """Return a schema that allows empty values in every column."""
    return pa.schema([field.with_nullable(nullable=True) for field in schema])


def table_batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield columns of one of a dataset's tables as ``schema`` has them; none where there is no such file.

    Raises
    ------
    DatasetError
        Where the file is not Parquet, lacks a column, or holds in one what the schema does not allow.
    """
    if not file.is_file():
        return
    for batch in parquet_batches(file, loose(schema)):
        try:
            yield batch.cast(schema)
        except (ValueError, pa.ArrowNotImplementedError) as error:  # ArrowInvalid is a ValueError
            raise DatasetError(f"{file} is not in the expected form: {error}") from error


def rows_of(file: Path) -> int:
    """Return how many rows a Parquet file has, of which only the end is read; none where there is no such file.

    Raises
    ------
    DatasetError
        Where it is not Parquet.
    """
    if not file.is_file():
        return 0
    try:
        with open_regular(file) as raw:
            return int(pq.read_metadata(raw).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file} cannot be read as Parquet: {error}") from error
