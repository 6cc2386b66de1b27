"""Lists of names in, decisions out."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from biovita.csv_records import not_decoded, open_text, text_lines
from biovita.csv_safe import safe_table
from biovita.csv_table import open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.files import replacing
from biovita.foreign_tables import Held
from biovita.taxonomy.backbone_names import GIVEN

__all__ = ["names_listed", "names_of_lines", "read_names", "write_decisions"]

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


def names_listed(path: str | Path) -> list[str]:
    """Return the names in a list: the name's column of a table as `read_names` finds it, or else a line each.

    Empty lines and those that begin with ``#`` are passed over, and so are names that are there already.

    Raises
    ------
    DatasetError
        Where there is no such file, it is a ``.csv`` or ``.tsv`` of several columns and none of names, it is not UTF-8,
        or it holds no name.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist. Give a file of names, one a line, or a table with a column of names"
        )
    with open_text(path) as stream:
        first = next(text_lines(stream), (1, ""))[1] or ""
    header = [] if not first.strip() or first.startswith("#") else open_csv(path, ()).ignored
    named = any(column.lower() in _NAME for column in header)
    if named or (len(header) > 1 and path.suffix.lower() in {".csv", ".tsv"}):
        names = [name for name in read_names(path)["name"].to_pylist() if name]
    else:
        names = names_of_lines(path)
    if not names:
        raise DatasetError(f"{path} holds no name. Write one a line")
    return list(dict.fromkeys(names))


def names_of_lines(path: Path) -> list[str]:
    """Return the lines of a file that are neither empty nor begin with ``#``.

    Raises
    ------
    DatasetError
        Where a line is too long or is not UTF-8, with its number.
    """
    names, held = [], Held(str(path))
    with open_text(path) as stream:
        for number, line in text_lines(stream):
            if line is None or not_decoded(line):
                what = "is too long" if line is None else "is not UTF-8"
                raise DatasetError(f"{path}, line {number}: {what}")
            held.add(100 + len(line))
            if (name := line.strip()) and not name.startswith("#"):
                names.append(name)
    return names


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
