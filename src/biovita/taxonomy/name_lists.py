"""Lists of names in, decisions out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from biovita.csv_safe import plain_cell, safe_table
from biovita.errors import DatasetError
from biovita.files import replacing
from biovita.foreign_tables import read_rows
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
        raise DatasetError(f"{path} does not exist: names are read from a CSV or tab-separated file")
    rows = read_rows(path, delimiter=None)
    header = [column.strip().lower() for column in next(rows, (1, []))[1]]
    named = [column for column in header if column in _NAME]
    if not named:
        raise DatasetError(
            f"{path}: no column {', '.join(_NAME[:2])} or scientificName; it has {', '.join(header)[:300]}"
        )
    places = {"name": header.index(named[0]), **{rank: header.index(rank) for rank in GIVEN if rank in header}}
    columns: dict[str, list[str | None]] = {column: [] for column in places}
    for line, row in rows:
        if len(row) != len(header):
            if not row:
                continue
            raise DatasetError(f"{path}, row {line}: {len(row)} fields, the header has {len(header)}")
        for column, place in places.items():
            columns[column].append(plain_cell(row[place]).strip() or None)
    return pa.table({column: pa.array(values, pa.string()) for column, values in columns.items()})


def write_decisions(decisions: pa.Table, path: str | Path) -> None:
    """Write decisions as Parquet, or as CSV where the file's name ends so; the file appears whole or not at all."""
    path = Path(path)
    if path.suffix not in {".parquet", ".csv"}:
        raise DatasetError(f"{path}: decisions are written as .parquet or .csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as scratch:
        if path.suffix == ".csv":
            pacsv.write_csv(safe_table(decisions), scratch)
        else:
            pq.write_table(decisions, scratch.absolute(), compression="zstd")
