"""Tables in Excel workbooks (.xlsx), read row by row through the extra ``excel``; their cells become text.

Numbers are written as short as they can be, dates as ISO 8601, errors as Excel shows them. A formula has the value that
the workbook keeps of it; those of which it keeps none are counted, and a note tells of them.
"""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from biovita.csv_records import BrokenRow, Record
from biovita.errors import DatasetError, MissingExtraError
from biovita.foreign_tables import DAMAGED, MAX_COLUMNS, open_member, open_zip
from biovita.limits import limit, memory_mib, over
from biovita.table_layout import clean_header

if TYPE_CHECKING:
    from openpyxl.workbook import Workbook

__all__ = ["Sheet", "find_sheet", "sheet_records"]

_MOST_ROWS = 1 << 20  # of a sheet, as Excel has them
_MOST_MEMBERS = 10_000
_PREAMBLE = 20  # rows before the header
_AT_ONCE = 500  # rows
_PARTS = (".xml", ".rels")
_SHEETS = "xl/worksheets/"
_CHUNK, _LONGEST_CELL = 1 << 20, 1 << 16  # bytes
_FORMULA = re.compile(  # its cell's attributes, and the value that is kept, if any; prefixes of names are allowed
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(<(?:\w+:)?v\s*/>|<(?:\w+:)?v>[^<]*</(?:\w+:)?v>)?"
)
_NOTHING_KEPT = re.compile(rb"<(?:\w+:)?v\s*(?:/>|>\s*<)")
_WRITTEN = re.compile(r"_x[0-9A-Fa-f]{4}_")  # a control character, as workbooks write it


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with a table: its name, the names of the table's columns, and the row that they stand in."""

    title: str
    header: tuple[str, ...]
    line: int
    notes: tuple[str, ...] = ()


def find_sheet(path: Path, wanted: Sequence[str] = ()) -> Sheet:
    """Return the first sheet of a workbook if it has the wanted columns, else the only one that has them.

    The header is the first row that is not empty; where that lacks a wanted column, the first within twenty rows that
    has them all.

    Raises
    ------
    DatasetError
        Where several sheets after the first have the columns, no sheet has a row, or the workbook is damaged or too
        large. Where no sheet has the columns, the first is returned.
    MissingExtraError
        Without the extra ``excel``.
    """
    with _opened(path) as book:
        sheets = [found for sheet in book.worksheets if (found := _header_of(path, sheet, wanted)) is not None]
        titles = [sheet.title for sheet in book.worksheets]
    if not sheets:
        raise DatasetError(f"{path} is empty. The first row of a sheet has to name the columns")
    whole = [sheet for sheet in sheets if set(wanted) <= set(sheet.header)]
    if sheets[0] in whole or (not whole and len(sheets) == 1):
        return _with_formulas(path, sheets[0])
    names = ", ".join(map(repr, titles))[:500]
    if not whole:
        raise DatasetError(
            f"{path}: no sheet has the columns {', '.join(wanted)[:500]}. Its sheets are {names}. Put the table first"
        )
    if len(whole) > 1:
        several = ", ".join(repr(sheet.title) for sheet in whole)[:500]
        raise DatasetError(f"{path}: the sheets {several} all have the columns. Put the one that is meant first")
    return _with_formulas(path, whole[0])


def sheet_records(path: Path, title: str, after: int) -> Iterator[Record | BrokenRow]:
    """Yield the rows of a sheet after a row that has anything; a cell over the limit ``cell`` breaks its row.

    Raises
    ------
    DatasetError
        Where the workbook is damaged, or has more rows than Excel accepts.
    """
    most = limit("cell")
    with _opened(path) as book:
        for number, cells in _rows(path, book[title]):
            if number <= after or not any(cells):
                continue
            if max(map(len, cells)) > most:
                yield BrokenRow(number, "too-long", f"a cell is too long; {over('cell')}")
            else:
                yield Record(number, cells)


def _header_of(path: Path, sheet: Any, wanted: Sequence[str]) -> Sheet | None:
    first = None
    for number, cells in islice(_rows(path, sheet), _PREAMBLE + 1):
        header = clean_header(cells)
        while header and not header[-1]:
            header = header[:-1]
        if not header:
            continue
        if set(wanted) <= set(header):
            note = f"its columns are named in row {number}; what stands above was not read"
            return Sheet(sheet.title, header, number, () if first is None else (note,))
        first = first or Sheet(sheet.title, header, number)
    return first


def _with_formulas(path: Path, sheet: Sheet) -> Sheet:
    """Return a sheet with a note of the workbook's formulas that read as empty."""
    count = _formulas_without_value(path)
    if not count:
        return sheet
    note = (
        f"{count:,} cells of the workbook hold a formula without its value, and read as empty; "
        "open it in Excel or LibreOffice and save it, and the values are kept"
    )
    return replace(sheet, notes=(*sheet.notes, note))


def _formulas_without_value(path: Path) -> int:
    """Return how many cells of a workbook's sheets have a formula, and no value that was kept of it."""
    with open_zip(path) as archive:
        count = 0
        for name in archive.namelist():
            if name.startswith(_SHEETS) and name.lower().endswith(".xml"):
                with open_member(archive, name, str(path)) as part, _faults(path):
                    count += sum(map(_keeps_nothing, _formulas(part)))
    return count


def _formulas(part: IO[bytes]) -> Iterator[re.Match[bytes]]:
    """Yield the cells with formulas of a sheet, of which a piece is held at a time."""
    held, is_more = b"", True
    while is_more:
        chunk = part.read(_CHUNK)
        held, is_more, read = held + chunk, bool(chunk), 0
        for found in _FORMULA.finditer(held):
            if is_more and found.end() + _LONGEST_CELL > len(held):
                break
            read = found.end()
            yield found
        held = held[max(read, len(held) - 2 * _LONGEST_CELL) :]


def _keeps_nothing(found: re.Match[bytes]) -> bool:
    kept = found[2]
    return kept is None or (b't="str"' not in found[1] and _NOTHING_KEPT.match(kept) is not None)


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a sheet as texts, with their numbers from 1 on."""
    sheet.reset_dimensions()  # what a file states of them is seldom right
    rows, number = sheet.iter_rows(values_only=True), 0
    while True:
        with _faults(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that hold no cells
            held = list(islice(rows, _AT_ONCE))
        if not held:
            return
        for cells in held:
            number += 1
            if number > _MOST_ROWS or len(cells) > 2 * MAX_COLUMNS:
                raise DatasetError(
                    f"{path}: the sheet {sheet.title!r} has more rows or columns than Excel accepts"
                )
            yield number, [_text(cell) for cell in cells]


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value) if "_x" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        day = value.replace(microsecond=0) + dt.timedelta(seconds=value.microsecond >= 500_000)
        return day.date().isoformat() if day.time() == dt.time() else day.isoformat()
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return str(value)


def _unescaped(text: str) -> str:
    return _WRITTEN.sub(lambda found: chr(int(found[0][2:6], 16)), text)


@contextmanager
def _opened(path: Path) -> Iterator[Workbook]:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError(
            "excel", f"{path} is an Excel workbook. Save it as CSV in UTF-8, or read it as it is: that"
        ) from error
    _check(path)
    with path.open("rb") as file:
        with _faults(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        try:
            yield book
        finally:
            book.close()


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turn what a damaged workbook makes openpyxl raise into an error that names the file."""
    try:
        yield
    except DatasetError:
        raise
    except (
        *DAMAGED,
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, OSError),
        *(SyntaxError, OverflowError, RuntimeError),  # XML that is not well formed; an encrypted member
    ) as error:
        raise DatasetError(
            f"{path} is a damaged workbook: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from None


def _check(path: Path) -> None:
    """Refuse a workbook whose parts would unpack to too much, or have a document type, which Excel never writes."""
    most = memory_mib() << 20
    with open_zip(path) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise DatasetError(f"{path} has {len(members):,} members. At most {_MOST_MEMBERS:,} are accepted")
        for member in members:
            if not member.filename.lower().endswith(_PARTS):
                continue
            if member.file_size > most:
                raise DatasetError(
                    f"{path}: {member.filename} has {member.file_size:,} bytes, which is more than may be held "
                    "(--memory MIB sets another amount). Save the table as CSV"
                )
            with open_member(archive, member.filename, str(path)) as part:
                if b"<!DOCTYPE" in _head(path, part):
                    raise DatasetError(f"{path}: {member.filename} has a document type, and is not read")


def _head(path: Path, part: Any) -> bytes:
    try:
        return bytes(part.read(4096))
    except (*DAMAGED, zipfile.BadZipFile, OSError) as error:
        raise DatasetError(f"{path} is a damaged workbook: {error}") from None
