"""Which detected events are which annotated ones: pairs of one recording and one taxon, each event in one at most."""

from __future__ import annotations

import numpy as np

from biovita.benchmark.detection_truth import Spans

__all__ = ["matched", "overlap", "touches"]

_SLACK = 1.0  # seconds; nearby pairs are looked up with it and then compared exactly


def matched(
    found: Spans, truth: Spans, *, least_overlap: float | None = None, onset_s: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the found and which of the true events are in a pair, as two masks.

    Pairs are those of a largest set in which no event is twice (a maximum bipartite matching, as in mir_eval and
    sed_eval), so how many there are does not depend on an order. Two events may be a pair where both conditions that
    are given hold.

    Parameters
    ----------
    least_overlap
        Duration of the intersection over that of the union, at least.
    onset_s
        Seconds from one begin to the other, at most.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    left, right = _near(found, truth, onset_s or 0.0)
    fits = np.ones(len(left), bool)
    if least_overlap is not None:
        fits &= overlap(found.take(left), truth.take(right)) >= least_overlap
    if onset_s is not None:
        fits &= np.abs(found.start[left] - truth.start[right]) <= onset_s
    shape = len(found.start), len(truth.start)
    is_found, is_true = np.zeros(shape[0], bool), np.zeros(shape[1], bool)
    if fits.any():
        graph = csr_matrix((np.ones(int(fits.sum()), np.int8), (left[fits], right[fits])), shape)
        partner = maximum_bipartite_matching(graph, perm_type="column")
        is_found[partner >= 0] = True
        is_true[partner[partner >= 0]] = True
    return is_found, is_true


def overlap(first: Spans, second: Spans) -> np.ndarray:
    """Return intersection over union of spans, pair by pair; 0 for two of no duration."""
    shared = np.minimum(first.end, second.end) - np.maximum(first.start, second.start)
    union = np.maximum(first.end, second.end) - np.minimum(first.start, second.start)
    return np.divide(shared.clip(0), union, out=np.zeros(len(union)), where=union > 0)


def touches(found: Spans, spans: Spans) -> np.ndarray:
    """Return which found events share some time with one of the spans of their recording and candidate, a mask."""
    left, right = _near(found, spans, 0.0)
    shares = np.minimum(found.end[left], spans.end[right]) > np.maximum(found.start[left], spans.start[right])
    mask = np.zeros(len(found.start), bool)
    mask[left[shares]] = True
    return mask


def _near(found: Spans, truth: Spans, reach_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return places of pairs of one recording and candidate: all that lie within reach, and some more."""
    if not len(found.start) or not len(truth.start):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    taxa = 1 + int(max(found.candidate.max(), truth.candidate.max()))
    mine, theirs = (spans.media * taxa + spans.candidate for spans in (found, truth))
    reach = reach_s + _SLACK
    longest = float((truth.end - truth.start).max())
    apart = 2 * (max(found.end.max(), truth.end.max()) + longest + reach) + 1  # of two keys on one line
    order = np.argsort(theirs * apart + truth.start, kind="stable")
    line = (theirs * apart + truth.start)[order]
    first = np.searchsorted(line, mine * apart + found.start - longest - reach)
    last = np.searchsorted(line, mine * apart + found.end + reach, side="right")
    counts = last - first
    left = np.repeat(np.arange(len(mine)), counts)
    steps = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    right = order[first[left] + steps]
    same = theirs[right] == mine[left]
    return left[same], right[same]
