"""What ``biovita bench detect`` does, as a function with the same arguments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from biovita.errors import DatasetError
from biovita.one_line import OneLine
from biovita.suggestion import suggested

if TYPE_CHECKING:
    import pyarrow as pa

    from biovita.archive.archive import Archive
    from biovita.benchmark.detection import DetectedRun
    from biovita.benchmark.detection_scores import DetectionScores
    from biovita.report.detection_page import DetectionFiles

__all__ = ["RejectedAnnotation", "ScoredDetection", "score_detection"]


@dataclass(frozen=True, slots=True)
class RejectedAnnotation:
    """A row of a file that is no annotation: its line, from 1, a reason code, and a detail."""

    file: Path
    line: int
    reason: str
    detail: str


@dataclass(frozen=True, eq=False, repr=False)
class ScoredDetection(OneLine):
    """How well a run detects what people annotated, and where that was written.

    Attributes
    ----------
    scores
        All numbers.
    annotations
        How many were read.
    read
        The files that they were read from.
    rejected
        Rows of these files that are no annotations.
    files
        ``page``, ``results``, ``taxa`` and ``curve``.
    """

    scores: DetectionScores
    annotations: int
    read: tuple[Path, ...]
    rejected: tuple[RejectedAnnotation, ...]
    files: DetectionFiles


def score_detection(
    recordings: str | Path,
    *,
    annotations: Sequence[str | Path],
    format: str,  # noqa: A002
    run: str | Path,
    out: str | Path | None = None,
    threshold: float = 0.25,
    least_overlap: float = 0.2,
    onset: float = 3.0,
    annotated: str | Path | None = None,
    codes: str | Path | None = None,
    seed: int = 0,
) -> ScoredDetection:
    """Score the events of a run of `identify` against annotations, and write a page, a JSON file and two tables.

    Parameters
    ----------
    recordings
        A recording, or a folder with those that were annotated. Others that the run has do not count.
    annotations
        Files of annotations, folders that have them, or patterns. An annotation finds its recording by its path, or by
        the name of its file.
    format
        Of these files: ``raven``, ``audacity``, ``aoef``, ``kaleidoscope``, ``csv``, ``parquet`` or ``json``.
    run
        The run: a directory that `identify` wrote.
    out
        Directory to write. None: ``detection`` in the run.
    threshold
        At which single numbers are stated; the curve has others, too.
    least_overlap
        Intersection over union that a found and an annotated event have at least, above 0 and up to 1.
    onset
        Seconds from begin to begin that they have at most, by the other criterion.
    annotated
        CSV that says which parts of recordings were annotated: ``path``, ``start_s``, ``end_s``. None: all of all.
    codes
        CSV that says what labels mean that are codes: ``code``, ``scientific_name``.
    seed
        For the intervals.

    Raises
    ------
    BiovitaError
        Where a file cannot be read, the run has none of the recordings or cannot answer the threshold, a number is out
        of range, or no annotation can be scored.
    """
    from biovita.archive.annotation_formats.find_annotations import find_annotations
    from biovita.archive.archive import Archive
    from biovita.benchmark.annotated_parts import read_annotated_parts
    from biovita.benchmark.detection import detect_scores
    from biovita.files import require_possible
    from biovita.report.detection_page import write_detection

    _check(threshold, least_overlap, onset)
    if out is not None:
        require_possible(Path(out))
    files = find_annotations(annotations, format)
    detected = _detected(Archive.open(run), Path(recordings))
    rows, rejected = _read(files, format, detected, codes)
    scores = detect_scores(
        rows,
        detected,
        threshold=threshold,
        annotated=None if annotated is None else read_annotated_parts(Path(annotated)),
        least_overlap=least_overlap,
        onset_s=onset,
        seed=seed,
    )
    place = Path(run) / "detection" if out is None else Path(out)
    return ScoredDetection(
        scores=scores,
        annotations=len(rows),
        read=files,
        rejected=rejected,
        files=write_detection(place, scores, f"Detection in {Path(recordings).name or recordings}"),
    )


def _read(
    files: Sequence[Path], format_: str, detected: DetectedRun, codes: str | Path | None
) -> tuple[pa.Table, tuple[RejectedAnnotation, ...]]:
    """Return the annotations of files, and the rows that are none."""
    import pyarrow as pa

    from biovita.archive.annotation_formats.annotation_readers import read_annotations
    from biovita.archive.annotation_formats.label_taxa import label_taxa, read_label_codes

    taxa = label_taxa(None if codes is None else read_label_codes(Path(codes)))
    read = [read_annotations(file, format_, media=detected.recordings, taxa=taxa) for file in files]
    rejected = tuple(
        RejectedAnnotation(file, row.line, row.reason, row.detail)
        for file, each in zip(files, read, strict=True)
        for row in each.rejected
    )
    return pa.concat_tables([each.annotations for each in read]), rejected


def _check(threshold: float, least_overlap: float, onset: float) -> None:
    for name, value, right, wanted in (
        ("threshold", threshold, 0 < threshold <= 1, "above 0 and up to 1"),
        ("least_overlap", least_overlap, 0 < least_overlap <= 1, "above 0 and up to 1"),
        ("onset", onset, 0 <= onset < float("inf"), "0 s or more"),
    ):
        if not right:
            raise DatasetError(f"{name} is {value:g}. It has to be {wanted}")


def _detected(archive: Archive, place: Path) -> DetectedRun:
    """Return what a run heard in the recordings that lie at a place."""
    import pyarrow.compute as pc

    from biovita.benchmark.detection import DetectedRun
    from biovita.identification.identify_run import RECORD
    from biovita.jsonfile import read_json

    file = archive.path / RECORD
    record = read_json(file, DatasetError) if file.is_file() else None
    if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
        raise DatasetError(
            f"{archive.path} has no scores: no {RECORD} says so. Run: {suggested('identify', archive.path)}"
        )
    if not isinstance(record.get("hop_s"), int | float):
        raise DatasetError(f"{archive.path}: the run has heard no recordings, so there are no events to score")
    recordings = _within(archive.table("recordings"), place, archive.path)
    windows = archive.table("windows")
    mine = pc.is_in(windows["media_id"], recordings["id"].combine_chunks())
    made = {"run": archive.path.name, **{key: record["model"].get(key) for key in ("name", "revision")}}
    return DetectedRun(windows.filter(mine), archive.table("candidates"), recordings, float(record["hop_s"]), made)


def _within(recordings: pa.Table, place: Path, run: Path) -> pa.Table:
    """Return the recordings of a run that lie at a place, or below it."""
    import pyarrow as pa

    root = Path(os.path.abspath(place.expanduser()))  # noqa: PTH100 - links stay as they are named, as runs name them
    if not root.exists():
        raise DatasetError(f"{place} does not exist")
    real = root.resolve()
    places = zip(recordings["dataset"].to_pylist(), recordings["path"].to_pylist(), strict=True)
    paths = [Path(dataset or "", path) for dataset, path in places]
    mine = [path.is_relative_to(root) or path.resolve().is_relative_to(real) for path in paths]
    if not any(mine):
        there = f"; the first is {paths[0]}" if paths else ""
        raise DatasetError(
            f"none of the {len(paths):,} recordings of the run {run} is {place} or lies below it{there}. Run: biovita "
            f"identify {place} --out RUN"
        )
    return recordings.filter(pa.array(mine))
