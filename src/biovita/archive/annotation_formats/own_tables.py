"""Annotations with all that the archive knows of them, as CSV, Parquet and JSON with the same columns."""

from __future__ import annotations

import json
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
_ESCAPED = r'["\\\x00-\x1f]'


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
    table, before = annotated.annotations.select(COLUMNS), "[\n"
    with place.open("w", encoding="utf-8", newline="") as stream:
        for batch in table.to_batches(_ROWS):
            for line in _objects(batch).to_pylist():
                stream.write(before + line)
                before = ",\n"
        stream.write("\n]\n" if before == ",\n" else "[]\n")
    return Kept(annotated)


def _objects(batch: pa.RecordBatch) -> pa.Array:
    """Return each row as a JSON object."""
    parts = []
    for at, (name, column) in enumerate(zip(batch.schema.names, batch.columns, strict=True)):
        parts += [f"{'{' if at == 0 else ','}{json.dumps(name)}:", pc.fill_null(_json(column), "null")]
    return pc.binary_join_element_wise(*parts, "}", "")


def _json(column: pa.Array) -> pa.Array:
    """Return values as JSON; none stays none."""
    if pa.types.is_timestamp(column.type):
        column = iso_text(column)
    if pa.types.is_string(column.type):
        return pc.if_else(
            pc.match_substring_regex(column, _ESCAPED),
            pa.array(_escaped(column), pa.string()),
            pc.binary_join_element_wise('"', column, '"', ""),
        )
    if pa.types.is_fixed_size_list(column.type):
        sides = [pc.cast(pc.list_element(column, at), pa.string()) for at in range(len(BOX))]
        inside = pc.binary_join_element_wise(*sides, ",")
        return pc.binary_join_element_wise("[", inside, "]", "")
    return pc.cast(column, pa.string())


def _escaped(column: pa.Array) -> list[str | None]:
    """Return texts as JSON where they hold what JSON escapes, and none elsewhere."""
    needed = pc.if_else(pc.match_substring_regex(column, _ESCAPED), column, pa.scalar(None, pa.string()))
    if needed.null_count == len(column):
        return [None] * len(column)
    return [None if text is None else json.dumps(text, ensure_ascii=False) for text in needed.to_pylist()]
