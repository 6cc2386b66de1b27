"""Which parts of recordings people annotated, as a table states it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from biovita.csv_table import CsvRow, open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.values import number

__all__ = ["read_annotated_parts"]

_SCHEMA = pa.schema([("path", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])


def read_annotated_parts(file: Path) -> pa.Table:
    """Return ``path``, ``start_s`` and ``end_s`` of the rows of a CSV file.

    Without a begin a part is from the begin of its recording, without an end up to its end.

    Raises
    ------
    DatasetError
        Where the file has no column ``path`` or no row, or a row has no path, or times that are no span.
    """
    table = open_csv(file, _SCHEMA.names, ["path"])
    rows = [_part(file, row) for row in sound_rows(table)]
    if not rows:
        raise DatasetError(f"{file} has no row, so nothing would count as annotated")
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _part(file: Path, row: CsvRow) -> Mapping[str, str | float | None]:
    where = f"{file}, line {row.line}"
    path = row.values["path"]
    if path is None:
        raise DatasetError(f"{where}: path is empty")
    times: dict[str, float | None] = {}
    for name in ("start_s", "end_s"):
        text = row.values.get(name)
        times[name] = None if text is None else number(text)
        if text is not None and times[name] is None:
            raise DatasetError(f"{where}: {name} is {text!r}, which is no number of seconds")
    start, end = times["start_s"] or 0.0, times["end_s"]
    if start < 0 or (end is not None and end <= start):
        raise DatasetError(f"{where}: it begins at {start:g} s and ends at {end or 0.0:g} s")
    return {"path": path, **times}
