"""The scoring kernel: similarity, maximum over a taxon's samples, rank among the candidates.

A taxon's score for a query is the largest dot product between the query and the taxon's samples. Candidates are
ranked by score, ties in candidate order. The ranks are those of exact arithmetic on the float32 vectors (up to the
rounding of double precision): products are taken in single precision, and wherever two scores lie closer together
than the error bound of a single-precision dot product, gamma_d |q| |s| with gamma_d = d u / (1 - d u), u = 2^-24
(Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), they are computed again in double precision.
Equal vectors therefore tie, on any device and with any tiling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from biovita.errors import BiovitaError

__all__ = ["MEMORY_MB", "NotFiniteError", "Ranking", "Rows", "rank_candidates"]

MEMORY_MB = 512
_UNIT = 2.0**-24  # unit roundoff of float32
_HUGE = 3e38  # near the largest float32
_TINY = 1.2e-38  # a product may lose this much to underflow
_GATHER = 50  # copying one query costs about as much as this many dot products
_LONGEST = 8192  # samples of one taxon taken at a time


class NotFiniteError(BiovitaError):
    """A vector holds NaN, an infinity, or numbers so large that a product overflows.

    Attributes
    ----------
    side
        ``query`` or ``sample``.
    row
        Its row among the vectors given.
    """

    def __init__(self, side: str, row: int) -> None:
        super().__init__(f"{side} vector {row} holds NaN, an infinity, or numbers too large to multiply")
        self.side = side
        self.row = row


@dataclass(frozen=True, eq=False)
class Rows:
    """Vectors, and which of them are meant.

    Attributes
    ----------
    vectors
        ``(n, dim)`` float32; may be memory-mapped, rows are read as they are needed.
    rows
        ``(items,)`` rows of ``vectors``; -1 for an item that has no vector.
    """

    vectors: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class Ranking:
    """What the kernel finds.

    Attributes
    ----------
    rank
        ``(queries,)`` int32: the place of the correct taxon, from 1; 0 for a query that is absent.
    top
        ``(queries,)`` int32: the column of the first-ranked candidate; -1 for a query that is absent.
    """

    rank: np.ndarray
    top: np.ndarray


def rank_candidates(
    queries: Rows,
    samples: Rows,
    offsets: np.ndarray,
    candidates: np.ndarray,
    correct: np.ndarray,
    *,
    memory_mb: int = MEMORY_MB,
    device: str = "cpu",
) -> Ranking:
    """Rank the correct taxon of every query among its candidates.

    Parameters
    ----------
    queries
        The queries; one without a vector is not ranked.
    samples
        The samples, taxon after taxon. A taxon without a vector ranks after all that have one.
    offsets
        ``(taxa + 1,)``: taxon ``t`` has the samples ``offsets[t]`` up to ``offsets[t + 1]``.
    candidates
        ``(queries, most candidates)`` taxa in the order that decides ties; -1 beyond the last.
    correct
        ``(queries,)`` column of the correct taxon.
    memory_mb
        Most working memory in MiB, beside the arguments and the result.
    device
        A torch device.

    Raises
    ------
    NotFiniteError
        For NaN, infinite or overflowing vectors among those used.
    """
    taxa = _Taxa.of(samples, offsets)
    rank = np.zeros(len(queries.rows), np.int32)
    top = np.full(len(queries.rows), -1, np.int32)
    present = np.flatnonzero(queries.rows >= 0)
    budget = memory_mb * 2**20
    dim = samples.vectors.shape[1]
    gamma = dim * _UNIT / (1 - dim * _UNIT)
    largest = taxa.largest_norm(budget // 4)
    size = max(1, budget // 4 // (candidates.shape[1] * 40 + dim * 4))
    for start in range(0, len(present), size):
        chosen = present[start : start + size]
        rows = queries.rows[chosen]
        vectors = np.asarray(queries.vectors[rows], np.float32)
        norms = _norms(vectors, rows, "query")
        overflows = norms * largest >= _HUGE
        if overflows.any():
            raise NotFiniteError("query", int(rows[overflows.argmax()]))
        chunk = _Chunk(vectors, candidates[chosen], correct[chosen], taxa)
        scores = chunk.scores(budget // 2, device)
        exact = chunk.refined(scores, gamma * norms * largest + dim * _TINY, budget // 4)
        rank[chosen], top[chosen] = chunk.places(exact)
    return Ranking(rank, top)


@dataclass(frozen=True, eq=False)
class _Taxa:
    """The samples that have vectors: ``rows[starts[t]:starts[t + 1]]`` are those of taxon ``t``."""

    vectors: np.ndarray
    rows: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, samples: Rows, offsets: np.ndarray) -> _Taxa:
        here = samples.rows >= 0
        before = np.concatenate([[0], np.cumsum(here)])
        return cls(samples.vectors, samples.rows[here], before[offsets])

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.starts)

    def take(self, at: np.ndarray) -> np.ndarray:
        """Return the vectors of samples, float32."""
        return np.asarray(self.vectors[self.rows[at]], np.float32)

    def largest_norm(self, budget: int) -> float:
        """Return the largest norm of a sample, having checked that all are finite."""
        largest = 0.0
        step = max(1, budget // (self.vectors.shape[1] * 12))
        used = np.unique(self.rows)
        for start in range(0, len(used), step):
            part = used[start : start + step]
            norms = _norms(np.asarray(self.vectors[part], np.float32), part, "sample")
            largest = max(largest, float(norms.max()))
        return largest

    def blocks(self, most: int) -> Iterator[tuple[np.ndarray, int, int]]:
        """Yield (taxa, first, last): samples ``first`` to ``last`` of each of some taxa of one size.

        A block holds at most ``most`` samples; a taxon that has more comes in pieces.
        """
        sizes = self.sizes
        order = np.argsort(sizes, kind="stable")
        for size in np.unique(sizes[sizes > 0]):
            same = order[np.searchsorted(sizes[order], size) : np.searchsorted(sizes[order], size, "right")]
            if size > most:
                for taxon in same:
                    for first in range(0, size, most):
                        yield np.array([taxon]), first, min(size, first + most)
                continue
            step = most // size
            for start in range(0, len(same), step):
                yield same[start : start + step], 0, size


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Some queries ``(n, dim)`` float32, their candidates ``(n, width)``, and the column of the correct one."""

    queries: np.ndarray
    lists: np.ndarray
    correct: np.ndarray
    taxa: _Taxa

    def scores(self, budget: int, device: str) -> np.ndarray:
        """Return ``(n, width)`` float32 scores; -inf where a taxon has no samples, and beyond a list.

        Either every query is multiplied with every sample, or, where the lists name few of the taxa, each taxon's
        samples only with the queries that name it.
        """
        import torch

        count, width = self.lists.shape
        dim = self.queries.shape[1]
        scores = np.full((count, width), -np.inf, np.float32)
        flat = scores.reshape(-1)
        most = min(_LONGEST, max(64, budget // 4 // (dim * 4)))
        tile = max(16, budget // 2 // (most * 4 + dim * 8))
        number = len(self.taxa.sizes)
        sparse = width * (len(self.taxa.rows) / max(1, number) + _GATHER) < len(self.taxa.rows)
        queries = torch.from_numpy(self.queries).to(device)
        places = np.argsort(self.lists, axis=None, kind="stable")  # in the flattened lists, by taxon
        ends = np.searchsorted(self.lists.reshape(-1)[places], np.arange(number + 1))
        column = np.zeros(number, np.int64)
        for block, first, last in self.taxa.blocks(most):
            size = last - first
            at = self.taxa.starts[block][None, :] + np.arange(first, last)[:, None]  # (size, taxa)
            samples = torch.from_numpy(self.taxa.take(at.reshape(-1))).to(device)
            if sparse:
                for index, taxon in enumerate(block):
                    mine = places[ends[taxon] : ends[taxon + 1]]
                    for start in range(0, len(mine), tile):
                        part = mine[start : start + tile]
                        asked = queries[torch.from_numpy(part // width).to(device)]
                        best = (samples[index :: len(block)] @ asked.T).amax(dim=0)
                        flat[part] = np.maximum(flat[part], best.cpu().numpy())
                continue
            mine = np.sort(np.concatenate([places[ends[taxon] : ends[taxon + 1]] for taxon in block]))
            column[block] = np.arange(len(block))
            bounds = np.searchsorted(mine, np.arange(0, count + tile, tile) * width)
            for turn, start in enumerate(range(0, count, tile)):
                part = mine[bounds[turn] : bounds[turn + 1]]
                if not len(part):
                    continue
                similar = samples @ queries[start : start + tile].T  # (size * taxa, queries)
                best = similar.view(size, len(block), -1).amax(dim=0)
                which = column[self.lists.reshape(-1)[part]] * best.shape[1] + part // width - start
                found = best.reshape(-1)[torch.from_numpy(which).to(device)].cpu().numpy()
                flat[part] = np.maximum(flat[part], found)
        return scores

    def refined(self, scores: np.ndarray, error: np.ndarray, budget: int) -> np.ndarray:
        """Return the scores in float64, those that single precision cannot tell apart computed anew.

        Only two comparisons matter: with the correct taxon's score, and with the best one.
        """
        exact = scores.astype(np.float64)
        close = np.zeros(scores.shape, bool)
        for reference in (exact[np.arange(len(exact)), self.correct], exact.max(axis=1)):
            finite = np.isfinite(reference)
            near = np.zeros(scores.shape, bool)
            near[finite] = np.abs(exact[finite] - reference[finite, None]) <= 2 * error[finite, None]
            near[near.sum(axis=1) < 2] = False
            close |= near
        rows, columns = np.nonzero(close)
        taxa = self.lists[rows, columns]
        sizes = self.taxa.sizes[taxa]
        most = max(1, budget // (self.queries.shape[1] * 24))
        for start, stop in _runs(sizes, most):
            pair = np.repeat(np.arange(start, stop), sizes[start:stop])
            begin = np.cumsum(sizes[start:stop]) - sizes[start:stop]
            at = self.taxa.starts[taxa[pair]] + np.arange(len(pair)) - np.repeat(begin, sizes[start:stop])
            best = np.full(stop - start, -np.inf)
            for first in range(0, len(pair), most):  # one taxon alone may have more than that
                span = slice(first, first + most)
                products = self.queries[rows[pair[span]]].astype(np.float64)
                products *= self.taxa.take(at[span])
                np.maximum.at(best, pair[span] - start, products.sum(axis=1))
            exact[rows[start:stop], columns[start:stop]] = best
        return exact

    def places(self, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of the correct column, from 1, and the first-ranked column."""
        listed = self.lists >= 0
        mine = exact[np.arange(len(exact)), self.correct][:, None]
        earlier = np.arange(exact.shape[1])[None, :] < self.correct[:, None]
        before = listed & ((exact > mine) | ((exact == mine) & earlier))
        best = exact.max(axis=1, keepdims=True)
        return 1 + before.sum(axis=1), (listed & (exact == best)).argmax(axis=1)


def _runs(sizes: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of runs that add up to at most ``most``, or hold one."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + most, "right")))
        yield start, stop
        start = stop


def _norms(vectors: np.ndarray, rows: np.ndarray, side: str) -> np.ndarray:
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    bad = ~(norms < _HUGE)
    if bad.any():
        raise NotFiniteError(side, int(rows[bad.argmax()]))
    return norms
