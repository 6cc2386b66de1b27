"""How well a run of ``biovita identify`` detects what people annotated: by event, and by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.archive.archive_tables import Kind
from biovita.benchmark.detection_draws import CandidateNames, Counts, Draws, estimate, mean_of
from biovita.benchmark.detection_scores import (
    PRECISION,
    DetectionScores,
    Estimate,
    EventRow,
    OperatingPoint,
    SegmentRow,
)
from biovita.benchmark.detection_segments import SEGMENT_S, Segments, drawn_values
from biovita.benchmark.detection_truth import Spans, Truth, annotated_spans, asked_for, parts_not_in_run, truth_of
from biovita.errors import BiovitaError
from biovita.identification.event_runs import KeptScores, ends_of, kept_scores, runs_in, thresholds_of
from biovita.identification.events import check_threshold, floor_of

__all__ = ["LEAST_OVERLAP", "ONSET_S", "THRESHOLDS", "DetectedRun", "detect_scores"]

LEAST_OVERLAP = 0.2  # intersection over union
ONSET_S = 3.0  # a window of BirdNET: a call may lie anywhere in the first window that has it
_SHOWN = 5
THRESHOLDS = (*(round(0.05 * step, 2) for step in range(1, 20)), 0.99)


@dataclass(frozen=True, eq=False)
class DetectedRun:
    """What a run of ``biovita identify`` wrote: rows of `WINDOWS`, `CANDIDATES` and `RECORDINGS`.

    Attributes
    ----------
    hop_s
        Seconds from the begin of a window to that of the next.
    made
        What it was made with, for who reads the scores.
    """

    windows: pa.Table
    candidates: pa.Table
    recordings: pa.Table
    hop_s: float
    made: Mapping[str, Any] = field(default_factory=dict)


def detect_scores(
    annotations: pa.Table,
    run: DetectedRun,
    *,
    threshold: float,
    thresholds: Sequence[float] = THRESHOLDS,
    annotated: pa.Table | None = None,
    least_overlap: float = LEAST_OVERLAP,
    onset_s: float = ONSET_S,
    seed: int = 0,
) -> DetectionScores:
    """Score a run against annotations.

    Events are compared as `biovita.benchmark.detection_match.matched` says, at each threshold. A segment of 5 s holds
    an event, and has the score of a window, where both share half of the shorter; the largest score counts, and 0
    where none was kept. A taxon that the run names and nobody annotated counts as wrongly found wherever it is found.
    A run with a list answers with its taxa alone. Of sounds that are no taxa, only those are scored that were
    annotated.

    Parameters
    ----------
    annotations
        Rows of `ANNOTATIONS`; see `biovita.benchmark.detection_truth.truth_of`.
    threshold
        At which single numbers are stated.
    thresholds
        Of the curve; those that the run cannot answer are left out.
    annotated
        Which parts of recordings were annotated: ``path``, ``start_s``, ``end_s``. None: all of all of them.
    least_overlap, onset_s
        Intersection over union at least, and seconds from begin to begin at most, of a pair.
    seed
        For the intervals.

    Raises
    ------
    BiovitaError
        Where the run cannot answer ``threshold``, or no annotation can be scored.
    """
    candidates, recordings = run.candidates, run.recordings
    parts = annotated_spans(recordings, annotated)
    truth = truth_of(annotations, candidates, recordings, parts)
    if not len(truth.present.start):
        raise BiovitaError(_nothing(truth, recordings))
    wanted = _wanted(candidates, truth)
    asked, refused = _answered(sorted({threshold, *thresholds}), wanted, run, threshold)
    found, heard = _found(run, np.where(wanted, 1.0, np.inf), asked, truth, parts)
    draws = Draws.of(recordings.num_rows, parts, seed)
    names = CandidateNames(candidates["scientific_name"].to_pylist(), candidates["taxon_id"].to_pylist())
    settings = {"least_overlap": least_overlap, "onset_s": onset_s}
    criteria = {"overlap": {"least_overlap": least_overlap}, "onset": {"onset_s": onset_s}}
    counts = {
        (name, at): Counts.of(found[at], truth, criterion) for name, criterion in criteria.items() for at in asked
    }
    curve = tuple(draws.event_row(mine, name, at) for (name, at), mine in counts.items())
    main = counts["overlap", threshold]
    hours = float((parts.end - parts.start).sum()) / 3600
    segments, mean_ap, mean_auroc = _segments(heard, truth, Segments.of(ends_of(recordings), parts), draws, names)
    shares = [row.present / row.segments for row in segments if row.segments]
    return DetectionScores(
        recordings=len(np.unique(parts.media)),
        hours=hours,
        threshold=threshold,
        overall=tuple(row for row in curve if row.threshold == threshold),
        taxa=draws.taxon_rows(main, "overlap", threshold, names),
        curve=curve,
        not_answered=tuple(refused),
        mean_f1=draws.mean_f1(main),
        mean_average_precision=mean_ap,
        mean_auroc=mean_auroc,
        chance=float(np.mean(shares)) if shares else None,
        segments=segments,
        at_precision=_at_precision(curve, hours),
        neither=main.neither,
        too_short=_too_short(truth.present, run.windows, least_overlap),
        not_scored=(*truth.not_scored, *parts_not_in_run(recordings, annotated)),
        made={**run.made, **settings, "hop_s": run.hop_s, "segment_s": SEGMENT_S, "seed": seed},
    )


def _nothing(truth: Truth, recordings: pa.Table) -> str:
    reasons = ", ".join(f"{each.count} {each.what} ({each.reason})" for each in truth.not_scored[:_SHOWN])
    message = (
        "no annotation can be scored: none is of a taxon that the run can name, in one of its recordings. "
        f"There are: {reasons or 'no annotations'}"
    )
    if any(each.reason == "not-in-run" for each in truth.not_scored):
        names = [PurePath(path).name for path in recordings["path"][:_SHOWN].to_pylist()]
        more = f" and {len(recordings) - len(names):,} more" if len(recordings) > len(names) else ""
        message += f". The recordings are {', '.join(names)}{more}"
    return message


def _wanted(candidates: pa.Table, truth: Truth) -> np.ndarray:
    """Return ``(candidates,)`` whether it is scored: taxa that the run may answer with, and what else was annotated."""
    wanted = asked_for(candidates) & (candidates["kind"].to_numpy() == Kind.TAXON)
    wanted[truth.present.candidate] = True
    return wanted


def _answered(
    thresholds: Sequence[float], wanted: np.ndarray, run: DetectedRun, main: float
) -> tuple[list[float], list[float]]:
    """Return the thresholds that the run can answer, and those that it cannot; ``main`` it has to answer."""
    floor = floor_of(run.windows)
    check_threshold(np.where(wanted, main, np.inf), run.candidates, floor)
    answered, refused = [], []
    for threshold in thresholds:
        try:
            check_threshold(np.where(wanted, threshold, np.inf), run.candidates, floor)
        except BiovitaError:
            refused.append(threshold)
        else:
            answered.append(threshold)
    return answered, refused


def _found(
    run: DetectedRun, asked: np.ndarray, thresholds: Sequence[float], truth: Truth, parts: Spans
) -> tuple[dict[float, Spans], tuple[Spans, np.ndarray]]:
    """Return the events at each threshold, and all that was kept of the annotated taxa: windows and their scores.

    ``asked`` is 1 for each candidate that is scored, and infinite for all others.
    """
    ends = ends_of(run.recordings)
    bounds = {at: thresholds_of(at * asked, run.candidates) for at in thresholds}
    is_true = np.zeros(len(asked), bool)
    is_true[truth.present.candidate] = True
    least = np.where(is_true, np.nextafter(np.float32(0), np.float32(1)), bounds[min(thresholds)][1])
    found: dict[float, list[Spans]] = {at: [] for at in thresholds}
    heard: list[KeptScores] = []
    ordered = run.windows.sort_by([("media_id", "ascending"), ("start_s", "ascending")])
    for kept in kept_scores(ordered.to_batches(max_chunksize=4096), run.recordings, run.candidates, least):
        heard.append(kept.take(is_true[kept.candidate]))
        for at, (enter, leave) in bounds.items():
            runs = runs_in(kept, enter, leave, ends, run.hop_s)
            events = Spans(runs.best.media, runs.best.candidate, runs.start, runs.end)
            found[at].append(events.take(_inside(events, parts)))
    rows = [Spans(k.media, k.candidate, k.start, np.minimum(k.end, ends[k.media])) for k in heard]
    scores = np.concatenate([k.score for k in heard]) if heard else np.empty(0, np.float32)
    return {at: _joined(events) for at, events in found.items()}, (_joined(rows), scores)


def _inside(events: Spans, parts: Spans) -> np.ndarray:
    """Return whether the middle of each event lies in what was annotated."""
    middle, inside = (events.start + events.end) / 2, np.zeros(len(events.start), bool)
    order = np.argsort(events.media, kind="stable")
    first = np.searchsorted(events.media[order], parts.media)
    last = np.searchsorted(events.media[order], parts.media, side="right")
    for begin, stop, start, end in zip(first, last, parts.start, parts.end, strict=True):
        mine = order[begin:stop]
        inside[mine] |= (start <= middle[mine]) & (middle[mine] <= end)
    return inside


def _joined(parts: Sequence[Spans]) -> Spans:
    empty = np.empty(0, np.int64)
    columns = (
        [getattr(part, name) for part in parts] or [empty] for name in ("media", "candidate", "start", "end")
    )
    return Spans(*(np.concatenate(column) for column in columns))


def _segments(
    heard: tuple[Spans, np.ndarray], truth: Truth, segments: Segments, draws: Draws, names: CandidateNames
) -> tuple[tuple[SegmentRow, ...], Estimate, Estimate]:
    """Return the rows of the annotated taxa, and the means over them."""
    spans, scores = heard
    media, rows, precisions, areas = segments.media, [], [], []
    for taxon in np.unique(truth.present.candidate).tolist():
        mine = spans.candidate == taxon
        largest = segments.scored(spans.take(mine), scores[mine])
        is_there = np.zeros(len(media), bool)
        is_there[segments.holding(truth.present.take(truth.present.candidate == taxon))] = True
        counts = segments.counts.copy()
        unsure = segments.touched(truth.open.take(truth.open.candidate == taxon))
        counts[unsure[~is_there[unsure]]] = False
        found = drawn_values(largest[counts], is_there[counts], media[counts], draws.weights)
        precisions.append(found.average_precision)
        areas.append(found.auroc)
        rows.append(
            SegmentRow(
                names.scientific[taxon],
                names.ids[taxon],
                int(is_there[counts].sum()),
                int(counts.sum()),
                estimate(found.average_precision),
                estimate(found.auroc),
            )
        )
    ordered = tuple(sorted(rows, key=lambda row: row.taxon))
    return ordered, estimate(mean_of(precisions)), estimate(mean_of(areas))


def _at_precision(curve: Sequence[EventRow], hours: float) -> tuple[OperatingPoint, ...]:
    points = []
    for criterion in dict.fromkeys(row.criterion for row in curve):
        mine = [row for row in curve if row.criterion == criterion and (row.precision.value or 0) >= PRECISION]
        if mine:
            best = max(mine, key=lambda row: (row.right, row.threshold))
            wrong = (best.found - best.right) / hours
            points.append(OperatingPoint(criterion, PRECISION, best.threshold, best.recall.value or 0.0, wrong))
    return tuple(points)


def _too_short(present: Spans, windows: pa.Table, least_overlap: float) -> int:
    """Return how many annotated events are too short: an event that is found has the length of a window at least."""
    lasts = windows["end_s"].to_numpy() - windows["start_s"].to_numpy()
    shortest = float(np.nanmedian(lasts)) if len(lasts) else 0.0
    return int(((present.end - present.start) < least_overlap * shortest).sum())
