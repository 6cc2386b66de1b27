"""What a run got on annotated recordings, as rows of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from biovita.benchmark.detection_truth import NotScored

__all__ = ["PRECISION", "DetectionScores", "Estimate", "EventRow", "OperatingPoint", "SegmentRow"]

PRECISION = 0.9  # at which false detections an hour are stated


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % bootstrap interval over recordings; None where it is not defined, or of one recording."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class EventRow:
    """Events at one threshold.

    Attributes
    ----------
    taxon, taxon_id
        None of all taxa together.
    criterion
        What makes a found and an annotated event a pair: ``overlap`` or ``onset``.
    annotated, found, right
        Events. Those found where it is not known what is there are not counted.
    """

    taxon: str | None
    taxon_id: str | None
    criterion: str
    threshold: float
    annotated: int
    found: int
    right: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """How well the scores of a taxon tell the segments in which it is annotated from all others."""

    taxon: str
    taxon_id: str
    present: int
    segments: int
    average_precision: Estimate
    auroc: Estimate


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Of one criterion, the threshold with the largest recall among those that reach a precision."""

    criterion: str
    precision: float
    threshold: float
    recall: float
    false_per_hour: float


@dataclass(frozen=True, eq=False)
class DetectionScores:
    """What a run got on annotated recordings.

    Attributes
    ----------
    recordings, hours
        That were annotated, as far as they were.
    overall
        Events of all taxa at ``threshold``, a row a criterion.
    taxa
        Likewise by taxon, of the criterion ``overlap``: all that were annotated or found.
    curve
        Events of all taxa at each threshold that the run can answer, by criterion.
    not_answered
        Thresholds that it cannot answer.
    mean_f1, mean_average_precision, mean_auroc
        Means over the annotated taxa: of their F1 at ``threshold``, and of `SegmentRow`.
    chance
        What a random order of the segments has as class-mean average precision, about.
    segments
        By annotated taxon.
    at_precision
        By criterion, where one of the thresholds reaches `PRECISION`.
    neither
        Events found at ``threshold`` where it is not known what is there.
    too_short
        Annotated events that no single window can overlap as much as the criterion asks.
    not_scored
        Annotations that say nothing of the run, and why.
    """

    recordings: int
    hours: float
    threshold: float
    overall: tuple[EventRow, ...]
    taxa: tuple[EventRow, ...]
    curve: tuple[EventRow, ...]
    not_answered: tuple[float, ...]
    mean_f1: Estimate
    mean_average_precision: Estimate
    mean_auroc: Estimate
    chance: float | None
    segments: tuple[SegmentRow, ...]
    at_precision: tuple[OperatingPoint, ...]
    neither: int
    too_short: int
    not_scored: tuple[NotScored, ...]
    made: Mapping[str, Any] = field(default_factory=dict)
