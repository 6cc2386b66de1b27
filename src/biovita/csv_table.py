"""CSV tables as people have them: comma, semicolon or tab, a byte order mark, and rows that are broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biovita.csv_records import BrokenRow, Dialect, not_decoded, open_text, records, split_header, text_lines
from biovita.csv_safe import plain_cell
from biovita.errors import DatasetError, unknown_name
from biovita.foreign_tables import Held
from biovita.limits import limit, over

__all__ = ["BrokenRow", "CsvRow", "CsvTable", "check_columns", "held_rows", "open_csv", "sound_rows"]

# What a row takes with all that is made of it, beside its texts; one that cannot be read is listed with why.
_ROW_BYTES, _BROKEN_BYTES = 600, 1000


@dataclass(frozen=True, slots=True)
class CsvRow:
    """The values of one row by field, without surrounding spaces; an empty cell is None."""

    line: int
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class CsvTable:
    """A CSV file whose header is read; iterating reads its rows, one after the other.

    A row of empty cells alone is passed over. A row of another width than the header's is broken
    (``not-as-described``), and so is one with bytes that are not of the encoding in a field (``not-utf8``).

    Attributes
    ----------
    columns
        The fields that it has, and the column of each.
    ignored
        Columns that no field is in.
    width
        How many cells a row may have.
    """

    path: Path
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    encoding: str
    dialect: Dialect
    width: range
    places: Mapping[str, int]

    def __iter__(self) -> Iterator[CsvRow | BrokenRow]:
        most, last = limit("rows"), self.width[-1]
        with open_text(self.path, self.encoding) as stream:
            lines = text_lines(stream)
            next(lines)
            for row in records(lines, self.dialect, self.width):
                if row.line > most:
                    raise DatasetError(f"{self.path}: has too many rows: {over('rows')}")
                if isinstance(row, BrokenRow):
                    yield row
                    continue
                cells = row.cells
                if not any(cells):
                    continue
                if len(cells) < last:
                    cells = [*cells, *[""] * (last - len(cells))]
                values = {field: plain_cell(cells[place]).strip() or None for field, place in self.places.items()}
                if not_decoded("".join([value for value in values.values() if value is not None])):
                    yield BrokenRow(row.line, "not-utf8", self._not_decoded())
                else:
                    yield CsvRow(row.line, values)

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
) -> CsvTable:
    """Read the header of a CSV file, whose first line names its columns; its rows are read when they are asked for.

    Cells are read as `biovita.csv_safe` writes them.

    Parameters
    ----------
    fields
        What may be read; other columns are listed in ``ignored``.
    required
        The fields without which the table is of no use.
    columns
        From a field to the column that holds it, where their names differ. A table without that column is read by
        the field's own name.
    delimiter
        None: comma, semicolon, tab or bar, whichever the header has.
    strict
        Whether text between a closing quote and the next delimiter breaks a row.
    short_rows
        Whether rows may end early; the cells that they lack are empty.

    Raises
    ------
    DatasetError
        Where the file is not text in UTF-8, is empty, lacks a required column or has one twice. Iterating raises where
        there are more rows than the limit ``rows``, or the file unpacks to more than it should.
    """
    named = columns or {}
    with open_text(path, encoding) as stream:
        first = next(text_lines(stream), (1, ""))[1]
    delimiters = {} if delimiter is None else {"delimiters": (delimiter,)}
    found_delimiter, header = split_header(
        first, str(path), wanted=[named.get(field, field) for field in required], **delimiters
    )
    found = {}
    for field in fields:
        name = named[field] if named.get(field) in header else field
        if name in header:
            found[field] = name
    missing = [field for field in required if field not in found]
    if missing:
        raise DatasetError(_missing_columns(path, missing, columns, header))
    for name in found.values():
        if header.count(name) > 1:
            raise DatasetError(f"{path}, line 1: the column {name!r} occurs {header.count(name)} times")
    return CsvTable(
        path,
        found,
        tuple(name for name in header if name not in found.values()),
        encoding,
        Dialect(found_delimiter, strict=strict),
        range(1 if short_rows else len(header), len(header) + 1),
        {field: header.index(name) for field, name in found.items()},
    )


def _missing_columns(
    path: Path, missing: Sequence[str], columns: Mapping[str, str] | None, header: Sequence[str]
) -> str:
    names = [(columns or {}).get(field, field) for field in missing]
    what = f"is no column {names[0]!r}" if len(names) == 1 else f"are no columns {', '.join(map(repr, names))}"
    said = f"{path}, line 1: there {what}. Columns: {', '.join(header)[:1000]}"
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
