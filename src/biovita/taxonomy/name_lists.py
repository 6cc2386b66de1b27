"""Lists of names in, decisions out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from biovita.csv_records import not_decoded, open_text, text_lines
from biovita.csv_table import BrokenRow, check_not_all_broken, held_rows, open_csv
from biovita.errors import DatasetError
from biovita.files import require_file
from biovita.foreign_tables import Held
from biovita.table_kinds import TableKind, kind_of_table
from biovita.taxonomy.backbone_names import GIVEN
from biovita.text_encoding import encoding_of
from biovita.written_table import write_one_table

__all__ = ["NameList", "names_listed", "names_of_lines", "read_names", "write_decisions"]

_NAME = ("name", "scientific_name", "scientificname")
_SHOWN = 20  # of the rows that cannot be read


@dataclass(frozen=True)
class NameList:
    """The names in a table, as `match.match_names` takes them; the rows that cannot be read; and how it was read.

    Attributes
    ----------
    skipped
        Rows of empty cells alone.
    """

    names: pa.Table
    rejected: tuple[BrokenRow, ...]
    skipped: int
    notes: tuple[str, ...]


def read_names(path: str | Path) -> NameList:
    """Return the names in a table: text or a workbook.

    The name's column is called ``name``, ``scientific_name`` or ``scientificName``; ``kingdom``, ``class``, ``order``
    and ``family`` are read where they are there, other columns are not. Rows may end early.

    Raises
    ------
    DatasetError
        Where there is no such file or column, it is no table, or no row of it can be read.
    """
    path = Path(path)
    require_file(path, "Give a CSV or tab-separated file of names")
    header = {column.lower(): column for column in reversed(open_csv(path, ()).ignored)}
    named = [column for column in header.values() if column.lower() in _NAME]
    if not named:
        raise DatasetError(
            f"{path} has no column {', '.join(_NAME[:2])} or scientificName. Its columns are {', '.join(header)[:300]}"
        )
    own = {"name": named[-1], **{rank: header[rank] for rank in GIVEN if rank in header}}
    table = open_csv(path, tuple(own), tuple(own), columns=own, strict=False, short_rows=True)
    columns: dict[str, list[str | None]] = {column: [] for column in own}
    rejected = []
    for row in held_rows(table):
        if isinstance(row, BrokenRow):
            rejected.append(row)
            continue
        for column, values in columns.items():
            values.append(row.values[column])
    check_not_all_broken(path, columns["name"], rejected)
    names = pa.table({column: pa.array(values, pa.string()) for column, values in columns.items()})
    return NameList(names, tuple(rejected), table.skipped, table.notes)


def names_listed(path: str | Path) -> list[str]:
    """Return the names in a list: the name's column of a table as `read_names` finds it, or else a line each.

    Empty lines and those that begin with ``#`` are passed over, and so are names that are there already.

    Raises
    ------
    DatasetError
        Where there is no such file, it is a workbook, a ``.csv`` or ``.tsv`` of several columns and none of names, it
        holds no name, or a row cannot be read.
    """
    path = Path(path)
    require_file(path, "Give a file of names, one a line, or a table with a column of names")
    if kind_of_table(path) is TableKind.WORKBOOK or _is_table(path):
        listed = read_names(path)
        if listed.rejected:
            faults = [f"line {row.line}: {row.detail}" for row in listed.rejected[:_SHOWN]]
            more = [f"and {len(listed.rejected) - _SHOWN} more"] if len(listed.rejected) > _SHOWN else []
            raise DatasetError(f"{path} cannot be used:\n  " + "\n  ".join([*faults, *more]))
        names = [name for name in listed.names["name"].to_pylist() if name]
    else:
        names = names_of_lines(path)
    if not names:
        raise DatasetError(f"{path} holds no name. Write one a line")
    return list(dict.fromkeys(names))


def _is_table(path: Path) -> bool:
    """Return whether a list of names is a table with a column of names, or says so by its ending."""
    with open_text(path, encoding_of(path)[0]) as stream:
        first = next(text_lines(stream), (1, ""))[1] or ""
    if not first.strip() or first.startswith("#"):
        return False
    header = open_csv(path, ()).ignored
    named = any(column.lower() in _NAME for column in header)
    return named or (len(header) > 1 and path.suffix.lower() in {".csv", ".tsv"})


def names_of_lines(path: Path) -> list[str]:
    """Return the lines of a file that are neither empty nor begin with ``#``.

    Raises
    ------
    DatasetError
        Where a line is too long or is not UTF-8, with its number.
    """
    names, held = [], Held(str(path))
    with open_text(path, encoding_of(path)[0]) as stream:
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
    write_one_table(decisions, Path(path))
