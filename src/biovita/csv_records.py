"""The records of a CSV file: lines in, cells out; of what is broken one line is lost, and no other.

Where a quote is not closed, only the line that opens it is given up: a stray quote does not take the rows after it
along. A line whose quotes are neither doubled nor escaped is read the one way in which it is as wide as it should be.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

from biovita.errors import DatasetError
from biovita.foreign_tables import MAX_COLUMNS, CountedBytes, open_bytes, row_limit
from biovita.limits import limit, over

__all__ = [
    "BrokenRow",
    "Dialect",
    "Record",
    "not_decoded",
    "open_text",
    "records",
    "split_header",
    "text_lines",
]

DELIMITERS = (",", ";", "\t", "|")
_TELLING = 3  # delimiters from which on lines of a text hardly ever have as many as records do
Lines = Iterator[tuple[int, str | None]]
_NOT_DECODED = re.compile("[\udc80-\udcff]")  # as `surrogateescape` writes such bytes


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table tells its cells apart.

    Attributes
    ----------
    quote
        What encloses cells that hold a delimiter or the end of a line; empty where nothing does.
    strict
        Whether text between a closing quote and the next delimiter is a fault.
    most_lines
        Lines of one record; a quote that goes on for more is not closed.
    """

    delimiter: str = ","
    quote: str = '"'
    strict: bool = True
    most_lines: int = 200


class Record(NamedTuple):
    """The cells of one row, and the line that it begins in.

    Attributes
    ----------
    lines
        How many lines it takes.
    mended
        Whether its quotes are not as CSV has them, and were understood all the same.
    """

    line: int
    cells: list[str]
    lines: int = 1
    mended: bool = False


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that cannot be read, and why: reason code and detail."""

    line: int
    reason: str
    detail: str


class _Fault(NamedTuple):
    reason: str
    detail: str


_OPEN = _Fault("not-csv", "a quote is not closed")
_WIDE_CODES = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def _as_surrogate(error: UnicodeError) -> tuple[str, int]:
    """Stand in for what is not of an encoding of wide characters, which `surrogateescape` cannot write."""
    assert isinstance(error, UnicodeDecodeError)
    return "\udc80", error.end


codecs.register_error("biovita-surrogate", _as_surrogate)


@contextmanager
def open_text(path: Path, encoding: str = "utf-8-sig") -> Iterator[TextIO]:
    """Open a table as text, unpacked where its name ends in ``.gz``; each end of a line becomes a newline.

    A byte that is not of the encoding becomes a surrogate (see `not_decoded`), which costs the row that has it. Of a
    text that begins with the mark of UTF-16 or UTF-32, which Excel writes as "Unicode text", the mark counts.

    Raises
    ------
    DatasetError
        Where there is no such file, it cannot be read, or it unpacks to more than it should.
    """
    with open_bytes(path) as (raw, meter):
        mark = raw.read(4)
        raw.seek(0)
        wide = next((name for bom, name in _WIDE_CODES.items() if mark.startswith(bom)), None)
        counted = raw if meter is None else cast(BinaryIO, CountedBytes(raw, meter))
        errors = "surrogateescape" if (wide or encoding)[:6] not in {"utf-16", "utf-32"} else "biovita-surrogate"
        yield io.TextIOWrapper(counted, encoding=wide or encoding, errors=errors)


def text_lines(stream: TextIO) -> Lines:
    """Yield numbered lines without their ends, the first is 1; None for one that is too long."""
    most, number = row_limit(), 0
    while line := stream.readline(most + 1):
        number += 1
        if len(line) <= most:
            yield number, line.removesuffix("\n")
            continue
        yield number, None if not line.endswith("\n") else line[:-1]
        while line and not line.endswith("\n"):
            line = stream.readline(most + 1)


def records(
    lines: Lines, dialect: Dialect, width: range | None = None, columns: int | None = None
) -> Iterator[Record | BrokenRow]:
    """Yield the records that lines hold, and what is broken among them; lines of nothing but spaces are passed over.

    Where a width is given, empty cells beyond it are left off, and a row of empty cells alone is made as wide.

    Parameters
    ----------
    lines
        Numbered, without their ends; None is a line that is too long.
    width
        How many cells a record may have; None is any number.
    columns
        How many cells most records have; None is the most that they may have. Lines that each have so many are records
        of their own, though a quote that another closes far below would make a single cell of them.
    """
    csv.field_size_limit(limit("cell"))
    reader = _Reader(lines, dialect, columns or (0 if width is None else width[-1]))
    for number, line in reader.firsts():
        if line is None:
            yield BrokenRow(number, "too-long", f"is longer than {row_limit():,} characters")
            continue
        if not line.strip(" "):
            continue
        cells, used, fault = reader.record(line)
        if fault is None and (width is None or len(cells) in width):
            if used:
                reader.take(used)
                yield Record(number, cells, used + 1)
            else:
                yield Record(number, cells)
            continue
        if fault is None and width is not None:
            fault = _Fault("not-as-described", f"has {len(cells)} fields, and the header has {width[-1]}")
            if (fitted := _fitted(cells, width[-1])) is not None:
                reader.take(used)
                yield Record(number, fitted, used + 1)
                continue
        mended = None if width is None else _mended(line, dialect)
        if width is not None and mended is not None and len(mended) in width:
            yield Record(number, mended, mended=True)
        elif fault is not None:
            yield BrokenRow(number, *fault)


def _fitted(cells: list[str], width: int) -> list[str] | None:
    """Return cells without the empty ones beyond a width, or as many empty ones; None where that would lose any."""
    if not any(map(str.strip, cells[width:])) and len(cells) > width:
        return cells[:width]
    return None if any(map(str.strip, cells)) else [""] * width


def _mended(line: str, dialect: Dialect) -> list[str] | None:
    """Return the cells of a line whose quotes are not doubled: a cell ends at a quote that a delimiter follows.

    Where a backslash stands before a quote, as R and MySQL write it, such a quote ends none.
    """
    quote, delimiter = dialect.quote, dialect.delimiter
    if not quote or quote not in line or len(line) > limit("cell"):
        return None
    sign, end = re.escape(quote), f"(?={re.escape(delimiter)}|$)"
    is_escaped = "\\" + quote in line
    inside = rf"((?:[^{sign}\\]++|\\.|\\$|{sign}{sign})*+)" if is_escaped else "(.*?)"
    enclosed = re.compile(f"{sign}{inside}{sign}{end}")
    cells, at = [], 0
    while True:
        if line.startswith(quote, at):
            found = enclosed.match(line, at)
            if found is None:
                return None
            cell, at = found[1].replace(quote * 2, quote), found.end()
            cells.append(cell.replace("\\" + quote, quote) if is_escaped else cell)
        else:
            stop = line.find(delimiter, at)
            stop = len(line) if stop < 0 else stop
            cells.append(line[at:stop])
            at = stop
        if at >= len(line):
            return cells
        at += len(delimiter)
        if at == len(line):
            return [*cells, ""]


class _Reader:
    """Takes records from lines; no line is searched for the end of a quote twice."""

    def __init__(self, lines: Lines, dialect: Dialect, columns: int) -> None:
        self._lines, self._dialect, self._most = lines, dialect, limit("cell")
        self._columns = columns
        quote = dialect.quote or '"'  # of no use where there is none: such lines are only split
        self._parsing, self._strictly = (
            csv.reader((), delimiter=dialect.delimiter[0], quotechar=quote, strict=strict).dialect
            for strict in (dialect.strict, True)
        )
        self._waiting: deque[tuple[int, str | None]] = deque()  # lines looked at already
        self._inside = 0  # how many of them end within the quote that was open before them
        self._faulty = 0  # after how many of them such a quote turns out to be wrong
        self._fault = _OPEN  # and how

    def firsts(self) -> Lines:
        """Yield the lines that records may begin with."""
        while True:
            while self._waiting:
                self._passed(1)
                yield self._waiting.popleft()
            line = next(self._lines, None)
            if line is None:
                return
            yield line

    def take(self, count: int) -> None:
        """Give up lines that belong to the record of the one before them."""
        for _ in range(count):
            self._waiting.popleft()
        self._passed(count)

    def _passed(self, count: int) -> None:
        self._inside = max(0, self._inside - count)
        self._faulty = max(0, self._faulty - count)

    def record(self, line: str) -> tuple[list[str], int, _Fault | None]:
        """Return the cells of the record that begins with a line, the lines after it that it takes, and its fault."""
        quote, delimiter = self._dialect.quote, self._dialect.delimiter
        if not quote or quote not in line:
            cells = line.split(delimiter)
            most = self._most
            return cells, 0, _long_cell() if len(line) > most and max(map(len, cells)) > most else None
        if self._dialect.strict or not ends_inside(line, quote, delimiter):
            cells, _, fault = self._parsed((line,))
            if fault is not _OPEN:
                return cells, 0, fault
        if self._faulty:
            return [], 0, self._fault
        used = self._closing(len(line))
        if not used:
            fault = self._parsed((line,))[2] if len(line) > self._most else None
            return [], 0, fault if fault is not None and fault.reason == "too-long" else _OPEN
        following = [text or "" for _, text in islice(self._waiting, used)]
        if self._are_records((line, *following)):
            return [], 0, _OPEN
        cells, read, fault = self._parsed([f"{text}\n" for text in (line, *following)])
        if fault is not None and fault.reason == "not-csv":
            self._faulty, self._fault = read - 1, fault
        return cells, used, fault

    def _are_records(self, lines: Sequence[str]) -> bool:
        apart = self._columns - 1
        return apart >= _TELLING and all(text.count(self._dialect.delimiter) == apart for text in lines)

    def _closing(self, size: int) -> int:
        """Return how many lines an open quote goes on for; 0 where it is not closed."""
        for at in range(self._inside, self._dialect.most_lines - 1):
            if at == len(self._waiting):
                following = next(self._lines, None)
                if following is None:
                    return 0
                self._waiting.append(following)
            text = self._waiting[at][1]
            size += len(text or "")
            if text is None or size > row_limit():
                return 0
            if not ends_inside(text, self._dialect.quote, self._dialect.delimiter, inside=True):
                return at + 1
            self._inside = at + 1
        return 0

    def _parsed(self, lines: Sequence[str]) -> tuple[list[str], int, _Fault | None]:
        # Of several lines, the last has to close the quote as CSV does: otherwise it was never meant to go on so far.
        reader = csv.reader(lines, self._parsing if len(lines) == 1 else self._strictly)
        try:
            return next(reader), reader.line_num, None
        except csv.Error as error:
            said = str(error)
            if "unexpected end" in said:
                return [], reader.line_num, _OPEN
            if "field limit" in said:
                return [], reader.line_num, _long_cell()
            return [], reader.line_num, _Fault("not-csv", f"cannot be read: {said}")


def _long_cell() -> _Fault:
    return _Fault("too-long", f"a cell is too long; {over('cell')}")


def ends_inside(text: str, quote: str, delimiter: str, *, inside: bool = False) -> bool:
    """Return whether a line ends in a field that is enclosed; a quote opens one only at the start of a field.

    Parameters
    ----------
    inside
        Whether it begins in one.
    """
    opening, at = delimiter + quote, 0
    while True:
        if not inside:
            if at == 0 and text.startswith(quote):
                at = 1
            else:
                at = text.find(opening, at)
                if at < 0:
                    return False
                at += len(opening)
        at = text.find(quote, at)
        if at < 0:
            return True
        at += 1
        inside = text.startswith(quote, at)  # doubled: it goes on
        at += inside


def split_header(
    line: str | None, where: str, delimiters: Sequence[str] = DELIMITERS, wanted: Sequence[str] = ()
) -> tuple[str, list[str]]:
    """Return the delimiter under which a header has most of the wanted columns, then most columns; and its columns.

    Parameters
    ----------
    line
        The first line of a table; None where it is too long.
    where
        What to call the table in an error.

    Raises
    ------
    DatasetError
        Where the line is empty, too long, not text, or no CSV under any of the delimiters.
    """
    if line is not None and not line.strip():
        raise DatasetError(f"{where} is empty. Its first line has to name the columns")
    if line is None or max(map(line.count, delimiters)) >= MAX_COLUMNS:
        raise DatasetError(
            f"{where}, line 1: is too long, or has too many columns. At most {MAX_COLUMNS:,} columns are accepted"
        )
    if not_decoded(line):
        raise DatasetError(f"{where}, line 1: is not text in UTF-8. Save the table as UTF-8")
    csv.field_size_limit(limit("cell"))
    best = None
    for delimiter in delimiters:
        try:
            names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True))]
        except csv.Error:
            continue
        rank = (len(set(wanted) & set(names)), len(names))
        if best is None or rank > best[0]:
            best = (rank, delimiter, names)
    if best is None:
        raise DatasetError(f"{where}, line 1: the column names cannot be read: a quote is not closed")
    return best[1], best[2]


def not_decoded(text: str) -> bool:
    """Return whether a text holds bytes that are not of the encoding that it was read in."""
    return not text.isascii() and _NOT_DECODED.search(text) is not None
