"""How a text table is laid out: where its header is, what tells its cells apart, how wide its rows are."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from biovita.csv_records import DELIMITERS, Dialect, Record, not_decoded, open_text, records, text_lines
from biovita.errors import DatasetError
from biovita.foreign_tables import MAX_COLUMNS, row_limit
from biovita.limits import limit

__all__ = ["Layout", "clean_header", "layout_of"]

_SEPARATOR = re.compile(r'\ufeff?"?sep=(.)"?[,;\t|]*', re.IGNORECASE)
_ALL_QUOTED = re.compile(r'"[^"]*"(?: "[^"]*")+ *')  # as R's write.table writes a header
_LOOKED_AT = 200  # lines
_CHARACTERS = 1 << 18  # of them together
_HEADER_LINES = 10
_PREAMBLE = 20  # lines before the header
_Lines = list[tuple[int, str | None]]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a text table is laid out.

    Attributes
    ----------
    header
        The names of its columns.
    line, body
        The line that the header begins in, and how many lines there are before the rows.
    width
        How many cells a row may have.
    lead
        How many cells of a row stand before the first that the header names.
    notes
        What is odd of it.
    """

    header: tuple[str, ...]
    line: int
    body: int
    dialect: Dialect
    width: range
    lead: int = 0
    notes: tuple[str, ...] = ()


def layout_of(
    path: Path,
    encoding: str,
    *,
    delimiters: Sequence[str] | None = None,
    wanted: Sequence[str] = (),
    strict: bool = True,
    short_rows: bool = False,
) -> Layout:
    """Return the layout of a table, of which some hundred lines are looked at.

    The header is the first line that is not empty; where that lacks a wanted column, the first within twenty lines that
    has them all. A line such as ``sep=;`` before it, as Excel writes it, names the delimiter.

    Parameters
    ----------
    delimiters
        What may tell cells apart; None is comma, semicolon, tab, bar, and spaces where every name is quoted.
    wanted
        Columns that the header should have.

    Raises
    ------
    DatasetError
        Where there is no header, or it is no text, too long, or no CSV under any of the delimiters.
    """
    with open_text(path, encoding) as stream:
        lines = _first_lines(text_lines(stream))
    at, named = 0, _SEPARATOR.fullmatch(lines[0][1] or "") if lines else None
    if named is not None:
        at, delimiters = 1, (named[1],)
    while at < len(lines) and (text := lines[at][1]) is not None and not text.strip(" \t,;|\f\v\xa0\ufeff\0"):
        at += 1
    if at == len(lines):
        raise DatasetError(f"{path} is empty. Its first line has to name the columns")
    layout = _at(path, lines[at:], delimiters, wanted, strict)
    if not set(wanted) <= set(layout.header):
        layout = _further_down(path, lines[at + 1 :], delimiters, wanted, strict) or layout
    return _widths(layout, lines, short_rows=short_rows)


def clean_header(names: Sequence[str]) -> tuple[str, ...]:
    r"""Return the names of columns without space and marks around them, each in one line.

    Examples
    --------
    >>> clean_header(["file ", "Notes\n(free)"])
    ('file', 'Notes (free)')
    """
    return tuple(re.sub(r"\s*\n\s*", " ", name.strip("\ufeff \t\r\n\f\v\xa0\u200b")).strip() for name in names)


def _first_lines(lines: Iterator[tuple[int, str | None]]) -> _Lines:
    held, size = [], 0
    for number, line in islice(lines, _LOOKED_AT):
        held.append((number, line))
        size += len(line or "")
        if size > _CHARACTERS:
            break
    return held


def _at(
    path: Path, lines: _Lines, delimiters: Sequence[str] | None, wanted: Sequence[str], strict: bool
) -> Layout:
    """Return the layout of a table whose header begins in the first of these lines."""
    number, line = lines[0]
    tried = tuple(delimiters or DELIMITERS)
    if line is None or max(map(line.count, tried)) >= MAX_COLUMNS:
        raise DatasetError(
            f"{path}, line {number}: is too long, or has too many columns. At most {MAX_COLUMNS:,} columns are accepted"
        )
    if not_decoded(line):
        raise DatasetError(f"{path}, line {number}: is not text in UTF-8. Save the table as UTF-8")
    found = [made for made in (_under(lines, each, strict) for each in tried) if made is not None]
    if delimiters is None and all(len(made.header) == 1 for made in found) and _ALL_QUOTED.fullmatch(line):
        found += [made for made in (_under(lines, " ", strict),) if made is not None]
    if not found:
        raise DatasetError(f"{path}, line {number}: the column names cannot be read: a quote is not closed")
    several = sum(len(made.header) > 1 for made in found) > 1

    def rank(made: Layout) -> tuple[int, float, int]:
        fit = _agreement(made, lines) if several and len(made.header) > 1 else 0.0
        return len(set(wanted) & set(made.header)), fit, len(made.header)

    return max(found, key=rank)


def _under(lines: _Lines, delimiter: str, strict: bool) -> Layout | None:
    """Return the layout under a delimiter; None where the header is no CSV then."""
    number, line = lines[0]
    dialect = Dialect(delimiter, strict=strict)
    csv.field_size_limit(limit("cell"))
    try:
        cells, used = next(csv.reader([line or ""], delimiter=delimiter, strict=True)), 1
    except csv.Error:
        first = next(records(iter(lines), replace(dialect, strict=True, most_lines=_HEADER_LINES)), None)
        if not isinstance(first, Record):
            return None
        cells, used = first.cells, first.lines
    header = clean_header(cells)
    return Layout(header, number, number + used - 1, dialect, range(1, len(header) + 1))


def _further_down(
    path: Path, lines: _Lines, delimiters: Sequence[str] | None, wanted: Sequence[str], strict: bool
) -> Layout | None:
    """Return the layout whose header is the first of these lines with all wanted columns."""
    for at, (number, line) in enumerate(lines[:_PREAMBLE]):
        if line is None or not_decoded(line) or not all(name in line for name in wanted):
            continue
        try:
            layout = _at(path, lines[at:], delimiters, wanted, strict)
        except DatasetError:
            continue
        if set(wanted) <= set(layout.header):
            note = f"its columns are named in line {number}; what stands above was not read"
            return replace(layout, notes=(note,))
    return None


def _sample(layout: Layout, lines: _Lines) -> list[list[str]]:
    """Return the cells of the rows among the lines, the last of which may be cut."""
    body = [(number, line) for number, line in lines if number > layout.body]
    if len(lines) == _LOOKED_AT or sum(len(line or "") for _, line in lines) > min(_CHARACTERS, row_limit()):
        body = body[:-1] or body
    rows = (row.cells for row in records(iter(body), layout.dialect) if isinstance(row, Record))
    return [cells for cells in rows if any(map(str.strip, cells))]


def _agreement(layout: Layout, lines: _Lines) -> float:
    """Return the share of rows that are as wide as the header, or have the names of rows before that."""
    rows = _sample(layout, lines)
    width = len(layout.header)
    return sum(len(cells) in {width, width + 1} for cells in rows) / len(rows) if rows else 0.0


def _widths(layout: Layout, lines: _Lines, *, short_rows: bool) -> Layout:
    """Return a layout with the width of its rows, and whether they begin with names that the header lacks."""
    header, rows = layout.header, _sample(layout, lines)
    most, named = len(header), len(header)
    while named > 1 and not header[named - 1]:
        named -= 1  # a delimiter at the end of the header, which rows may lack
    notes = list(layout.notes)
    lead = int(_have_names(layout, rows, next(line or "" for number, line in lines if number == layout.line)))
    if lead:
        notes.append(
            "its rows have one cell more than the header, their names as R writes them, which was not read"
        )
    for place, name in enumerate(header):
        if not name and any(len(cells) > place + lead and cells[place + lead].strip() for cells in rows):
            notes.append(f"its column {place + 1} has no name, and was not read")
    least = 1 if short_rows else named + lead
    return replace(layout, width=range(least, most + lead + 1), lead=lead, notes=tuple(notes))


def _have_names(layout: Layout, rows: Sequence[Sequence[str]], line: str) -> bool:
    """Return whether all rows have one cell more than the header, and the first of it is the name of the row.

    R numbers rows unless told otherwise, and encloses their names and the header in quotes. Under commas and without
    quotes it may as well be a decimal comma that makes the cell.
    """
    if not rows or any(len(cells) != len(layout.header) + 1 for cells in rows):
        return False
    first = [cells[0].strip() for cells in rows]
    if len(set(first)) < len(first) or not all(first) or not any(cells[-1].strip() for cells in rows):
        return False
    is_quoted = line.startswith('"') and line.rstrip().endswith('"')
    if all(name.isascii() and name.isdigit() for name in first):
        return is_quoted or layout.dialect.delimiter != ","
    return is_quoted and len(first) > 1
