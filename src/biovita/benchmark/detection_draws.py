"""Events counted by recording, and what follows for precision, recall and F1 when recordings are drawn anew."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from biovita.benchmark.detection_match import matched, touches
from biovita.benchmark.detection_scores import Estimate, EventRow
from biovita.benchmark.detection_truth import Spans, Truth
from biovita.benchmark.scores import interval_of

__all__ = ["CandidateNames", "Counts", "Draws", "estimate", "mean_of"]

_DRAWS = 1000


@dataclass(frozen=True, eq=False)
class Counts:
    """Events of one threshold and criterion.

    Attributes
    ----------
    is_right
        ``(found,)`` whether it is in a pair.
    neither
        How many more were found where it is not known what is there.
    """

    annotated: Spans
    found: Spans
    is_right: np.ndarray
    neither: int

    @classmethod
    def of(cls, found: Spans, truth: Truth, criterion: Mapping[str, float]) -> Counts:
        """Pair events by one of the conditions of `matched`."""
        right, _ = matched(found, truth.present, **criterion)
        counted = right | ~touches(found, truth.open)
        return cls(truth.present, found.take(counted), right[counted], int((~counted).sum()))

    def by_recording(self, number: int, candidate: int | None = None) -> np.ndarray:
        """Return ``(3, recordings)``: events annotated, found and right."""
        mine = slice(None) if candidate is None else self.annotated.candidate == candidate
        theirs = slice(None) if candidate is None else self.found.candidate == candidate
        found, right = self.found.media[theirs], self.is_right[theirs]
        return np.stack(
            [np.bincount(each, minlength=number) for each in (self.annotated.media[mine], found, found[right])]
        )


@dataclass(frozen=True)
class CandidateNames:
    """What the candidates are called, by their numbers."""

    scientific: Sequence[str]
    ids: Sequence[str]


@dataclass(frozen=True, eq=False)
class Draws:
    """How often each recording counts: once in the first row, and in the others as they were drawn with replacement."""

    weights: np.ndarray

    @classmethod
    def of(cls, number: int, parts: Spans, seed: int) -> Draws:
        """Draw of ``number`` recordings those that have annotated parts."""
        scored = np.unique(parts.media)
        once = np.zeros((1, number))
        once[0, scored] = 1
        if len(scored) < 2:
            return cls(once)
        drawn = np.zeros((_DRAWS, number))
        rng = np.random.default_rng([seed, zlib.crc32(b"detection")])
        drawn[:, scored] = rng.multinomial(len(scored), np.full(len(scored), 1 / len(scored)), _DRAWS)
        return cls(np.concatenate([once, drawn]))

    def event_row(
        self, counts: Counts, criterion: str, threshold: float, candidate: int | None = None
    ) -> EventRow:
        """Return the row of one candidate, which is not yet named, or of all."""
        each = counts.by_recording(self.weights.shape[1], candidate)
        annotated, found, right = (self.weights @ row for row in each)
        numbers = each.sum(axis=1).tolist()
        return EventRow(
            taxon=None,
            taxon_id=None,
            criterion=criterion,
            threshold=threshold,
            annotated=numbers[0],
            found=numbers[1],
            right=numbers[2],
            precision=estimate(_ratio(right, found)),
            recall=estimate(_ratio(right, annotated)),
            f1=estimate(_ratio(2 * right, annotated + found)),
        )

    def taxon_rows(
        self, counts: Counts, criterion: str, threshold: float, names: CandidateNames
    ) -> tuple[EventRow, ...]:
        """Return a row a taxon that was annotated or found, by name."""
        taxa = np.union1d(counts.annotated.candidate, counts.found.candidate).tolist()
        return tuple(
            replace(
                self.event_row(counts, criterion, threshold, taxon),
                taxon=names.scientific[taxon],
                taxon_id=names.ids[taxon],
            )
            for taxon in sorted(taxa, key=names.scientific.__getitem__)
        )

    def mean_f1(self, counts: Counts) -> Estimate:
        """Return the mean F1 of the annotated taxa; in each draw, of those that it has annotated."""
        values = []
        for taxon in np.unique(counts.annotated.candidate).tolist():
            annotated, found, right = (
                self.weights @ row for row in counts.by_recording(self.weights.shape[1], taxon)
            )
            values.append(np.where(annotated > 0, _ratio(2 * right, annotated + found), np.nan))
        return estimate(mean_of(values))


def estimate(drawn: np.ndarray) -> Estimate:
    """Return the first value, and the interval of the others, as far as they are defined."""
    value = None if np.isnan(drawn[0]) else float(drawn[0])
    others = drawn[1:][~np.isnan(drawn[1:])]
    if value is None or not len(others):
        return Estimate(value)
    return Estimate(value, *interval_of(others))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def mean_of(values: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean over taxa of each draw, of those that are defined in it; NaN where none is."""
    table = np.stack(values)
    defined = ~np.isnan(table)
    return _ratio(np.where(defined, table, 0.0).sum(axis=0), defined.sum(axis=0))
