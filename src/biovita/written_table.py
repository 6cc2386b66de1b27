"""A table as a file of its own: Parquet or CSV, by the file's name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from biovita.csv_safe import safe_table
from biovita.files import replacing, require_writable

__all__ = ["write_one_table"]


def write_one_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, or as CSV where the file's name ends so; the file appears whole or not at all.

    Raises
    ------
    DatasetError
        Where the name has another ending, or nothing can be written there.
    """
    require_writable(path, ".parquet", ".csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        if path.suffix == ".csv":
            pacsv.write_csv(safe_table(table), scratch)
        else:
            pq.write_table(table, scratch.absolute(), compression="zstd")
