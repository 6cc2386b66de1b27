"""Columns as text: cells between commas or tabs, whole columns at a time and some rows after the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from biovita.csv_safe import safe_table

__all__ = ["COMMA", "TAB", "Delimited", "fixed", "iso_text", "write_delimited", "zoned_text"]

_ROWS = 1 << 16
_AFTER = "\n"  # no column is called so
_UNSEEN = "[\x00-\x1f\x7f\u0085\u2028\u2029]+"


@dataclass(frozen=True, slots=True)
class Delimited:
    """How cells are told apart.

    Attributes
    ----------
    quoted
        Whether a cell that holds a delimiter, a quote or an end of line stands in quotes. Where nothing is quoted,
        what would end a cell becomes a space.
    """

    delimiter: str
    quoted: bool


COMMA, TAB = Delimited(",", quoted=True), Delimited("\t", quoted=False)


def write_delimited(
    stream: IO[bytes],
    columns: Mapping[str, pa.ChunkedArray],
    form: Delimited,
    *,
    header: bool = True,
    after: pa.ChunkedArray | None = None,
) -> int:
    """Write columns as text in UTF-8 with a newline after each row; an empty cell is none.

    Cells that a spreadsheet would run are written as `biovita.csv_safe` has them.

    Parameters
    ----------
    after
        Text that follows each row as it is, before its newline.

    Returns
    -------
    int
        Number of cells in which a tab, an end of line or the like became a space.
    """
    table, replaced = pa.table(dict(columns)), 0
    if after is not None:
        table = table.append_column(_AFTER, after)
    if header:
        stream.write((form.delimiter.join(columns) + "\n").encode())
    for batch in table.to_batches(_ROWS):
        rows = pa.Table.from_batches([batch])
        cells = []
        for column in safe_table(rows.select(list(columns))).columns:
            text = pc.cast(column, pa.string()).fill_null("").combine_chunks()
            if pa.types.is_string(column.type):
                if not form.quoted:
                    replaced += pc.sum(pc.match_substring_regex(text, _UNSEEN)).as_py() or 0
                text = _quoted(text) if form.quoted else pc.replace_substring_regex(text, _UNSEEN, " ")
            cells.append(text)
        lines = pc.binary_join_element_wise(*cells, form.delimiter)
        if after is not None:
            lines = pc.binary_join_element_wise(lines, rows[_AFTER].combine_chunks(), "")
        stream.writelines(f"{line}\n".encode() for line in lines.to_pylist())
    return replaced


def _quoted(text: pa.Array) -> pa.Array:
    needs = pc.match_substring_regex(text, '[",\r\n]')
    if not pc.any(needs).as_py():
        return text
    doubled = pc.replace_substring(text, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), text)


def fixed(numbers: pa.ChunkedArray, decimals: int = 6) -> pa.ChunkedArray:
    """Return numbers as text with so many decimals, a point, and no exponent."""
    rounded = pc.round(pc.cast(numbers, pa.float64()), decimals)
    return pc.cast(pc.cast(rounded, pa.decimal128(38, decimals)), pa.string())


def iso_text(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return moments as ISO 8601: ``2026-05-01T05:00:03``, with a fraction where there is one, Z where they are UTC."""
    zoned = moments.type.tz is not None
    text = pc.strftime(moments.cast(pa.timestamp("us")) if zoned else moments, "%Y-%m-%dT%H:%M:%S")
    text = pc.replace_substring_regex(text, r"\.000000$", "")
    return pc.binary_join_element_wise(text, "Z", "") if zoned else text


def zoned_text(local: pa.ChunkedArray, offsets: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return moments of a clock as ISO 8601 with the clock's offset from UTC, and without where that is unknown.

    Parameters
    ----------
    local
        Moments by that clock.
    offsets
        Minutes that it is ahead of UTC.
    """
    distinct = pc.unique(offsets)
    zones = pa.array([_zone(minutes) for minutes in distinct.to_pylist()], pa.string())
    zone = zones.take(pc.index_in(offsets, distinct))
    return pc.binary_join_element_wise(iso_text(local), zone, "")


def _zone(minutes: int | None) -> str:
    if minutes is None:
        return ""
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
