"""Tables of Kaleidoscope (Wildlife Acoustics)."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.delimited import COMMA, fixed, write_delimited
from biovita.archive.annotation_formats.not_written import Kept, kept_and_not
from biovita.archive.archive_tables import By
from biovita.archive.media_tables import AnnotatedFiles, shared_folder

__all__ = ["write_kaleidoscope"]


def write_kaleidoscope(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write a table that Kaleidoscope opens, with the columns that it documents and no other: others hide the rest.

    ``INDIR``, ``FOLDER`` and ``IN FILE`` joined are the path, however deep the folders are. ``TOP1DIST`` is the score:
    larger where an answer is surer, and no distance. What people say stands in ``MANUAL ID``, what a machine says in
    ``TOP1MATCH``. ``CHANNEL`` counts from 0.
    """
    rows = annotated.annotations
    no_end = rows["end_s"].is_null().to_numpy() & (annotated.rows == len(annotated.files))
    kept = kept_and_not(annotated, no_path=rows["path"].is_null(), unknown_file=no_end)
    rows = kept.annotated.annotations
    start = pc.fill_null(rows["start_s"], 0.0)
    end = pc.coalesce(rows["end_s"], kept.annotated.column("duration_s"))
    names = pc.coalesce(rows["scientific_name"], rows["label"])
    by_person = pc.fill_null(pc.equal(rows["by_kind"], By.HUMAN.value), fill_value=False)
    none = pa.scalar(None, pa.string())
    columns = {
        **_path_parts(rows["path"]),
        "CHANNEL": pc.subtract(pc.fill_null(rows["channel"], 1), 1),
        "OFFSET": fixed(start),
        "DURATION": fixed(pc.subtract(end, start)),
        "TOP1MATCH": pc.if_else(by_person, none, names),
        "TOP1DIST": fixed(rows["score"]),
        "MANUAL ID": pc.if_else(by_person, names, none),
    }
    with place.open("wb") as stream:
        write_delimited(stream, columns, COMMA)
    return kept


def _path_parts(paths: pa.ChunkedArray) -> dict[str, pa.Array]:
    """Return the columns that hold a path: the folder that all share, the folders below it, the file's name."""
    distinct = pc.unique(paths)
    names = distinct.to_pylist()
    shared = shared_folder(names)
    parts = []
    for path in names:
        folder, name = os.path.split(path)
        above = folder if shared is None else shared
        below = os.path.relpath(folder, above) if folder != above else ""
        parts.append((above, below, name))
    rows = pc.index_in(paths, distinct).combine_chunks()
    columns = zip(*parts, strict=True) if parts else ((), (), ())
    return {
        name: pa.array(column, pa.string()).take(rows)
        for name, column in zip(("INDIR", "FOLDER", "IN FILE"), columns, strict=True)
    }
