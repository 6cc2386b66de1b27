"""Annotations with all that the archive knows of them, as CSV, Parquet and JSON with the same columns."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.archive.annotation_formats.delimited import COMMA, iso_text, write_delimited
from biovita.archive.annotation_formats.not_written import Kept
from biovita.archive.archive_tables import ANNOTATIONS
from biovita.archive.media_tables import AnnotatedFiles

__all__ = ["BOX", "COLUMNS", "write_annotations_csv", "write_annotations_json", "write_annotations_parquet"]

_FIRST = ("path", "start_s", "end_s", "begin_local", "scientific_name", "common_name", "score")
COLUMNS: tuple[str, ...] = (*_FIRST, *(name for name in ANNOTATIONS.names if name not in _FIRST))
"""Of `ANNOTATIONS`, those first that most look for."""
BOX = ("box_x", "box_y", "box_width", "box_height")
"""Columns of a CSV that hold the box."""
_ROWS = 1 << 16


def write_annotations_csv(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write all columns as CSV; the box of a photograph has four."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name in COLUMNS:
        column = annotated.annotations[name]
        if name == "box":
            columns |= {part: pc.list_element(column, at) for at, part in enumerate(BOX)}
        else:
            columns[name] = iso_text(column) if pa.types.is_timestamp(column.type) else column
    with place.open("wb") as stream:
        write_delimited(stream, columns, COMMA)
    return Kept(annotated)


def write_annotations_parquet(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write all columns as Parquet, with the types of `ANNOTATIONS`."""
    pq.write_table(annotated.annotations.select(COLUMNS), place, row_group_size=_ROWS, compression="zstd")
    return Kept(annotated)


def write_annotations_json(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write one JSON array with an object for each annotation, each in a line of its own."""
    import duckdb

    table = annotated.annotations.select(COLUMNS)
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, iso_text(table.column(at)))
    with place.open("wb") as stream, duckdb.connect() as database:
        before = b"[\n"
        for batch in table.to_batches(_ROWS):
            rows = pa.Table.from_batches([batch])
            lines = database.from_arrow(rows).query("rows", "select to_json(rows)::varchar from rows").fetchall()
            for (line,) in lines:
                stream.write(before + line.encode())
                before = b",\n"
        stream.write(b"\n]\n" if before == b",\n" else b"[]\n")
    return Kept(annotated)
