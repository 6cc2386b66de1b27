"""Selection tables of Raven: written so that Raven opens the sounds from them, and read as people have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.annotation_rows import AnnotationRow, Reading, span_of
from biovita.archive.annotation_formats.delimited import TAB, fixed, write_delimited
from biovita.archive.annotation_formats.not_written import Kept, kept_and_not
from biovita.archive.annotation_formats.peer_tables import SCIENTIFIC, Named, cells_of, open_named
from biovita.archive.archive_tables import By, Presence
from biovita.archive.media_tables import AnnotatedFiles
from biovita.csv_table import BrokenRow
from biovita.errors import DatasetError
from biovita.values import number, whole

__all__ = ["raven_rows", "write_raven"]

_CANDIDATES: Mapping[str, Sequence[str]] = {
    "scientific": SCIENTIFIC,
    "start": ("Begin Time (s)",),
    "end": ("End Time (s)",),
    "low": ("Low Freq (Hz)",),
    "high": ("High Freq (Hz)",),
    "selection": ("Selection",),
    "view": ("View",),
    "channel": ("Channel",),
    "path": ("Begin Path",),
    "file": ("Begin File",),
    "offset": ("File Offset (s)",),
    "score": ("Confidence", "Score"),
    "presence": ("Presence",),
}


def write_raven(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write a selection table.

    ``Begin Time (s)`` runs on over all recordings in their order, also those without a row, as Raven counts when it
    opens them one after the other; ``File Offset (s)`` is within the file. A recording that is annotated as a whole has
    a row from its begin to its end. Frequencies that are not known are 0 and half the sample rate.

    Returns
    -------
    Kept
        What was written. Annotations of recordings that the archive does not have cannot be placed.
    """
    kept = kept_and_not(annotated, unknown_file=annotated.rows == len(annotated.files))
    annotated = kept.annotated
    rows, files = annotated.annotations, annotated.files
    durations = files["duration_s"].to_numpy()
    before = np.concatenate([[0.0], np.cumsum(durations)])[annotated.rows]
    start = pc.fill_null(rows["start_s"], 0.0).to_numpy()
    end = pc.coalesce(rows["end_s"], pa.array(durations[annotated.rows])).to_numpy()
    nyquist = pc.divide(pc.cast(annotated.column("sample_rate"), pa.float64()), 2.0)
    paths = rows["path"]
    columns = {
        "Selection": pa.array(np.arange(1, len(rows) + 1)),
        "View": pa.repeat("Spectrogram 1", len(rows)),
        "Channel": pc.fill_null(rows["channel"], 1),
        "Begin Time (s)": fixed(pa.array(before + start)),
        "End Time (s)": fixed(pa.array(before + end)),
        "Low Freq (Hz)": fixed(pc.fill_null(rows["low_hz"], 0.0)),
        "High Freq (Hz)": fixed(pc.coalesce(rows["high_hz"], nyquist)),
        "Annotation": pc.coalesce(rows["scientific_name"], rows["label"]),
        "Common Name": rows["common_name"],
        "Scientific Name": rows["scientific_name"],
        "Confidence": fixed(rows["score"]),
        "Presence": rows["presence"],
        "Begin File": pc.replace_substring_regex(paths, r"^.*[/\\]", ""),
        "Begin Path": paths,
        "File Offset (s)": fixed(pa.array(start)),
    }
    with place.open("wb") as stream:
        replaced = write_delimited(stream, columns, TAB)
    return Kept(annotated, kept.not_written, replaced)


def raven_rows(path: Path, reading: Reading) -> Iterator[AnnotationRow | BrokenRow]:
    """Yield the rows of a selection table.

    Raven may list a selection twice, as seen in the waveform and in the spectrogram. The row of the waveform is then
    rejected. Where the table names files, times are within them by ``File Offset (s)``.

    Raises
    ------
    DatasetError
        Where there is no column of labels or of times, or the table lists several recordings and does not say when a
        selection begins within its own.
    """
    named = open_named(path, _CANDIDATES, reading, delimiter="\t")
    if not {"start", "end"} <= set(named.columns):
        raise DatasetError(f"{path}, line 1: there are no columns 'Begin Time (s)' and 'End Time (s)'")
    in_spectrogram = _in_spectrogram(named)
    for row in named.table:
        if isinstance(row, BrokenRow):
            yield row
            continue
        cells = cells_of(named, row)
        twin = cells.get("selection") in in_spectrogram and (cells.get("view") or "").startswith("Waveform")
        if twin:
            yield BrokenRow(row.line, "waveform-row", f"the spectrogram has selection {cells['selection']}, too")
        else:
            yield _raven_row(row.line, cells)


def _in_spectrogram(named: Named) -> set[str | None]:
    """Return the selections that the table lists as seen in a spectrogram."""
    selections: set[str | None] = set()
    files: set[str] = set()
    for row in named.table:
        if not isinstance(row, BrokenRow):
            cells = cells_of(named, row)
            if (cells.get("view") or "").startswith("Spectrogram") and cells.get("selection"):
                selections.add(cells["selection"])
            if file := cells.get("path") or cells.get("file"):
                files.add(file)
    if len(files) > 1 and "offset" not in named.columns:
        raise DatasetError(
            f"{named.table.path}: lists {len(files)} recordings, and has no column 'File Offset (s)', so it does not "
            "say where in its recording a selection begins. Save the table with that column"
        )
    return selections


def _raven_row(line: int, cells: Mapping[str, str | None]) -> AnnotationRow | BrokenRow:
    span = span_of(line, cells["start"], cells["end"])
    if isinstance(span, BrokenRow):
        return span
    offset = number(cells.get("offset"))
    begin, length = span[0] if offset is None else offset, span[1] - span[0]
    score = number(cells.get("score"))
    return AnnotationRow(
        line,
        cells.get("label") or "",
        cells.get("scientific"),
        begin,
        span[1] if offset is None else round(begin + length, 6),
        low_hz=number(cells.get("low")),
        high_hz=number(cells.get("high")),
        path=cells.get("path") or cells.get("file"),
        channel=whole(cells.get("channel")),
        score=score,
        by_kind=None if score is None else By.MACHINE,
        presence=Presence.UNCERTAIN if cells.get("presence") == Presence.UNCERTAIN else Presence.PRESENT,
    )
