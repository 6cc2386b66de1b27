"""Recordings cut into segments, and how well scores tell those that hold a taxon from those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.benchmark.detection_truth import Spans

__all__ = ["SEGMENT_S", "SegmentValues", "Segments", "drawn_values"]

SEGMENT_S = 5.0  # as in BirdCLEF and BirdSet
_SHARE = 0.5  # of the shorter of both, which a segment has to share with a window or an event


@dataclass(frozen=True, eq=False)
class Segments:
    """The segments of all recordings in a row, from the begin of each file; the last of a file may be shorter.

    Attributes
    ----------
    first
        ``(recordings + 1,)`` number of the first segment of each.
    counts
        ``(segments,)`` whether its middle lies in what was annotated.
    """

    first: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, ends: np.ndarray, annotated: Spans) -> Segments:
        """Return the segments of recordings that end at ``ends``, in seconds."""
        numbers = np.ceil(ends / SEGMENT_S - 1e-9).astype(np.int64).clip(1)
        first = np.concatenate([[0], np.cumsum(numbers)])
        counts = np.zeros(first[-1], bool)
        for media, start, end in zip(annotated.media, annotated.start, annotated.end, strict=True):
            begins = np.arange(numbers[media]) * SEGMENT_S
            middles = (begins + np.minimum(begins + SEGMENT_S, ends[media])) / 2
            counts[first[media] + np.flatnonzero((start <= middles) & (middles <= end))] = True
        return cls(first, counts)

    @property
    def media(self) -> np.ndarray:
        """``(segments,)`` row of the recording of each."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def holding(self, spans: Spans) -> np.ndarray:
        """Return the numbers of the segments that share half of the shorter with one of the spans, each once."""
        return np.unique(self._met(spans, _SHARE)[1])

    def touched(self, spans: Spans) -> np.ndarray:
        """Return the numbers of the segments that share some time with the spans, each once."""
        return np.unique(self._met(spans, 0.0)[1])

    def scored(self, windows: Spans, scores: np.ndarray) -> np.ndarray:
        """Return ``(segments,)`` the largest score of the windows that share half of the shorter with each; or 0."""
        row, segment = self._met(windows, _SHARE)
        largest = np.zeros(self.first[-1], np.float32)
        np.maximum.at(largest, segment, scores[row])
        return largest

    def _met(self, spans: Spans, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return places of spans, and numbers of segments that they share more than nothing and ``share`` with."""
        begin = np.floor(spans.start / SEGMENT_S).astype(np.int64)
        most = int(np.ceil((spans.end - spans.start).max(initial=0) / SEGMENT_S)) + 1
        sizes = np.diff(self.first)[spans.media]
        rows, segments = [], []
        for step in range(most):
            number = begin + step
            shared = np.minimum(spans.end, (number + 1) * SEGMENT_S) - np.maximum(spans.start, number * SEGMENT_S)
            least = share * np.minimum(spans.end - spans.start, SEGMENT_S)
            here = np.flatnonzero((shared > 0) & (shared >= least - 1e-9) & (number < sizes) & (number >= 0))
            rows.append(here)
            segments.append(self.first[spans.media[here]] + number[here])
        return np.concatenate(rows), np.concatenate(segments)


@dataclass(frozen=True, eq=False)
class SegmentValues:
    """Average precision and area under the ROC curve, ``(draws,)`` each; NaN where it is not defined."""

    average_precision: np.ndarray
    auroc: np.ndarray


def drawn_values(
    scores: np.ndarray, is_there: np.ndarray, media: np.ndarray, weights: np.ndarray
) -> SegmentValues:
    """Return the values of weighted segments, for each draw of weights; ties share a threshold, as in scikit-learn.

    Parameters
    ----------
    scores, is_there, media
        ``(segments,)`` score, whether the taxon is there, and the row of the recording.
    weights
        ``(draws, recordings)`` how often each recording counts.
    """
    order = np.argsort(-scores[scores > 0], kind="stable")
    heard = np.flatnonzero(scores > 0)[order]
    ends = (
        np.append(np.flatnonzero(np.diff(scores[heard])), len(heard) - 1) if len(heard) else np.empty(0, np.int64)
    )
    silent = scores <= 0
    sizes = [
        np.bincount(media[silent & wanted], minlength=weights.shape[1]).astype(float)
        for wanted in (is_there, ~is_there)
    ]
    silent_true, silent_false = (weights @ size for size in sizes)
    precisions, areas = np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    for draw, each in enumerate(weights):
        weight = each[media[heard]]
        true = np.cumsum(weight * is_there[heard])[ends]
        false = np.cumsum(weight * ~is_there[heard])[ends]
        true = np.append(true, (true[-1] if len(true) else 0.0) + silent_true[draw])
        false = np.append(false, (false[-1] if len(false) else 0.0) + silent_false[draw])
        if not true[-1]:
            continue
        gained = np.diff(true, prepend=0.0)
        both = true + false
        precisions[draw] = (gained * np.divide(true, both, out=np.zeros(len(both)), where=both > 0)).sum() / true[
            -1
        ]
        if false[-1]:
            above = true - gained / 2
            areas[draw] = (np.diff(false, prepend=0.0) * above).sum() / (true[-1] * false[-1])
    return SegmentValues(precisions, areas)
