"""CSV tables as people have them: comma, semicolon or tab, a byte order mark, and rows that are broken."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from biovita.errors import DatasetError, unknown_name
from biovita.foreign_tables import MAX_COLUMNS, Held, cell_limit, ends_inside, row_limit
from biovita.limits import limit, over

__all__ = ["BrokenRow", "CsvRow", "CsvTable", "OpenTable", "check_columns", "open_csv", "read_csv"]

_DELIMITERS = (",", ";", "\t", "|")
_MAX_ROW_LINES = 200  # more in one row is a quote that nobody closed
_OPEN = "a quote is not closed"
# What a row takes with all that an import makes of it, beside its texts; one that cannot be read is listed with why.
_ROW_BYTES, _BROKEN_BYTES = 600, 1000


@dataclass(frozen=True, slots=True)
class CsvRow:
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
    rows: tuple[CsvRow | BrokenRow, ...]


@dataclass(frozen=True)
class OpenTable:
    """A CSV file whose header is read; iterating reads its rows, one after the other.

    Attributes
    ----------
    width
        How many columns it has.
    index
        Which column a field is in.
    """

    path: Path
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    delimiter: str
    width: int
    index: Mapping[str, int]

    def __iter__(self) -> Iterator[CsvRow | BrokenRow]:
        cell_limit()
        with _open(self.path) as stream:
            lines = enumerate(_lines(stream), start=1)
            next(lines)
            yield from _rows(self, lines)


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
    """Read a UTF-8 CSV file whose first line names its columns, all of its rows at once.

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
        Where the file is not text in UTF-8, is empty, lacks a required column or has one twice; where its rows are
        more than the limit ``rows`` or take more memory than may be used.
    """
    table = open_csv(path, fields, required, columns)
    held, rows = Held(str(path)), []
    for row in table:
        if isinstance(row, CsvRow):
            held.add(_ROW_BYTES + sum([len(value) for value in row.values.values() if value is not None]))
        else:
            held.add(_BROKEN_BYTES)
        rows.append(row)
    return CsvTable(path, table.columns, table.ignored, tuple(rows))


def open_csv(path: Path, fields: Sequence[str], required: Sequence[str], columns: Mapping[str, str]) -> OpenTable:
    """Read the header of a CSV file as `read_csv` does; its rows are read when they are asked for."""
    cell_limit()
    with _open(path) as stream:
        first = next(_lines(stream), "")
    delimiter, header = _header(path, first, {columns.get(field, field) for field in required})
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
    return OpenTable(path, found, ignored, delimiter, len(header), index)


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    """Open a table as text; a byte that is not UTF-8 becomes a surrogate, which costs the row that has it."""
    try:
        with path.open("rb") as raw:
            if raw.read(2) in {b"\xff\xfe", b"\xfe\xff"}:
                raise DatasetError(f"{path} is text in UTF-16; save it as UTF-8")
            raw.seek(0)
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}") from None


def _lines(stream: TextIO) -> Iterator[str | None]:
    """Yield lines without their ends, whichever they are; None for one that is too long."""
    most = row_limit()
    while line := stream.readline(most + 1):
        if len(line) <= most:
            yield line.removesuffix("\n")
            continue
        yield None if not line.endswith("\n") else line[:-1]
        while line and not line.endswith("\n"):
            line = stream.readline(most + 1)


def _header(path: Path, line: str | None, required: set[str]) -> tuple[str, list[str]]:
    """Return the delimiter under which the header has most of the required columns, then most columns."""
    if line is not None and not line.strip():
        raise DatasetError(f"{path} is empty: its first line names the columns")
    if line is None or max(line.count(delimiter) for delimiter in _DELIMITERS) >= MAX_COLUMNS:
        raise DatasetError(f"{path}, line 1: is too long; accepted are at most {MAX_COLUMNS:,} columns")
    if _not_utf8(line):
        raise DatasetError(f"{path}, line 1: is not text in UTF-8. Save the table as UTF-8")
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
        f"{path}, line 1: there is no column {name!r}. Columns: {', '.join(header)[:1000]}. "
        f"If one of them is the {field}, say so with --column {field}=COLUMN"
    )


def _rows(table: OpenTable, lines: Iterator[tuple[int, str | None]]) -> Iterator[CsvRow | BrokenRow]:
    records, most = _Records(lines, table.delimiter), limit("rows")
    for number, line in records.firsts():
        if number > most:
            raise DatasetError(f"{table.path}: has more rows; {over('rows')}")
        if line is None:
            yield BrokenRow(number, "bad-row", f"is longer than {row_limit():,} characters")
            continue
        if not line.strip(" "):
            continue
        cells, used, error = records.record(line)
        if error is None and len(cells) != table.width:
            error = f"has {len(cells)} fields, and the header has {table.width}"
        if error is not None:
            # Only this line is given up: a stray quote must not take the rows after it along.
            yield BrokenRow(number, "bad-row", error)
            continue
        records.take(used)
        if any(_not_utf8(cell) for cell in cells):
            yield BrokenRow(number, "not-utf8", "holds bytes that are not UTF-8. Save the table as UTF-8")
        else:
            yield CsvRow(number, {field: cells[place].strip() or None for field, place in table.index.items()})


class _Records:
    """Records of a table, which may go on over several lines; no line is searched for the end of a quote twice."""

    def __init__(self, lines: Iterator[tuple[int, str | None]], delimiter: str) -> None:
        self._lines, self._delimiter = lines, delimiter
        self._waiting: deque[tuple[int, str | None]] = deque()  # lines looked at already
        self._inside = 0  # how many of them end within the quote that was open before them
        self._fault: tuple[int, str] = (
            0,
            "",
        )  # after how many of them such a quote turns out to be wrong, and how

    def firsts(self) -> Iterator[tuple[int, str | None]]:
        """Yield the lines that records may begin with."""
        while line := self._waiting.popleft() if self._waiting else next(self._lines, None):
            self._passed(1)
            yield line

    def take(self, count: int) -> None:
        """Give up lines that belong to the record of the one before them."""
        for _ in range(count):
            self._waiting.popleft()
        self._passed(count)

    def _passed(self, count: int) -> None:
        self._inside = max(0, self._inside - count)
        self._fault = (max(0, self._fault[0] - count), self._fault[1])

    def record(self, line: str) -> tuple[list[str], int, str | None]:
        """Return the cells of the record that begins with a line, the lines after it that it takes, and its fault."""
        cells, _, error = self._parsed([line])
        if error != _OPEN:
            return cells, 0, error
        if self._fault[0]:
            return [], 0, self._fault[1]
        used = self._closing(len(line))
        if not used:
            return [], 0, _OPEN
        cells, read, error = self._parsed([line, *(text or "" for _, text in islice(self._waiting, used))])
        if error is not None and "field limit" not in error:
            self._fault = (read - 1, error)
        return cells, used, error

    def _closing(self, size: int) -> int:
        """Return how many lines an open quote goes on for; 0 where it is not closed."""
        for at in range(_MAX_ROW_LINES - 1):
            if at == len(self._waiting):
                following = next(self._lines, None)
                if following is None:
                    return 0
                self._waiting.append(following)
            if at < self._inside:
                continue
            text = self._waiting[at][1]
            size += len(text or "")
            if text is None or size > limit("cell"):
                return 0
            if not ends_inside(text, '"', self._delimiter, inside=True):
                return at + 1
            self._inside = at + 1
        return 0

    def _parsed(self, lines: Sequence[str]) -> tuple[list[str], int, str | None]:
        reader = csv.reader((line + "\n" for line in lines), delimiter=self._delimiter, strict=True)
        try:
            return next(reader), reader.line_num, None
        except csv.Error as error:
            said = str(error)
            return [], reader.line_num, _OPEN if "unexpected end" in said else f"cannot be read: {said}"


def _not_utf8(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text) if not text.isascii() else False
