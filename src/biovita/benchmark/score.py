"""The scoring kernel: similarity, maximum over a taxon's samples, rank among the candidates.

A taxon's score for a query is the largest dot product between the query's vectors, of which most queries have one, and
the taxon's samples, less the taxon's penalty where it has one. Candidates are ranked by score, ties in candidate order.
The ranks are those of exact arithmetic on the float32 vectors (up to the rounding of double precision): products are
taken in single precision, and wherever two scores lie closer together than the error bound of a single-precision dot
product, gamma_d |q| |s| with gamma_d = d u / (1 - d u), u = 2^-24 (Higham, Accuracy and Stability of Numerical
Algorithms, section 3.1), they are computed again in double precision. Equal vectors therefore tie, on any device and
with any tiling.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from biovita.compute.cores import cpu_count
from biovita.compute.threads import PartsInThreads
from biovita.embedding.container import Matrix
from biovita.errors import BiovitaError

if TYPE_CHECKING:
    import torch

__all__ = ["MEMORY_MB", "NotFiniteError", "Ranking", "Rows", "rank_candidates"]

MEMORY_MB = 512
_UNIT = 2.0**-24  # unit roundoff of float32
_HUGE = 3e38  # near the largest float32
_TINY = 1.2e-38  # a product may lose this much to underflow
# Durations on the CPU, in dot products of a large matrix product.
_GATHER = 16  # copying one query
_THIN = 2  # one dot product with one of few samples
_BLOCK, _TILE = 4096, 1024  # samples and queries multiplied at a time
_LONGEST = 8192  # samples of one taxon taken at a time
_EXACT = 1024  # dot products computed again at a time
_PARTS = 8  # of the taxa, a core: so many that none waits long for the last


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
        ``(n, dim)`` float32; rows are read as they are needed.
    rows
        ``(items,)`` rows of ``vectors``; -1 for an item that has no vector. Of queries also ``(queries, most)``: each
        has the vectors of its row.
    """

    vectors: Matrix
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
    penalties: np.ndarray | None = None,
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
    penalties
        ``(taxa,)`` what is taken from the score of each taxon; None is nothing.
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
    asking = queries.rows if queries.rows.ndim == 2 else queries.rows[:, None]
    rank = np.zeros(len(asking), np.int32)
    top = np.full(len(asking), -1, np.int32)
    present = np.flatnonzero((asking >= 0).any(axis=1))
    _full_products()
    budget = memory_mb * 2**20
    dim = samples.vectors.shape[1]
    gamma = dim * _UNIT / (1 - dim * _UNIT)
    largest = taxa.largest_norm(budget // 4)
    whole = _all_meet_all(taxa, candidates.shape[1], budget // 2, device)
    resident = _Resident.of(taxa, device) if whole else None
    size = max(1, budget // 4 // (max(1, asking.shape[1]) * (candidates.shape[1] * 40 + dim * 4)))
    for chosen in np.array_split(present, -(-len(present) // size)) if len(present) else ():
        here = asking[chosen] >= 0
        rows = asking[chosen][here]
        vectors = np.asarray(queries.vectors[rows], np.float32)
        norms = _norms(vectors, rows, "query")
        overflows = norms * largest >= _HUGE
        if overflows.any():
            raise NotFiniteError("query", int(rows[overflows.argmax()]))
        starts = np.concatenate([[0], np.cumsum(here.sum(axis=1))])
        chunk = _Chunk(vectors, starts, candidates[chosen], correct[chosen], taxa, penalties)
        scores = chunk.scores(resident, budget // 2, device)
        longest = np.maximum.reduceat(norms, starts[:-1])
        exact = chunk.refined(scores, gamma * longest * largest + dim * _TINY)
        rank[chosen], top[chosen] = chunk.places(exact)
    return Ranking(rank, top)


def _all_meet_all(taxa: _Taxa, width: int, budget: int, device: str) -> bool:
    """Return whether all samples fit, and are multiplied with all queries sooner than with those that name them."""
    samples, number = len(taxa.rows), len(taxa.sizes)
    if not samples or samples * taxa.vectors.shape[1] * 4 + (_BLOCK + number) * _TILE * 4 > budget:
        return False
    return device != "cpu" or samples <= width * (_THIN * samples / number + _GATHER)


def _full_products() -> None:
    """Refuse products of less than single precision: the bound on their error would not hold."""
    import torch

    if torch.cuda.is_available() and torch.backends.cuda.matmul.allow_tf32:
        raise BiovitaError(
            "torch has TF32 products on, and scoring needs full single precision. Set "
            "torch.backends.cuda.matmul.allow_tf32 = False"
        )


@dataclass(frozen=True, eq=False)
class _Taxa:
    """The samples that have vectors: ``rows[starts[t]:starts[t + 1]]`` are those of taxon ``t``."""

    vectors: Matrix
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

    def groups(self, most: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield taxa of one size, and where their samples are, ``(size, taxa)``; about ``most`` samples at a time."""
        sizes = self.sizes
        order = np.argsort(sizes, kind="stable")
        for size in np.unique(sizes[sizes > 0]):
            same = order[np.searchsorted(sizes[order], size) : np.searchsorted(sizes[order], size, "right")]
            step = max(1, most // int(size))
            for start in range(0, len(same), step):
                taxa = same[start : start + step]
                yield taxa, self.starts[taxa][None, :] + np.arange(size)[:, None]


@dataclass(frozen=True, eq=False)
class _Resident:
    """All samples on the device, so that every query meets every sample.

    Attributes
    ----------
    blocks
        ``(samples, dim)`` each, and the (size, taxa) of the groups in it, one after the other: of a group all first
        samples, then all second, and so on.
    order
        The taxa in the order of the groups.
    """

    blocks: list[tuple[torch.Tensor, list[tuple[int, int]]]]
    order: np.ndarray

    @classmethod
    def of(cls, taxa: _Taxa, device: str) -> _Resident:
        import torch

        blocks: list[tuple[torch.Tensor, list[tuple[int, int]]]] = []
        order: list[np.ndarray] = []
        places: list[np.ndarray] = []
        groups: list[tuple[int, int]] = []

        def close() -> None:
            if places:
                samples = torch.from_numpy(taxa.take(np.concatenate(places))).to(device)
                blocks.append((samples, groups.copy()))
                places.clear()
                groups.clear()

        for members, at in taxa.groups(_BLOCK):
            if sum(map(len, places)) + at.size > _BLOCK:
                close()
            places.append(at.reshape(-1))
            groups.append((at.shape[0], at.shape[1]))
            order.append(members)
        close()
        return cls(blocks, np.concatenate(order))

    def scores(self, queries: torch.Tensor, lists: np.ndarray, number: int) -> np.ndarray:
        """Return ``(queries, width)`` scores against ``number`` taxa; see `_Chunk.scores`."""
        import torch

        scores = np.full(lists.shape, -np.inf, np.float32)
        place = np.full(number + 1, number, np.int64)  # of each taxon in `order`; absent ones go last
        place[self.order] = np.arange(len(self.order))
        best = torch.full((number + 1, _TILE), -torch.inf, device=queries.device)
        longest = max(len(samples) for samples, _ in self.blocks)
        products = torch.empty(longest * _TILE, dtype=torch.float32, device=queries.device)
        for start in range(0, len(queries), _TILE):
            tile = queries[start : start + _TILE].T
            width, taxon = tile.shape[1], 0
            for samples, groups in self.blocks:
                similar = products[: len(samples) * width].view(len(samples), width)
                torch.mm(samples, tile, out=similar)
                first = 0
                for size, count in groups:
                    last = first + size * count
                    target = best[taxon : taxon + count, :width]
                    _largest(similar[first:last].view(size, count, width), target)
                    first, taxon = last, taxon + count
            chosen = torch.from_numpy(place[lists[start : start + _TILE]]).to(queries.device)
            found = best.view(-1)[chosen * _TILE + torch.arange(width, device=queries.device)[:, None]]
            scores[start : start + _TILE] = found.cpu().numpy()
        return scores


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Some queries, their candidates ``(n, width)``, and the column of the correct one.

    The vectors of query ``q`` are ``vectors[starts[q]:starts[q + 1]]``, float32; it has one at least.
    """

    vectors: np.ndarray
    starts: np.ndarray
    lists: np.ndarray
    correct: np.ndarray
    taxa: _Taxa
    penalties: np.ndarray | None

    def scores(self, resident: _Resident | None, budget: int, device: str) -> np.ndarray:
        """Return ``(n, width)`` float32 scores; -inf where a taxon has no samples, and beyond a list."""
        if len(self.vectors) == len(self.lists):
            return self._similarities(self.lists, resident, budget, device)
        lists = np.repeat(self.lists, np.diff(self.starts), axis=0)
        each = self._similarities(lists, resident, budget, device)
        largest: np.ndarray = np.maximum.reduceat(each, self.starts[:-1], axis=0)
        return largest

    def _similarities(self, lists: np.ndarray, resident: _Resident | None, budget: int, device: str) -> np.ndarray:
        """Return ``(vectors, width)`` scores of each vector, whose candidates are ``lists``.

        Without ``resident``, each taxon's samples meet only the vectors that name it, and are read as they are
        needed; on the CPU each core works on other taxa.
        """
        import torch

        queries = torch.from_numpy(self.vectors).to(device)
        number = len(self.taxa.sizes)
        if resident is not None:
            return resident.scores(queries, lists, number)
        width, dim = lists.shape[1], self.vectors.shape[1]
        flat = lists.reshape(-1)
        order = np.argsort(flat.astype(np.int16) if number < 2**15 else flat, kind="stable")  # int16: radix sort
        ends = np.searchsorted(flat[order], np.arange(number + 1))
        asking = torch.from_numpy(order // width).to(device)  # which query each entry of the lists is of, by taxon
        found = torch.full((len(flat),), -torch.inf, device=device)

        def fill(taxa: np.ndarray, budget: int) -> None:
            most = max(64, min(_LONGEST, budget // 4 // (dim * 4)))
            tile = max(16, min(_TILE, budget // 2 // (most * 4 + dim * 4)))
            room = queries.new_empty(tile, dim)
            for taxon in taxa:
                begin, end = self.taxa.starts[taxon : taxon + 2]
                for first in range(begin, end, most):
                    samples = torch.from_numpy(self.taxa.take(np.arange(first, min(end, first + most)))).to(device)
                    for start in range(ends[taxon], ends[taxon + 1], tile):
                        stop = min(start + tile, ends[taxon + 1])
                        asked = room[: stop - start]
                        torch.index_select(queries, 0, asking[start:stop], out=asked)
                        best = (asked @ samples.T).amax(dim=1)
                        torch.maximum(found[start:stop], best, out=found[start:stop])

        named = np.flatnonzero(np.diff(ends))
        if device == "cpu":
            cores = cpu_count()
            parts = np.array_split(named, min(len(named), _PARTS * cores) or 1)
            PartsInThreads().each(lambda taxa: fill(taxa, budget // cores), parts)
        else:
            fill(named, budget)
        scores = np.empty(lists.shape, np.float32)
        scores.reshape(-1)[order] = found.cpu().numpy()
        return scores

    def refined(self, scores: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Return the scores in float64, those that single precision cannot tell apart computed anew.

        Only two comparisons matter: with the correct taxon's score, and with the best one. Penalties
        are taken off in double precision.
        """
        exact = scores.astype(np.float64)
        if self.penalties is not None:
            exact -= self.penalties[self.lists]
        close = np.zeros(scores.shape, bool)
        for reference in (exact[np.arange(len(exact)), self.correct], exact.max(axis=1)):
            finite = np.isfinite(reference)
            near = np.zeros(scores.shape, bool)
            near[finite] = np.abs(exact[finite] - reference[finite, None]) <= 2 * error[finite, None]
            near[near.sum(axis=1) < 2] = False
            close |= near
        rows, columns = np.nonzero(close)
        taxa = self.lists[rows, columns]
        samples = self.taxa.sizes[taxa]
        sizes = samples * np.diff(self.starts)[rows]  # each of the query's vectors with each sample
        for start, stop in _runs(sizes, _EXACT):
            pair = np.repeat(np.arange(start, stop), sizes[start:stop])
            begin = np.cumsum(sizes[start:stop]) - sizes[start:stop]
            vector, sample = np.divmod(np.arange(len(pair)) - np.repeat(begin, sizes[start:stop]), samples[pair])
            vector += self.starts[rows[pair]]
            sample += self.taxa.starts[taxa[pair]]
            best = np.full(stop - start, -np.inf)
            for first in range(0, len(pair), _EXACT):  # one taxon alone may have more than that
                span = slice(first, first + _EXACT)
                products = np.multiply(self.vectors[vector[span]], self.taxa.take(sample[span]), dtype=np.float64)
                np.maximum.at(best, pair[span] - start, products.sum(axis=1))
            if self.penalties is not None:
                best -= self.penalties[taxa[start:stop]]
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


def _largest(values: torch.Tensor, out: torch.Tensor) -> None:
    """Write the maximum over the first axis; on the CPU without torch's threads, which small work only delays."""
    if values.is_cpu:
        np.maximum.reduce(values.numpy(), axis=0, out=out.numpy())
    else:
        import torch

        torch.amax(values, 0, out=out)


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
