"""What was read of each table: how many rows, how many of them empty, and how it was read where that is not plain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from biovita.foreign_tables import open_bytes

__all__ = ["TableRead", "lines_read"]

_CHUNK = 1 << 22
_BLANK = re.compile(rb"(?<=\n)\r?\n")


@dataclass(frozen=True, slots=True)
class TableRead:
    """What was read of one table; a source tells it after the table's rows.

    Attributes
    ----------
    rows
        All below its header, counted as they are read. Each gives a record, is rejected, or is skipped.
    skipped
        Those of them that hold nothing.
    notes
        What is odd about the table as a whole, and how it was read; each names the table.
    """

    file: str
    rows: int
    skipped: int = 0
    notes: tuple[str, ...] = ()


def lines_read(file: Path) -> TableRead:
    """Return how many lines a table has below its header, blank ones as skipped; they are only counted.

    Raises
    ------
    DatasetError
        Where the file cannot be read, or unpacks to more than it should.
    """
    lines = blank = 0
    last = b"\n"
    with open_bytes(file) as (raw, meter):
        while chunk := raw.read(_CHUNK):
            if meter is not None:
                meter.add(len(chunk))
            lines += chunk.count(b"\n")
            seam = last + chunk[:2]
            if b"\n\n" in seam or b"\n\r\n" in seam or b"\n\n" in chunk or b"\n\r\n" in chunk:
                blank += len(_BLANK.findall(last + chunk)) - len(_BLANK.findall(last))
            last = (last + chunk)[-2:]
    lines += not last.endswith(b"\n")
    return TableRead(file.name, max(0, lines - 1), blank)
