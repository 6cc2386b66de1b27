"""Lists of names in, decisions out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from biovita.csv_safe import safe_table
from biovita.csv_table import open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.files import replacing
from biovita.taxonomy.backbone_names import GIVEN

__all__ = ["read_names", "write_decisions"]

_NAME = ("name", "scientific_name", "scientificname")


def read_names(path: str | Path) -> pa.Table:
    """Return the names in a CSV or tab-separated file, as `match.match_names` takes them.

    The name's column is called ``name``, ``scientific_name`` or ``scientificName``; ``kingdom``, ``class``, ``order``
    and ``family`` are read where they are there, other columns are not.

    Raises
    ------
    DatasetError
        Where there is no such file or column, a row has more or fewer fields than the header, or it is not UTF-8.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"{path} does not exist. Give a CSV or tab-separated file of names")
    header = {column.lower(): column for column in reversed(open_csv(path, ()).ignored)}
    named = [column for column in header.values() if column.lower() in _NAME]
    if not named:
        raise DatasetError(
            f"{path} has no column {', '.join(_NAME[:2])} or scientificName. Its columns are {', '.join(header)[:300]}"
        )
    own = {"name": named[-1], **{rank: header[rank] for rank in GIVEN if rank in header}}
    table = open_csv(path, tuple(own), columns=own, strict=False)
    columns: dict[str, list[str | None]] = {column: [] for column in own}
    for row in sound_rows(table):
        for column, values in columns.items():
            values.append(row.values[column])
    return pa.table({column: pa.array(values, pa.string()) for column, values in columns.items()})


def write_decisions(decisions: pa.Table, path: str | Path) -> None:
    """Write decisions as Parquet, or as CSV where the file's name ends so; the file appears whole or not at all."""
    path = Path(path)
    if path.suffix not in {".parquet", ".csv"}:
        raise DatasetError(f"{path}: give a file whose name ends in .parquet or .csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        if path.suffix == ".csv":
            pacsv.write_csv(safe_table(decisions), scratch)
        else:
            pq.write_table(decisions, scratch.absolute(), compression="zstd")
