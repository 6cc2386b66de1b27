"""Generalised zero-shot: how seen and unseen taxa fare among the same candidates, and their harmonic mean."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from biovita.benchmark.scores import KS, Scores, Stage, TaskScore, bootstrap_means, interval_of
from biovita.benchmark.task import LEVELS, PARTS, Benchmark
from biovita.modality import DIRECTIONS

__all__ = ["GeneralisedRow", "generalised_rows", "harmonic_mean"]


@dataclass(frozen=True, slots=True)
class GeneralisedRow:
    """Top-k accuracy of the queries of both parts in one direction at one level, asked against the same candidates.

    Attributes
    ----------
    direction
        ``mean`` in the row of a mean over directions, whose harmonic mean is that of the two means.
    seen, unseen
        Accuracy of each part's queries, from 0 to 1.
    harmonic
        Their harmonic mean, ``2 seen unseen / (seen + unseen)``; 0 where both are.
    low, high
        The 95 % bootstrap interval of ``harmonic``, the queries of each part resampled apart.
    chance
        Harmonic mean of what a random order is expected to get.
    seen_queries, unseen_queries
        How many queries each part has; of a mean, over all directions.
    taxa
        Candidates of each query; None of a mean.
    leak
        As in a `ScoreRow`.
    """

    stage: Stage
    direction: str
    level: str
    k: int
    seen: float
    unseen: float
    harmonic: float
    low: float
    high: float
    chance: float
    seen_queries: int
    unseen_queries: int
    taxa: int | None
    leak: bool = False


def harmonic_mean(first: float, second: float) -> float:
    """Return the harmonic mean of two shares; 0 where both are.

    Examples
    --------
    >>> harmonic_mean(0.6, 0.2)
    0.3
    """
    return 2 * first * second / (first + second) if first + second else 0.0


def generalised_rows(
    benchmark: Benchmark, scores: Scores, stage: Stage = None, *, seed: int = 0, leak: bool = False
) -> tuple[GeneralisedRow, ...]:
    """Return the rows of a benchmark whose queries have all taxa as candidates; none of any other.

    Returns
    -------
    By level: a row a direction and k where both parts were scored, and a row a k for the mean over these directions.
    """
    if benchmark.made.get("candidates") != "all":
        return ()
    found = {(score.task.part, score.task.direction, score.task.level): score for score in scores.tasks}
    rows: list[GeneralisedRow] = []
    for level in LEVELS:
        pairs = {
            direction: tuple(found[part.value, direction, level] for part in PARTS)
            for direction in DIRECTIONS
            if all((part.value, direction, level) in found for part in PARTS)
        }
        sides = {
            (direction, k): tuple(_side(score, k, seed) for score in pair)
            for direction, pair in pairs.items()
            for k in KS
        }
        for (direction, k), (seen, unseen) in sides.items():
            taxa = len(pairs[direction][0].task.taxa)
            rows.append(_row((direction, level.value, k), seen, unseen, stage=stage, taxa=taxa))
        for k in KS if pairs else ():
            seen, unseen = (
                _mean([sides[direction, k][place] for direction in pairs]) for place in range(len(PARTS))
            )
            rows.append(_row(("mean", level.value, k), seen, unseen, stage=stage, taxa=None))
    return tuple(replace(row, leak=leak) for row in rows)


@dataclass(frozen=True, eq=False)
class _Side:
    """What the queries of one part got: the accuracy, means of resampled queries, and what chance gets."""

    accuracy: float
    draws: np.ndarray
    chance: float
    queries: int


def _side(score: TaskScore, k: int, seed: int) -> _Side:
    hits = score.hits(k)
    draws = bootstrap_means(hits, [seed, zlib.crc32(f"{score.task.name}/{k}/generalised".encode())])
    return _Side(float(hits.mean()), draws, score.chance(k), len(hits))


def _mean(sides: Sequence[_Side]) -> _Side:
    return _Side(
        accuracy=float(np.mean([side.accuracy for side in sides])),
        draws=np.mean([side.draws for side in sides], axis=0),
        chance=float(np.mean([side.chance for side in sides])),
        queries=sum(side.queries for side in sides),
    )


def _row(
    where: tuple[str, str, int], seen: _Side, unseen: _Side, *, stage: Stage, taxa: int | None
) -> GeneralisedRow:
    """Return the row of a direction, level and k."""
    direction, level, k = where
    total = seen.draws + unseen.draws
    drawn = np.divide(2 * seen.draws * unseen.draws, total, out=np.zeros_like(total), where=total > 0)
    low, high = interval_of(drawn)
    return GeneralisedRow(
        stage=stage,
        direction=direction,
        level=level,
        k=k,
        seen=seen.accuracy,
        unseen=unseen.accuracy,
        harmonic=harmonic_mean(seen.accuracy, unseen.accuracy),
        low=low,
        high=high,
        chance=harmonic_mean(seen.chance, unseen.chance),
        seen_queries=seen.queries,
        unseen_queries=unseen.queries,
        taxa=taxa,
    )
