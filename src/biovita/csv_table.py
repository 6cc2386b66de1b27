"""Tables as people have them: text of any delimiter and encoding, or a workbook; with rows that are broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from biovita.csv_records import BrokenRow, Dialect, Record, not_decoded, open_text, records, text_lines
from biovita.csv_safe import plain_cell
from biovita.errors import DatasetError, unknown_name
from biovita.foreign_tables import Held
from biovita.limits import limit, over
from biovita.table_kinds import TableKind, kind_of_table
from biovita.table_layout import Layout, layout_of
from biovita.text_encoding import encoding_of
from biovita.workbooks import find_sheet, sheet_records

__all__ = [
    "BrokenRow",
    "CsvRow",
    "CsvTable",
    "check_columns",
    "check_not_all_broken",
    "held_rows",
    "open_csv",
    "sound_rows",
]

# What a row takes with all that is made of it, beside its texts; one that cannot be read is listed with why.
_ROW_BYTES, _BROKEN_BYTES = 600, 1000


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The values of one row by field, without surrounding spaces; an empty cell is None."""

    line: int
    values: Mapping[str, str | None]


@dataclass(slots=True)
class _Tally:
    """What was met while the rows of a table were read."""

    skipped: int = 0
    mended: int = 0
    first_mended: int = 0
    unnamed: int = 0


@dataclass(frozen=True)
class CsvTable:
    """A table whose header is read; iterating reads its rows, one after the other.

    A row of empty cells alone is passed over, and counted. A row of another width than the header's is broken
    (``not-as-described``), and so is one with bytes that are not of the encoding in a field (``not-utf8``).

    Attributes
    ----------
    columns
        The fields that it has, and the column of each.
    ignored
        Columns with a name that no field is in.
    width
        How many cells a row may have.
    sheet
        The sheet of a workbook that it is; None of text.
    """

    path: Path
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    encoding: str
    layout: Layout
    places: Mapping[str, int]
    sheet: str | None = None
    _tally: _Tally = dataclasses.field(default_factory=_Tally, compare=False, repr=False)

    @property
    def dialect(self) -> Dialect:
        """How its cells are told apart."""
        return self.layout.dialect

    @property
    def width(self) -> range:
        """How many cells a row may have."""
        return self.layout.width

    @property
    def skipped(self) -> int:
        """How many rows of empty cells were passed over when its rows were last read."""
        return self._tally.skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd of the table as a whole, and how it was read; complete once its rows are read."""
        tally, more = self._tally, []
        if tally.mended:
            more.append(
                f"quotes within cells are not doubled in {tally.mended:,} rows, the first in line "
                f"{tally.first_mended}; a cell was taken to end where a delimiter follows the quote"
            )
        if tally.unnamed:
            more.append(f"{tally.unnamed:,} rows have cells right of the named columns, which were not read")
        return (*self.layout.notes, *more)

    @property
    def where(self) -> str:
        """Its header, for messages."""
        place = (
            f"line {self.layout.line}" if self.sheet is None else f"sheet {self.sheet!r}, row {self.layout.line}"
        )
        return f"{self.path}, {place}"

    def reading(self, columns: Mapping[str, str]) -> CsvTable:
        """Return the table with these fields, each in its column; the file is not looked at again.

        Raises
        ------
        DatasetError
            Where the header has one of the columns twice.
        """
        header, layout = self.layout.header, self.layout
        for name in columns.values():
            if header.count(name) > 1:
                raise DatasetError(f"{self.where}: the column {name!r} occurs {header.count(name)} times")
        return CsvTable(
            self.path,
            columns,
            tuple(name for name in header if name and name not in columns.values()),
            self.encoding,
            layout,
            {field: header.index(name) + layout.lead for field, name in columns.items()},
            self.sheet,
        )

    def __iter__(self) -> Iterator[CsvRow | BrokenRow]:
        most, last, tally = limit("rows"), self.width[-1], self._tally
        tally.skipped = tally.mended = tally.unnamed = 0
        places = tuple(self.places.items())
        for row in self._records():
            if row.line > most:
                raise DatasetError(f"{self.path}: has too many rows: {over('rows')}")
            if isinstance(row, BrokenRow):
                yield row
                continue
            cells = row.cells
            if not any(cells):
                tally.skipped += 1
                continue
            if len(cells) < last:
                cells = [*cells, *[""] * (last - len(cells))]
            values = {field: plain_cell(cells[place]).strip() or None for field, place in places}
            held = [value for value in values.values() if value is not None]
            if not held and not any(map(str.strip, cells)):
                tally.skipped += 1
                continue
            if row.mended:
                tally.mended += 1
                tally.first_mended = tally.first_mended if tally.mended > 1 else row.line
            if len(cells) > last and any(map(str.strip, cells[last:])):
                tally.unnamed += 1
            if not_decoded("".join(held)):
                yield BrokenRow(row.line, "not-utf8", self._not_decoded())
            else:
                yield CsvRow(row.line, values)

    def _records(self) -> Iterator[Record | BrokenRow]:
        if self.sheet is not None:
            yield from sheet_records(self.path, self.sheet, self.layout.body)
            return
        with open_text(self.path, self.encoding) as stream:
            lines = text_lines(stream)
            for _ in islice(lines, self.layout.body):
                pass
            yield from records(lines, self.dialect, self.width)

    def _not_decoded(self) -> str:
        if self.encoding.startswith("utf-8"):
            return "holds bytes that are not UTF-8. Save the table as UTF-8"
        return f"holds bytes that are not {self.encoding}"


def open_csv(
    path: Path,
    fields: Sequence[str],
    required: Sequence[str] = (),
    *,
    columns: Mapping[str, str] | None = None,
    encoding: str = "utf-8-sig",
    delimiter: str | None = None,
    strict: bool = True,
    short_rows: bool = False,
    wanted: Sequence[str] = (),
) -> CsvTable:
    """Read the header of a table, whose first line names its columns; its rows are read when they are asked for.

    A table is text (see `biovita.table_layout` and `biovita.text_encoding` for what is looked at), or a workbook (see
    `biovita.workbooks`). Cells are read as `biovita.csv_safe` writes them.

    Parameters
    ----------
    fields
        What may be read; other columns are listed in ``ignored``.
    required
        The fields without which the table is of no use.
    columns
        From a field to the column that holds it, where their names differ. A table without that column is read by
        the field's own name.
    encoding
        What the text is said to be.
    delimiter
        None: comma, semicolon, tab or bar, whichever the header has.
    strict
        Whether text between a closing quote and the next delimiter breaks a row.
    short_rows
        Whether rows may end early; the cells that they lack are empty.
    wanted
        Columns that tell which line is the header, or which sheet the table; None of them is required.

    Raises
    ------
    DatasetError
        Where the file is neither text nor a workbook, is empty, lacks a required column or has one twice. Iterating
        raises where there are more rows than the limit ``rows``, or the file unpacks to more than it should.
    MissingExtraError
        Where it is a workbook, and the extra ``excel`` is not installed.
    """
    named = columns or {}
    asked = [named.get(field, field) for field in required]
    encoding, layout, sheet = _looked_at(
        path, encoding, delimiter, [*wanted, *asked], strict=strict, short_rows=short_rows
    )
    header = layout.header
    table = CsvTable(path, {}, (), encoding, layout, {}, sheet)
    found = {}
    for field in fields:
        name = named[field] if named.get(field) in header else field
        if name in header:
            found[field] = name
    missing = [field for field in required if field not in found]
    if missing:
        raise DatasetError(_missing_columns(table.where, missing, columns, header))
    return table.reading(found)


def _looked_at(
    path: Path, encoding: str, delimiter: str | None, wanted: Sequence[str], *, strict: bool, short_rows: bool
) -> tuple[str, Layout, str | None]:
    """Return the encoding of a table, its layout, and the sheet that it is where it is a workbook."""
    if kind_of_table(path) is TableKind.WORKBOOK:
        sheet = find_sheet(path, wanted)
        width = range(1, len(sheet.header) + 1)
        return (
            encoding,
            Layout(sheet.header, sheet.line, sheet.line, Dialect(), width, notes=sheet.notes),
            sheet.title,
        )
    encoding, note = encoding_of(path, encoding)
    delimiters = None if delimiter is None else (delimiter,)
    layout = layout_of(path, encoding, delimiters=delimiters, wanted=wanted, strict=strict, short_rows=short_rows)
    return encoding, layout if note is None else replace(layout, notes=(note, *layout.notes)), None


def _missing_columns(
    where: str, missing: Sequence[str], columns: Mapping[str, str] | None, header: Sequence[str]
) -> str:
    names = [(columns or {}).get(field, field) for field in missing]
    what = f"is no column {names[0]!r}" if len(names) == 1 else f"are no columns {', '.join(map(repr, names))}"
    said = f"{where}: there {what}. Columns: {', '.join(header)[:1000]}"
    if columns is None:
        return said
    return f"{said}. If one of them is the {missing[0]}, say so with --column {missing[0]}=COLUMN"


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


def held_rows(table: CsvTable) -> Iterator[CsvRow | BrokenRow]:
    """Yield the rows of a table that is held in memory whole.

    Raises
    ------
    DatasetError
        Where they take more memory than may be used.
    """
    held = Held(str(table.path))
    for row in table:
        if isinstance(row, CsvRow):
            held.add(_ROW_BYTES + sum(map(len, filter(None, row.values.values()))))
        else:
            held.add(_BROKEN_BYTES)
        yield row


def check_not_all_broken(path: Path, sound: Sequence[object], broken: Sequence[BrokenRow]) -> None:
    """Refuse a table that has rows, of which none can be read.

    Raises
    ------
    DatasetError
        With the first of them.
    """
    if broken and not sound:
        raise DatasetError(f"{path}, line {broken[0].line}: {broken[0].detail}. No row of the table can be read")


def sound_rows(table: CsvTable) -> Iterator[CsvRow]:
    """Yield the rows of a table that is held in memory whole and must have no broken one.

    Raises
    ------
    DatasetError
        Where a row is broken, with its line; where the rows take more memory than may be used.
    """
    for row in held_rows(table):
        if isinstance(row, BrokenRow):
            raise DatasetError(f"{table.path}, line {row.line}: {row.detail}")
        yield row
