"""Whether probabilities come true: by bins of probability, and in one number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["BINS", "ReliabilityBin", "expected_calibration_error", "reliability_bins", "wilson_interval"]

BINS = 10  # of equal width
_Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The answers whose probability lies in a span.

    Attributes
    ----------
    low, high
        The span.
    n
        How many answers it holds.
    groups
        How many recordings they are of.
    probability
        Their mean probability.
    right
        The share of them that is right.
    right_low, right_high
        The 95 % interval of that share, as `wilson_interval` gives it for as many independent answers as there are
        recordings: windows of one recording do not count as several.
    """

    low: float
    high: float
    n: int
    groups: int
    probability: float
    right: float
    right_low: float
    right_high: float


def reliability_bins(
    probabilities: np.ndarray, right: np.ndarray, groups: np.ndarray
) -> tuple[ReliabilityBin, ...]:
    """Return the bins of equal width that hold answers, from the lowest probability to the highest.

    Parameters
    ----------
    probabilities, right, groups
        ``(n,)`` each: from 0 to 1; true where the answer is right; the recording that it is of.
    """
    places = np.minimum((np.asarray(probabilities) * BINS).astype(np.int64), BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        if not inside.any():
            continue
        share, recordings = float(np.mean(right[inside])), len(np.unique(groups[inside]))
        low, high = wilson_interval(share, recordings)
        mean = float(np.mean(probabilities[inside]))
        edges = place / BINS, (place + 1) / BINS
        bins.append(ReliabilityBin(*edges, int(inside.sum()), recordings, mean, share, low, high))
    return tuple(bins)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return how far probabilities are from the shares that are right, by the mean over answers.

    ``sum(n_b / n * |right_b - probability_b|)`` over bins b (Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602).
    """
    n = sum(each.n for each in bins)
    return sum(each.n * abs(each.right - each.probability) for each in bins) / n if n else 0.0


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of n (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Examples
    --------
    >>> low, high = wilson_interval(1.0, 10)
    >>> round(low, 3), round(high, 3)
    (0.722, 1.0)
    """
    if n == 0:
        return 0.0, 1.0
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * (share * (1 - share) / n + _Z**2 / (4 * n**2)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
