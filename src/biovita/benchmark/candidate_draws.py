"""Drawing the candidate taxa of queries: uniformly, the nearest relatives first, or all in one order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from biovita.taxonomy import RANKS, Rank, Taxon

__all__ = ["DRAWS", "all_candidates", "draw_candidates", "kinship"]

DRAWS: tuple[str, ...] = ("uniform", "hard")
_AT_ONCE = 1 << 14  # queries


def kinship(taxa: Sequence[Taxon], level: Rank) -> np.ndarray:
    """Return ``(taxa, ranks)`` numbers of their groups above ``level``, the widest first; -1 where unknown."""
    columns = []
    for rank in RANKS[: RANKS.index(level)]:
        names = [taxon.name_at(rank) for taxon in taxa]
        number = {name: at for at, name in enumerate(sorted({name for name in names if name}))}
        columns.append([number[name] if name else -1 for name in names])
    return np.array(columns, np.int64).reshape(-1, len(taxa)).T


def draw_candidates(
    own: Sequence[int] | np.ndarray,
    taxa: int,
    most: int,
    rng: np.random.Generator,
    kin: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(queries, min(most, taxa))`` candidate taxa and the column of each query's own taxon.

    The others are drawn uniformly without replacement; with ``kin`` (of `kinship`), those that share the narrowest
    group with the query's own come first, and uniformly among those alike. The order is random, so that ties, which
    go by it, do not favour the correct taxon.
    """
    own, width = np.asarray(own, np.int32), min(most, taxa)
    chosen = np.empty((len(own), width), np.int32)
    correct = rng.integers(width, size=len(own)).astype(np.int32)
    draw: Callable[[int], np.ndarray] = (
        partial(_uniform, rng, taxa, width - 1) if kin is None else _Relatives(kin, width, rng).draw
    )
    for start in range(0, len(own), _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        others = [draw(mine) for mine in own[here].tolist()]
        columns = np.arange(width)[None, :] != correct[here, None]
        chosen[here][columns] = np.concatenate(others)
        chosen[here][~columns] = own[here]
    return chosen, correct


def _uniform(rng: np.random.Generator, taxa: int, number: int, mine: int) -> np.ndarray:
    """Return ``number`` taxa beside ``mine``."""
    others = rng.choice(taxa - 1, number, replace=False)
    others += others >= mine
    return others


class _Relatives:
    """Draws the taxa that are nearest to one, from the members of its groups alone.

    Every taxon gets a random number, and within a group the smallest numbers are taken.
    """

    def __init__(self, kin: np.ndarray, width: int, rng: np.random.Generator) -> None:
        self._width, self._rng, self._taxa = width, rng, len(kin)
        everyone = np.zeros((len(kin), 1), np.int64)
        groups = np.hstack([everyone, kin])[:, ::-1]  # the narrowest first
        self._groups = groups.tolist()
        self._members = [_members(column) for column in groups.T]

    def draw(self, mine: int) -> np.ndarray:
        """Return the nearest taxa beside ``mine``, in random order."""
        number, found, left = self._rng.random(self._taxa), [], self._width
        for members, group in zip(self._members, self._groups[mine], strict=True):
            if group < 0:
                continue
            there = members[group]
            drawn = number[there]
            nearest = _smallest(drawn, left)
            found.append(there[nearest])
            left -= len(nearest)
            if not left:
                break
            number[there] = np.inf  # they are taken
        near = np.concatenate(found)
        return self._rng.permutation(near[near != mine][: self._width - 1])


def _members(groups: np.ndarray) -> list[np.ndarray]:
    """Return the taxa of each group."""
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups + 1))  # those of no group come first
    return np.split(order, ends[:-1])[1:]


def _smallest(numbers: np.ndarray, most: int) -> np.ndarray:
    """Return where the smallest numbers from 0 to 1 stand, ``most`` of them where there are as many, ascending."""
    few = np.flatnonzero(numbers < min(1.0, 2 * (most + 8) / len(numbers)))
    if len(few) < most:
        few = np.flatnonzero(numbers < 1)
    return few[np.argsort(numbers[few], kind="stable")[:most]]


def all_candidates(own: np.ndarray, taxa: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return all taxa in one random order for every query, in the memory of one, and the column of each one's own."""
    order = rng.permutation(taxa).astype(np.int32)
    return np.broadcast_to(order, (len(own), taxa)), np.argsort(order)[own].astype(np.int32)
