"""Label tracks of Audacity, with and without frequencies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.annotation_rows import AnnotationRow, Reading, span_of
from biovita.archive.annotation_formats.delimited import TAB, fixed, write_delimited
from biovita.archive.annotation_formats.not_written import Kept, kept_and_not
from biovita.archive.archive_tables import By
from biovita.archive.media_tables import AnnotatedFiles, shared_folder
from biovita.csv_records import BrokenRow, not_decoded, open_text, text_lines
from biovita.csv_safe import plain_cell
from biovita.filenames import path_from
from biovita.values import number

__all__ = ["audacity_rows", "write_audacity"]

_FILE = " | "  # before the path of the recording
_LABEL = re.compile(r"(?P<name>.*?)(?: (?P<score>[01]\.\d{4}))?(?: \| (?P<path>.+))?", re.DOTALL)


def write_audacity(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write a label track: begin, end and label, without a header.

    A label is the name, the score with four decimals, and, where there are several recordings, ``|`` and the path of
    the recording below the folder that they share. Times are always within the recording: Audacity has one time line,
    and labels of several recordings on one would be of none. A row with frequencies is followed by one with a backslash
    and both.
    """
    rows = annotated.annotations
    no_end = rows["end_s"].is_null().to_numpy() & (annotated.rows == len(annotated.files))
    kept = kept_and_not(annotated, no_path=rows["path"].is_null(), unknown_file=no_end)
    rows = kept.annotated.annotations
    names = pc.coalesce(rows["scientific_name"], rows["label"])
    scores = pc.fill_null(pc.binary_join_element_wise("", fixed(rows["score"], 4), " "), "")
    bands = pc.binary_join_element_wise("\n\\", fixed(rows["low_hz"]), fixed(rows["high_hz"]), "\t")
    columns = {
        "start": fixed(pc.fill_null(rows["start_s"], 0.0)),
        "end": fixed(pc.coalesce(rows["end_s"], kept.annotated.column("duration_s"))),
        "label": pc.binary_join_element_wise(names, scores, _files(rows["path"]), ""),
    }
    with place.open("wb") as stream:
        replaced = write_delimited(stream, columns, TAB, header=False, after=pc.fill_null(bands, ""))
    return Kept(kept.annotated, kept.not_written, replaced)


def _files(paths: pa.ChunkedArray) -> pa.Array:
    """Return what tells the recordings apart in a label; nothing where there is one."""
    distinct = pc.unique(paths)
    names = distinct.to_pylist()
    folder = shared_folder(names)
    short = [f"{_FILE}{path if folder is None else path_from(Path(folder), Path(path))}" for path in names]
    texts = pa.array(short if len(names) > 1 else [""] * len(names), pa.string())
    return texts.take(pc.index_in(paths, distinct).combine_chunks())


def audacity_rows(path: Path, _reading: Reading) -> Iterator[AnnotationRow | BrokenRow]:
    r"""Yield the labels of a track, with or without a row of frequencies after each.

    A row has begin, end and label; BirdNET adds its confidence. What `write_audacity` adds to a label is taken off it.
    """
    last: AnnotationRow | BrokenRow | None = None
    with open_text(path) as stream:
        for number_of_line, line in text_lines(stream):
            if line is None or not_decoded(line):
                if last is not None:
                    yield last
                last = BrokenRow(number_of_line, "not-text", "is too long, or holds bytes that are not UTF-8")
            elif line.startswith("\\"):
                last = _with_band(last, number_of_line, line)
            elif line.strip():
                if last is not None:
                    yield last
                last = _label_row(number_of_line, line.split("\t"))
    if last is not None:
        yield last


def _with_band(last: AnnotationRow | BrokenRow | None, line: int, text: str) -> AnnotationRow | BrokenRow:
    if last is None:
        return BrokenRow(line, "no-label", "has frequencies, and no label is before it")
    cells = [number(cell) for cell in text.split("\t")[1:3]]
    if isinstance(last, BrokenRow) or len(cells) < 2:
        return last
    low, high = cells  # Audacity writes -1 for one that is not set
    return replace(last, low_hz=_set(low), high_hz=_set(high))


def _set(hertz: float | None) -> float | None:
    return None if hertz is None or hertz < 0 else hertz


def _label_row(line: int, cells: list[str]) -> AnnotationRow | BrokenRow:
    span = span_of(line, cells[0], cells[1] if len(cells) > 1 else None)
    if isinstance(span, BrokenRow):
        return span
    found = _LABEL.fullmatch(plain_cell(cells[2]).strip() if len(cells) > 2 else "")
    assert found is not None, "each part may be missing"
    score = number(cells[3]) if len(cells) > 3 else number(found["score"] or "")
    by_kind = None if score is None else By.MACHINE
    return AnnotationRow(line, found["name"], None, *span, path=found["path"], score=score, by_kind=by_kind)
