"""CSV tables as people have them: comma, semicolon or tab, a byte order mark, and rows that are broken."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biovita.errors import DatasetError, unknown_name

__all__ = ["BrokenRow", "CsvTable", "Row", "check_columns", "read_csv"]

_DELIMITERS = (",", ";", "\t", "|")
_MAX_ROW_LINES = 200  # more in one row is a quote that nobody closed


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one row by field, without surrounding spaces; an empty cell is None."""

    line: int
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be read, and why: reason code and detail."""

    line: int
    reason: str
    detail: str


@dataclass(frozen=True)
class CsvTable:
    """A CSV file: the fields it has, the column of each, columns nobody asked for, and its rows."""

    path: Path
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    rows: tuple[Row | BrokenRow, ...]


def check_columns(columns: Mapping[str, str], fields: Sequence[str]) -> None:
    """Refuse a column mapping that names a field which does not exist.

    Raises
    ------
    DatasetError
        With the known fields.
    """
    for field in columns:
        if field not in fields:
            raise DatasetError(f"--column {field}={columns[field]}: {unknown_name('field', field, fields)}")


def read_csv(path: Path, fields: Sequence[str], required: Sequence[str], columns: Mapping[str, str]) -> CsvTable:
    """Read a UTF-8 CSV file whose first line names its columns.

    Parameters
    ----------
    fields
        What may be read; other columns are listed in ``ignored``.
    required
        The fields without which the table is of no use.
    columns
        From a field to the column that holds it, where their names differ. A table without that column is read by
        the field's own name.

    Raises
    ------
    DatasetError
        Where the file is not text in UTF-8, is empty, lacks a required column or has one twice.
    """
    lines = _lines(path)
    delimiter, header = _header(path, lines[0], {columns.get(field, field) for field in required})
    found = {}
    for field in fields:
        name = columns[field] if columns.get(field) in header else field
        if name in header:
            found[field] = name
        elif field in required:
            raise DatasetError(_missing_column(path, columns.get(field, field), field, header))
    for name in found.values():
        if header.count(name) > 1:
            raise DatasetError(f"{path}, line 1: the column {name!r} is there {header.count(name)} times")
    ignored = tuple(name for name in header if name not in found.values())
    index = {field: header.index(name) for field, name in found.items()}
    rows = tuple(_rows(lines, delimiter, len(header), index))
    return CsvTable(path, found, ignored, rows)


def _lines(path: Path) -> list[str]:
    data = path.read_bytes()
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise DatasetError(f"{path} is text in UTF-16; save it as UTF-8")
    # A byte that is not UTF-8 becomes a surrogate, which `_rows` finds in the row that has it.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[0].strip():
        raise DatasetError(f"{path} is empty: its first line names the columns")
    if _not_utf8(lines[0]):
        raise DatasetError(f"{path}, line 1: is not text in UTF-8. Save the table as UTF-8")
    return lines


def _header(path: Path, line: str, required: set[str]) -> tuple[str, list[str]]:
    """Return the delimiter under which the header has most of the required columns, then most columns."""
    best = None
    for delimiter in _DELIMITERS:
        try:
            header = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))]
        except csv.Error:
            continue
        rank = (len(required & set(header)), len(header))
        if best is None or rank > best[0]:
            best = (rank, delimiter, header)
    if best is None:
        raise DatasetError(f"{path}, line 1: the column names cannot be read: a quote is not closed")
    return best[1], best[2]


def _missing_column(path: Path, name: str, field: str, header: list[str]) -> str:
    return (
        f"{path}, line 1: there is no column {name!r}. Columns: {', '.join(header)}. "
        f"If one of them is the {field}, say so with --column {field}=COLUMN"
    )


def _rows(lines: list[str], delimiter: str, width: int, index: Mapping[str, int]) -> Iterator[Row | BrokenRow]:
    at = 1
    while at < len(lines):
        if not lines[at].strip(" "):
            at += 1
            continue
        cells, used, error = _record(lines, at, delimiter)
        if error is None and len(cells) != width:
            error = f"has {len(cells)} fields, and the header has {width}"
        if error is None and any(_not_utf8(cell) for cell in cells):
            yield BrokenRow(at + 1, "not-utf8", "holds bytes that are not UTF-8. Save the table as UTF-8")
        elif error is None:
            yield Row(at + 1, {field: cells[place].strip() or None for field, place in index.items()})
        else:
            # Only this line is given up: a stray quote must not take the rows after it along.
            used = 1
            yield BrokenRow(at + 1, "bad-row", error)
        at += used


def _record(lines: list[str], at: int, delimiter: str) -> tuple[list[str], int, str | None]:
    """Return the cells of the record that begins at a line, the lines it takes, and what is wrong with it."""
    last = min(len(lines), at + _MAX_ROW_LINES)
    reader = csv.reader((lines[k] + "\n" for k in range(at, last)), delimiter=delimiter, strict=True)
    try:
        cells = next(reader)
    except csv.Error as error:
        text = str(error)
        return [], 1, "a quote is not closed" if "unexpected end" in text else f"cannot be read: {text}"
    return cells, reader.line_num, None


def _not_utf8(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text) if not text.isascii() else False
