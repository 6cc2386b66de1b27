"""A table as a file of its own: Parquet or CSV, by the file's name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from biovita.csv_safe import safe_table
from biovita.files import replacing, require_writable

__all__ = ["write_one_table"]


def write_one_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, or as CSV where the file's name ends so; the file appears whole or not at all.

    In CSV the texts of a list stand in one cell, apart by ``; ``.

    Raises
    ------
    DatasetError
        Where the name has another ending, or nothing can be written there.
    """
    require_writable(path, ".parquet", ".csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        if path.suffix == ".csv":
            pacsv.write_csv(safe_table(_flat(table)), scratch)
        else:
            pq.write_table(table, scratch.absolute(), compression="zstd")


def _flat(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            table = table.set_column(place, field.name, pc.binary_join(table[field.name], "; "))
    return table
