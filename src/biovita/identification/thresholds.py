"""From which score on a taxon's answers are as precise as is wanted, by labelled scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.errors import BiovitaError
from biovita.identification.labelled_scores import LabelledScores
from biovita.identification.reliability_bins import wilson_interval

__all__ = ["LEAST_RIGHT", "ScoreThreshold", "thresholds_at"]

LEAST_RIGHT = 10  # right answers about a taxon that give it a threshold of its own


@dataclass(frozen=True, slots=True)
class ScoreThreshold:
    """The smallest score from which on a share of the answers is right.

    Attributes
    ----------
    candidate
        Number of the candidate; None is all taxa together.
    threshold
        None where no score is precise enough.
    n, right
        How many labelled scores there are, and how many are right.
    kept, kept_right
        How many of them reach the threshold.
    low, high
        The 95 % interval of the precision there, `wilson_interval` at the number of recordings.
    pooled
        Whether the taxon has too few labels, and the threshold is that of all taxa together.
    """

    candidate: int | None
    threshold: float | None
    n: int
    right: int
    kept: int
    kept_right: int
    low: float
    high: float
    pooled: bool = False


def thresholds_at(precision: float, labelled: LabelledScores) -> tuple[ScoreThreshold, ...]:
    """Return the threshold of all taxa together, and then of each that has labelled scores, by its number.

    A threshold is the smallest labelled score from which on at least ``precision`` of the scores are right, all scores
    of the same size together. A taxon with fewer than `LEAST_RIGHT` right answers has that of all taxa.

    Parameters
    ----------
    precision
        Wanted share of right answers, above 0 and up to 1.

    Raises
    ------
    BiovitaError
        Where the precision is out of range.
    """
    if not 0 < precision <= 1:
        raise BiovitaError(f"the wanted precision is {precision}. Give a share above 0 and up to 1, such as 0.9")
    everything = np.arange(len(labelled.scores))
    overall = _smallest_score(labelled, everything, precision)
    order = np.argsort(labelled.candidates, kind="stable")
    numbers, starts = np.unique(labelled.candidates[order], return_index=True)
    found = [_threshold(labelled, everything, overall, None)]
    for number, rows in zip(numbers, np.split(order, starts[1:]), strict=True):
        has_own = int(labelled.right[rows].sum()) >= LEAST_RIGHT
        threshold = _smallest_score(labelled, rows, precision) if has_own else overall
        found.append(_threshold(labelled, rows, threshold, int(number), pooled=not has_own))
    return tuple(found)


def _smallest_score(labelled: LabelledScores, rows: np.ndarray, precision: float) -> float | None:
    scores, right = labelled.scores[rows], labelled.right[rows]
    order = np.argsort(-scores, kind="stable")
    scores, right_above = scores[order], np.cumsum(right[order])
    ends = np.flatnonzero(np.append(scores[1:] < scores[:-1], len(scores) > 0))  # the last of each size
    enough = ends[right_above[ends] / (ends + 1) >= precision]
    return float(scores[enough[-1]]) if len(enough) else None


def _threshold(
    labelled: LabelledScores,
    rows: np.ndarray,
    threshold: float | None,
    candidate: int | None,
    *,
    pooled: bool = False,
) -> ScoreThreshold:
    kept = rows[labelled.scores[rows] >= threshold] if threshold is not None else rows[:0]
    n_kept, n_right = len(kept), int(labelled.right[kept].sum())
    low, high = wilson_interval(n_right / n_kept if n_kept else 0.0, len(np.unique(labelled.groups[kept])))
    return ScoreThreshold(
        candidate, threshold, len(rows), int(labelled.right[rows].sum()), n_kept, n_right, low, high, pooled
    )
