"""CSV that spreadsheets show and do not run.

A cell that a spreadsheet would take for a formula gets an apostrophe in front; our readers take it off again, so that
what was written is what is read. Numbers are left as they are.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["SafeWriter", "plain_cell", "plain_row", "safe_cell", "safe_table", "write_rows"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Apostrophes before it count as ours or as others': with them every text has one written form. Then what a spreadsheet
# may pass over, and a sign that begins a formula, also of full width; or one of the characters that begin a new cell.
_UNSEEN = r"[\x00-\x20\x7f-\xa0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
_FORMULA = re.compile(rf"('*)(?:{_UNSEEN}*[=+\-@\uff1d\uff0b\uff0d\uff20\u2212]| *[\t\r\n])")
_SUSPECTS = "^'*[^0-9A-Za-z'\"(\\[]"  # for RE2: most cells begin otherwise


def safe_cell(value: object) -> object:
    """Return a cell as it is written: with an apostrophe in front where a spreadsheet would take it for a formula.

    Examples
    --------
    >>> safe_cell("=1+1"), safe_cell("-3.5"), safe_cell("- none"), safe_cell("Pica pica")
    ("'=1+1", '-3.5', "'- none", 'Pica pica')
    """
    return f"'{value}" if value is not None and _is_formula(str(value)) else value


def plain_cell(text: str) -> str:
    """Undo `safe_cell`: return the text that a cell was written from.

    Examples
    --------
    >>> plain_cell("'=1+1"), plain_cell("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _is_formula(text) else text


def plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row that was read with its cells as they were before `write_rows`."""
    return {name: plain_cell(cell) if isinstance(cell, str) else cell for name, cell in row.items()}


_END = (
    "\r\n"  # cells that hold a character of it are quoted; with a bare newline, carriage returns would begin rows
)


@dataclass(frozen=True)
class _Lines:
    """Hands lines on with a newline at their end."""

    stream: TextIO

    def write(self, line: str) -> None:
        self.stream.write(line.removesuffix(_END) + "\n")


class SafeWriter:
    """A writer of rows to a stream; of a row, only what is in ``columns``, and nothing where it has no such cell."""

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._columns = columns
        self._writer = csv.writer(_Lines(stream), lineterminator=_END)

    def writeheader(self) -> None:
        """Write the names of the columns."""
        self._writer.writerow(self._columns)

    def writerow(self, row: Mapping[str, Any]) -> None:
        """Write a row."""
        self._writer.writerow([safe_cell(row.get(column)) for column in self._columns])

    def writetable(self, table: pa.Table) -> None:
        """Write the rows of a table that has the columns, in their order."""
        self._writer.writerows(zip(*(column.to_pylist() for column in safe_table(table).columns), strict=True))


def write_rows(stream: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a header and rows as CSV, as `SafeWriter` does."""
    writer = SafeWriter(stream, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow(row)


def safe_table(table: pa.Table) -> pa.Table:
    """Return a table with the cells of its text columns as `safe_cell` has them."""
    for place, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        column = table.column(place)
        if pc.any(pc.match_substring_regex(column, _SUSPECTS)).as_py():
            cells = [safe_cell(cell) for cell in column.to_pylist()]
            table = table.set_column(place, field, pa.array(cells, field.type))
    return table


def _is_formula(text: str) -> bool:
    found = _FORMULA.match(text)
    return found is not None and not _NUMBER.fullmatch(text, found.end(1))
