"""Parquet files of others: read within the memory, as plain columns of the types that are wanted, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.errors import DatasetError
from biovita.files import open_regular
from biovita.foreign_tables import Held
from biovita.limits import limit, over

__all__ = ["gathered", "in_one_piece", "parquet_batches", "read_as_it_is", "read_parquet", "written_out"]

_ROWS = 1 << 16
_ROWS_OF_LISTS = 1024
_MOST_BYTES = (1 << 31) - 1  # of the texts of one array of `string`
_TIMES = 20  # the size of the file, which rows may take where that is more than the memory
# Each of its texts may repeat the one before: a few bytes make as many gigabytes as they like in one step.
_GROWING = "DELTA_BYTE_ARRAY"


def read_parquet(file: Path, schema: pa.Schema) -> pa.Table:
    """Return columns of a Parquet file as ``schema`` has them, all rows.

    Raises
    ------
    DatasetError
        Where it is not Parquet, lacks a column, or holds in one what cannot be of the type that is wanted or is not
        UTF-8; where it has more rows or longer cells than the limits, or takes more than the memory and twenty times
        its size.
    """
    held = Held(str(file), _TIMES * _size(file))
    return pa.Table.from_batches(list(_batches(file, schema, held)), schema)


def parquet_batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield some rows after the other, of a file that may be too large to be held.

    Raises
    ------
    DatasetError
        As `read_parquet`; what a batch takes is what has to fit.
    """
    yield from _batches(file, schema, None)


def read_as_it_is(file: Path, columns: Sequence[str]) -> pa.Table:
    """Return columns of a Parquet file with the types that they have, lists among them.

    Raises
    ------
    DatasetError
        Where it is none, lacks a column, has more rows than the limit, or unpacks to more than the memory and twenty
        times its size.
    """
    try:
        with open_regular(file) as raw, pq.ParquetFile(raw) as parquet:
            lacking = [name for name in columns if name not in parquet.schema_arrow.names]
            if lacking:
                raise DatasetError(f"{file}: lacks the column(s) {', '.join(lacking)}")
            if parquet.metadata.num_rows > limit("rows"):
                raise DatasetError(f"{file}: has {parquet.metadata.num_rows:,} rows; {over('rows')}")
            schema = pa.schema([parquet.schema_arrow.field(name) for name in columns])
            batches = parquet.iter_batches(_ROWS_OF_LISTS, columns=list(columns), use_threads=False)
            return gathered(batches, schema, file, _size(file))
    except (pa.ArrowException, OSError, LookupError, TypeError) as error:
        raise DatasetError(f"{file}: cannot be read as Parquet: {_first_line(error)}") from error


def gathered(batches: Iterable[pa.RecordBatch], schema: pa.Schema, where: Path, size: int) -> pa.Table:
    """Return batches as a table, as long as they are in proportion to a file of ``size`` bytes.

    Raises
    ------
    DatasetError
        Where they take more than the memory and twenty times that size.
    """
    held, kept = Held(str(where), _TIMES * size), []
    for batch in batches:
        held.add(batch.nbytes)
        kept.append(batch)
    return pa.Table.from_batches(kept, schema)


def in_one_piece(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array; texts of 2 GiB and more, which `string` cannot hold together, as `large_string`."""
    if pa.types.is_string(column.type) and column.nbytes > _MOST_BYTES:
        column = column.cast(pa.large_string())
    return column.combine_chunks()


def written_out(column: pa.Array) -> int:
    """Return how many bytes a column takes when each row has its own value."""
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return int(column.nbytes)
    texts = pc.sum(pc.binary_length(column.dictionary).take(column.indices)).as_py() or 0
    return int(texts + column.indices.nbytes)


def _batches(file: Path, schema: pa.Schema, held: Held | None) -> Iterator[pa.RecordBatch]:
    texts = [field.name for field in schema if _is_text(field.type)]
    try:
        # Opened here: pyarrow would take the relative paths s3:bucket and file:x for addresses, and expand ~.
        with open_regular(file) as raw, pq.ParquetFile(raw) as parquet:
            _check(file, parquet, schema)
        with open_regular(file) as raw, pq.ParquetFile(raw, read_dictionary=texts) as parquet:
            for batch in parquet.iter_batches(_ROWS, columns=schema.names, use_threads=False):
                (held or Held(str(file))).add(sum(map(written_out, batch.columns)))
                columns = [_plain(file, batch.column(field.name), field) for field in schema]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read as Parquet: {_first_line(error)}") from error


def _check(file: Path, parquet: pq.ParquetFile, schema: pa.Schema) -> None:
    """Raise a DatasetError for what would grow, or is not what is wanted, before anything of it is unpacked."""
    names = parquet.schema_arrow.names
    if missing := [name for name in schema.names if name not in names]:
        raise DatasetError(f"{file} lacks the column(s) {', '.join(missing)}")
    if twice := [name for name in schema.names if names.count(name) > 1]:
        raise DatasetError(f"{file} has the column(s) {', '.join(twice)} more than once")
    for name in schema.names:
        kind = parquet.schema_arrow.field(name).type
        if not _is_plain(kind):
            raise DatasetError(f"{file} is not in the expected form: the column {name} is of {str(kind)[:60]}")
    metadata = parquet.metadata
    if metadata.num_rows > limit("rows"):
        raise DatasetError(f"{file}: has {metadata.num_rows:,} rows; {over('rows')}")
    unpacked = Held(str(file), _TIMES * _size(file))
    for at in range(metadata.num_columns):
        name = metadata.schema.column(at).path
        for group in range(metadata.num_row_groups) if name in schema.names else ():
            column = metadata.row_group(group).column(at)
            if _GROWING in column.encodings:
                raise DatasetError(f"{file}: the column {name} is encoded as {_GROWING}, which is not read")
            unpacked.add(max(0, column.total_uncompressed_size))


def _plain(file: Path, column: pa.Array, field: pa.Field) -> pa.Array:
    try:
        if pa.types.is_dictionary(column.type):
            if _is_text(column.type.value_type):
                longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
                if longest > limit("cell"):
                    raise DatasetError(f"{file}: a cell of {field.name} is {longest:,} bytes long; {over('cell')}")
            column = column.dictionary_decode()
        plain = column.cast(field.type)
        plain.validate(full=True)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{file} is not in the expected form: the column {field.name}: {_first_line(error)}"
        ) from error
    return plain


def _is_text(kind: pa.DataType) -> bool:
    return any(
        holds(kind)
        for holds in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _is_text(kind) or any(
        holds(kind)
        for holds in (
            *(pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
            *(pa.types.is_temporal, pa.types.is_null),
        )
    )


def _size(file: Path) -> int:
    return file.stat().st_size


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0][:300]
