"""CSV tables with a header, row by row, with line numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from biovita.csv_safe import plain_cell
from biovita.errors import DatasetError
from biovita.foreign_tables import MAX_COLUMNS, BoundedLines, cell_limit, open_bytes, row_limit
from biovita.limits import limit, over
from biovita.sources.source import Rejected

__all__ = ["read_table"]


def read_table(
    path: Path, needed: Sequence[str], delimiter: str = ","
) -> Iterator[tuple[int, dict[str, str]] | Rejected]:
    """Yield (line where the row begins, values by column) of a UTF-8 table, compressed or not.

    Rows with too few or too many columns, and cells or rows that are too long, come as rejected. Cells are read as
    `biovita.csv_safe` writes them.

    Raises
    ------
    DatasetError
        Where there is no such file, its first line is not UTF-8 or lacks one of the columns ``needed``, it has more
        rows than the limit ``rows``, or unpacks to more than it should.
    """
    cell_limit()
    with open_bytes(path) as (raw, meter):
        lines = BoundedLines(raw, meter)
        # A byte that is not UTF-8 becomes a surrogate, which costs the record that would hold it.
        stream = lines.as_text("utf-8-sig", errors="surrogateescape")
        yield from _rows(path, csv.reader(stream, delimiter=delimiter, strict=True), needed, lines)


def _rows(
    path: Path, reader: Iterator[list[str]], needed: Sequence[str], lines: BoundedLines
) -> Iterator[tuple[int, dict[str, str]] | Rejected]:
    header = _header(path, reader, needed, lines)
    width, most, cuts = len(header), limit("rows"), 0
    while True:
        line = reader.line_num + 1  # type: ignore[attr-defined] # of csv.reader
        try:
            values = next(reader, None)
        except csv.Error as error:
            cuts = lines.cuts
            yield Rejected("unknown", path.name, line, "not-csv", _said(error, line, reader))
            continue
        if values is None:
            return
        if line > most:
            raise DatasetError(f"{path}: has more rows; {over('rows')}")
        if lines.cuts != cuts:
            cuts = lines.cuts
            yield Rejected("unknown", path.name, line, "too-long", f"is longer than {row_limit():,} characters")
        elif len(values) == width:
            if any(values):
                yield line, dict(zip(header, map(plain_cell, values), strict=False))
        elif any(values):
            detail = f"{len(values)} columns, and the header has {width}"
            yield Rejected("unknown", path.name, line, "not-as-described", detail)


def _header(path: Path, reader: Iterator[list[str]], needed: Sequence[str], lines: BoundedLines) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise DatasetError(f"{path}, line 1: the column names cannot be read: {_said(error, 1, reader)}") from None
    if any("\udc80" <= character <= "\udcff" for name in header for character in name):
        raise DatasetError(f"{path}: is not UTF-8: its first line holds other bytes")
    if lines.cuts or len(header) > MAX_COLUMNS:
        raise DatasetError(f"{path}, line 1: has too many columns; accepted are at most {MAX_COLUMNS:,}")
    missing = [column for column in needed if column not in header]
    if missing:
        raise DatasetError(
            f"{path}, line 1: lacks the column(s) {', '.join(missing)}; it has {', '.join(header[:12])[:300]}"
        )
    return header


def _said(error: csv.Error, first: int, reader: Iterator[list[str]]) -> str:
    """Return what the csv module found, and which lines are lost with it."""
    said = f"a cell is too long; {over('cell')}" if "field limit" in str(error) else str(error)
    last: int = reader.line_num  # type: ignore[attr-defined] # of csv.reader
    return f"{said}; the lines to {last} go with it" if last > first else said
