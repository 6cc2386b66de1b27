"""What was read of each table: how many rows, how many of them empty, and how it was read where that is not plain."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TableRead"]


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
