"""Tables of annotations with a header: those of BirdNET and its kin, BirdSet, WABAD, monitoR, Kaleidoscope, Raven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from biovita.archive.annotation_formats.annotation_rows import AnnotationRow, Reading, span_of
from biovita.archive.archive_tables import By
from biovita.csv_table import BrokenRow, CsvRow, CsvTable, open_csv
from biovita.errors import DatasetError
from biovita.values import number, whole

__all__ = ["SCIENTIFIC", "Named", "cells_of", "open_named", "peer_rows"]

_LABELS = (
    *("Annotation", "Species", "annotation", "species", "Scientific Name", "Scientific name", "scientific_name"),
    *(
        "species_name",
        "Common Name",
        "Common name",
        "common_name",
        "ebird_code",
        "Species Code",
        "specie",
        "label",
    ),
    *("Label", "name", "class", "Class", "Tags", "tag"),
)
SCIENTIFIC = ("Scientific Name", "Scientific name", "scientific_name", "ScientificName")
"""Columns that hold scientific names."""
_CANDIDATES: Mapping[str, Sequence[str]] = {
    "scientific": SCIENTIFIC,
    "start": (
        *(
            "Start (s)",
            "start_s",
            "start_time",
            "Begin Time (s)",
            "Start Time (s)",
            "start.time",
            "start",
            "Start",
        ),
        *("onset", "begin_time", "onset_s", "OFFSET"),
    ),
    "end": (*("End (s)", "end_s", "end_time", "End Time (s)", "end.time", "end", "End", "offset", "offset_s"),),
    "length": ("DURATION", "Duration (s)", "duration"),
    "low": ("Low Freq (Hz)", "low_hz", "low_freq", "low_frequency", "min_freq", "low_f", "freq_low"),
    "high": ("High Freq (Hz)", "high_hz", "high_freq", "high_frequency", "max_freq", "high_f", "freq_high"),
    "low_khz": ("min.frq", "Low Freq (kHz)"),
    "high_khz": ("max.frq", "High Freq (kHz)"),
    "file": (
        *("File", "path", "filepath", "Begin Path", "file", "filename", "input", "audio_file", "Begin File"),
        *("Recording", "recording", "IN FILE"),
    ),
    "folder": ("FOLDER",),
    "above": ("INDIR",),
    "channel": ("Channel", "channel", "CHANNEL"),
    "score": ("Confidence", "confidence", "score", "Score", "probability", "TOP1DIST"),
    "manual": ("MANUAL ID", "MANUAL_ID"),
    "match": ("TOP1MATCH", "TOP1MATCH*", "AUTO ID", "AUTO ID*"),
}


@dataclass(frozen=True, eq=False)
class Named:
    """A table, and for what is looked for the column that holds it."""

    table: CsvTable
    columns: Mapping[str, str]


def open_named(
    path: Path, candidates: Mapping[str, Sequence[str]], reading: Reading, delimiter: str | None = None
) -> Named:
    """Open a table, and find of each kind of column the first candidate that it has, labels among them.

    Raises
    ------
    DatasetError
        Where there is no column of labels, or not the one that was named.
    """
    wanted = {**candidates, "label": _LABELS if reading.label_column is None else (reading.label_column,)}
    table = open_csv(
        path, [name for names in wanted.values() for name in names], delimiter=delimiter, short_rows=True
    )
    found = {
        kind: next(name for name in names if name in table.columns)
        for kind, names in wanted.items()
        if any(name in table.columns for name in names)
    }
    if not {"label", "manual", "match"} & set(found) or ("label" not in found and reading.label_column):
        named = f"no column {reading.label_column!r}" if reading.label_column else "no column of labels"
        columns = ", ".join((*table.columns.values(), *table.ignored))
        raise DatasetError(
            f"{path}, line 1: there is {named}. Columns: {columns[:1000]}. Name the one that holds them"
        )
    return Named(table, found)


def cells_of(named: Named, row: CsvRow) -> dict[str, str | None]:
    """Return the cells of a row by what they are."""
    return {kind: row.values[column] for kind, column in named.columns.items()}


def peer_rows(path: Path, reading: Reading) -> Iterator[AnnotationRow | BrokenRow]:
    """Yield the rows of a table whose columns have one of the names that programs and data sets give them.

    Frequencies are in Hz, those of monitoR in kHz. Of Kaleidoscope the manual identification counts where there is one,
    and channels count from 0. Who gives a score is a machine.

    Raises
    ------
    DatasetError
        Where there is no column of labels, or none of begins.
    """
    named = open_named(path, _CANDIDATES, reading)
    if "start" not in named.columns or not {"end", "length"} & set(named.columns):
        columns = ", ".join((*named.table.columns.values(), *named.table.ignored))
        raise DatasetError(
            f"{path}, line 1: there is no column of begins and ends in seconds. Columns: {columns[:1000]}"
        )
    for row in named.table:
        yield row if isinstance(row, BrokenRow) else _peer_row(row.line, cells_of(named, row), named.columns)


def _peer_row(line: int, cells: Mapping[str, str | None], columns: Mapping[str, str]) -> AnnotationRow | BrokenRow:
    span = span_of(line, cells.get("start"), cells.get("end"), cells.get("length"))
    if isinstance(span, BrokenRow):
        return span
    kaleidoscope = "label" not in columns
    manual = cells.get("manual")
    label = manual or cells.get("match") if kaleidoscope else cells.get("label")
    score = number(cells.get("score")) if not (kaleidoscope and manual) else None
    by_kind = By.HUMAN if kaleidoscope and manual else By.MACHINE if score is not None else None
    channel = whole(cells.get("channel"))
    return AnnotationRow(
        line,
        label or "",
        cells.get("scientific"),
        *span,
        low_hz=_hertz(cells, "low"),
        high_hz=_hertz(cells, "high"),
        path=_path(cells),
        channel=channel + 1 if kaleidoscope and channel is not None else channel,
        score=score,
        by_kind=by_kind,
    )


def _hertz(cells: Mapping[str, str | None], kind: str) -> float | None:
    in_khz = number(cells.get(f"{kind}_khz"))
    return number(cells.get(kind)) if in_khz is None else round(in_khz * 1000, 6)


def _path(cells: Mapping[str, str | None]) -> str | None:
    parts = [part.replace("\\", "/") for kind in ("above", "folder", "file") if (part := cells.get(kind))]
    return PurePosixPath(*parts).as_posix() if cells.get("file") else None
