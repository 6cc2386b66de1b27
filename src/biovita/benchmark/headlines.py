"""The headline of a run: its mean over directions, what that rests on, and whether chance could give it as well."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.scores import RESAMPLES, ScoreRow, Stage, interval_of
from biovita.dataset.schema import Split
from biovita.modality import modalities_of

__all__ = [
    "FEW_CANDIDATES",
    "FEW_QUERIES",
    "HEADLINE_KS",
    "Headline",
    "cautions",
    "headline",
    "headline_of_ranks",
    "headline_record",
    "headline_words",
    "main_headline",
    "main_part",
    "mean_of",
]

HEADLINE_KS = (1, 5)
FEW_CANDIDATES = 10  # with fewer, a random order is right more than once in ten
FEW_QUERIES = 30  # with fewer, an interval is some 35 points wide
_UP_TO_SIX = ("no", "one", "two", "three", "four", "five", "six")


@dataclass(frozen=True)
class Headline:
    """The mean over the directions of one part, level and k.

    Attributes
    ----------
    accuracy, chance
        Shares of the queries, from 0 to 1, each direction counting alike; ``chance`` is what a random order is
        expected to get.
    directions
        That the mean is of: those that were scored.
    low, high
        The 95 % bootstrap interval of ``accuracy``: the queries of each direction are resampled apart.
    queries
        Of all directions.
    candidates
        The most that a query has.
    beyond_chance
        Whether the interval lies above chance, and luck gets less in 97.5 % of draws. The queries of a species, and two
        directions between the same two modalities, share vectors: luck is drawn as if each species were one query, and
        such directions one.
    leak
        As in a `ScoreRow`.
    """

    part: str
    level: str
    k: int
    accuracy: float
    chance: float
    low: float
    high: float
    directions: tuple[str, ...]
    queries: int
    candidates: int
    beyond_chance: bool
    leak: bool = False

    @property
    def times_chance(self) -> float:
        """Accuracy over chance."""
        return self.accuracy / self.chance


class _Direction(Protocol):
    """What a headline takes of a direction; a `ScoreRow` has it."""

    @property
    def direction(self) -> str: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def chance(self) -> float: ...
    @property
    def queries(self) -> int: ...
    @property
    def taxa_asked(self) -> int: ...
    @property
    def candidates(self) -> int: ...
    @property
    def leak(self) -> bool: ...


def headline(
    rows: Iterable[ScoreRow],
    *,
    stage: Stage,
    part: str,
    k: int,
    level: str = "species",
    directions: Sequence[str] | None = None,
    seed: int = 0,
) -> Headline | None:
    """Return the mean over the directions of one part, level and k; None where there is no row.

    Parameters
    ----------
    directions
        Whose rows are taken; None is all that there are.
    seed
        For the interval.
    """
    chosen = [
        row
        for row in rows
        if (row.stage, row.part, row.level, row.k) == (stage, part, level, k)
        and (directions is None or row.direction in directions)
    ]
    return _headline(chosen, part, level, k, seed) if chosen else None


def main_headline(rows: Sequence[ScoreRow], *, stage: Stage, k: int = 1, seed: int = 0) -> Headline | None:
    """Return the headline at species level of the part that counts most; None where there is no row at that level."""
    part = main_part({row.part for row in rows if row.level == "species"})
    return None if part is None else headline(rows, stage=stage, part=part, k=k, seed=seed)


def main_part(parts: Iterable[str]) -> str | None:
    """Return the part that counts most, the unseen species; where they are not there the first, None of none."""
    return min(parts, key=lambda part: (part != Split.UNSEEN, part), default=None)


def headline_of_ranks(ranks: pa.Table, *, k: int = 1, seed: int = 0, leak: bool = False) -> Headline | None:
    """Return the headline of a run at species level from how it ranked (`biovita.benchmark.compare.RANKS`)."""
    ranks = ranks.filter(pc.field("level") == "species")
    part = main_part(ranks["part"].unique().to_pylist())
    if part is None:
        return None
    mine = ranks.filter(pc.field("part") == part)
    found = []
    for direction in mine["direction"].unique().to_pylist():
        rows = mine.filter(pc.field("direction") == direction)
        rank, candidates = rows["rank"].to_numpy(), rows["candidates"].to_numpy()
        found.append(
            _Ranked(
                direction,
                float(((rank > 0) & (rank <= k)).mean()),
                float((np.minimum(k, candidates) / candidates).mean()),
                len(rank),
                len(rows["correct"].unique()),
                int(candidates.max()),
                leak,
            )
        )
    return _headline(found, part, "species", k, seed)


@dataclass(frozen=True)
class _Ranked:
    """A direction of a run of which only the ranks are at hand."""

    direction: str
    accuracy: float
    chance: float
    queries: int
    taxa_asked: int
    candidates: int
    leak: bool


def _headline(rows: Sequence[_Direction], part: str, level: str, k: int, seed: int) -> Headline:
    accuracy, chance = (
        float(np.mean(shares)) for shares in ([row.accuracy for row in rows], [row.chance for row in rows])
    )
    key = zlib.crc32(f"{part}/{level}/{k}/headline".encode())
    low, high = interval_of(_draws(rows, [seed, key]))
    _, luck = interval_of(_draws_of_luck(rows, [seed, key, 1]))
    return Headline(
        part=part,
        level=level,
        k=k,
        accuracy=accuracy,
        chance=chance,
        low=low,
        high=high,
        directions=tuple(row.direction for row in rows),
        queries=sum(row.queries for row in rows),
        candidates=max(row.candidates for row in rows),
        beyond_chance=low > chance and accuracy > luck,
        leak=any(row.leak for row in rows),
    )


def _draws(rows: Sequence[_Direction], seed: Sequence[int]) -> np.ndarray:
    """Return ``(RESAMPLES,)`` means over the directions, the queries of each resampled.

    To resample queries of which a share are hits is to draw the number of hits from a binomial distribution.
    """
    rng = np.random.default_rng(seed)
    means: np.ndarray = np.mean(
        [rng.binomial(row.queries, row.accuracy, RESAMPLES) / row.queries for row in rows], axis=0
    )
    return means


def _draws_of_luck(rows: Sequence[_Direction], seed: Sequence[int]) -> np.ndarray:
    """Return ``(RESAMPLES,)`` means over the directions of what random vectors get; see `Headline.beyond_chance`."""
    rng = np.random.default_rng(seed)
    pairs: dict[frozenset[str], list[_Direction]] = {}
    for row in rows:
        pairs.setdefault(frozenset(modalities_of(row.direction)), []).append(row)
    total = np.zeros(RESAMPLES)
    for mine in pairs.values():
        species = min(row.taxa_asked for row in mine)
        chance = min(1.0, float(np.mean([row.chance for row in mine])))
        total += len(mine) * rng.binomial(species, chance, RESAMPLES) / species
    return total / len(rows)


def mean_of(directions: Sequence[str]) -> str:
    """Return what a mean is of, which names the directions unless all six are there.

    Examples
    --------
    >>> mean_of(["A2I", "I2A"])
    'mean of two directions (A2I, I2A)'
    >>> mean_of(["A2T"])
    'one direction alone (A2T)'
    """
    number = len(directions)
    if number == 1:
        return f"one direction alone ({directions[0]})"
    counted = _UP_TO_SIX[number] if number < len(_UP_TO_SIX) else str(number)
    return f"mean of {counted} directions" + ("" if number == 6 else f" ({', '.join(directions)})")


def headline_words(found: Headline) -> str:
    """Return a headline in words: what was asked, which directions, the result against chance, and what it rests on."""
    kind = "species" if found.level == "species" else f"species, by {found.level}"
    of = "1 query" if found.queries == 1 else f"{found.queries:,} queries"
    return (
        f"{found.part} {kind}, {mean_of(found.directions)}: Top-{found.k} {found.accuracy:.1%} "
        f"({found.low:.1%} to {found.high:.1%}), {found.times_chance:.1f} x chance; {of}, at most "
        f"{found.candidates:,} candidates"
    )


def cautions(found: Headline) -> tuple[str, ...]:
    """Return sentences on how far a headline can be trusted; none where it rests on enough and is above chance."""
    told = []
    if found.leak:
        told.append("The model has trained on some of what it was asked as new.")
    if found.high < found.chance:
        told.append(f"This is below chance, which is {found.chance:.1%}.")
    elif not found.beyond_chance:
        why = (
            "it lies within the interval"
            if found.low <= found.chance
            else "queries of so few species reach as much by luck"
        )
        told.append(f"This cannot be told from chance, which is {found.chance:.1%}: {why}.")
    few = [
        f"{count:,} {what}"
        for count, least, what in (
            (found.candidates, FEW_CANDIDATES, "candidates"),
            (found.queries, FEW_QUERIES, "queries"),
        )
        if count < least
    ]
    if few:
        told.append(
            f"Only {' and '.join(few)}: hold out more species, or more items of each, for a score that says more."
        )
    return tuple(told)


def headline_record(found: Headline, stage: Stage) -> dict[str, object]:
    """Return a headline as ``results.json`` and ``--json`` hold it, with its words."""
    return {
        "stage": stage,
        "part": found.part,
        "level": found.level,
        "k": found.k,
        "accuracy": found.accuracy,
        "low": found.low,
        "high": found.high,
        "chance": found.chance,
        "times_chance": found.times_chance,
        "beyond_chance": found.beyond_chance,
        "directions": list(found.directions),
        "queries": found.queries,
        "candidates": found.candidates,
        "leak": found.leak,
        "words": headline_words(found),
        "cautions": list(cautions(found)),
    }
