"""Scores: what a model got on a benchmark, as rows of numbers with chance and intervals."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from biovita.benchmark.score import MEMORY_MB, NotFiniteError, Rows, rank_candidates
from biovita.benchmark.task import Benchmark, Task
from biovita.benchmark.vector_rows import vector_rows
from biovita.embedding import Vectors
from biovita.errors import BiovitaError
from biovita.modality import Modality, modalities_of
from biovita.one_line import OneLine

__all__ = [
    "KS",
    "MOST_PENALTY",
    "RESAMPLES",
    "ReciprocalRankRow",
    "ScoreRow",
    "Scores",
    "Stage",
    "TaskScore",
    "bootstrap_interval",
    "bootstrap_means",
    "checked_penalty",
    "interval_of",
    "score_benchmark",
]

KS: tuple[int, ...] = (1, 5, 10)
RESAMPLES = 10_000
_SHARE = 0.95  # of the draws, within an interval
MOST_PENALTY = 2  # similarities of unit vectors lie from -1 to 1

Stage: TypeAlias = "int | str | None"  # of training, or any other name of what was scored


@dataclass(frozen=True, eq=False, repr=False)
class TaskScore(OneLine):
    """How the queries of one task were ranked.

    Attributes
    ----------
    ranks
        ``(queries,)`` place of the correct taxon among the candidates, from 1; 0 for a query without a vector,
        which counts as missed.
    retrieved
        ``(queries,)`` the first-ranked taxon, as a position in ``task.taxa``; -1 for a query without a vector.
    absent_samples
        How many of the candidates' samples have no vector. A taxon scores by those it has; one that has none ranks
        last.
    """

    task: Task
    ranks: np.ndarray
    retrieved: np.ndarray
    absent_samples: int

    @property
    def absent_queries(self) -> int:
        """How many queries have no vector."""
        return int((self.ranks == 0).sum())

    def hits(self, k: int) -> np.ndarray:
        """Return, for each query, whether the correct taxon is among the first ``k``."""
        return (self.ranks > 0) & (self.ranks <= k)

    def reciprocal_ranks(self) -> np.ndarray:
        """Return one over the rank, 0 for an absent query."""
        return np.divide(1.0, self.ranks, out=np.zeros(len(self.ranks)), where=self.ranks > 0)

    def chance(self, k: int) -> float:
        """Return the expected accuracy of a random order: the mean over queries of ``k`` over the candidates."""
        counts = self.task.candidate_counts
        return float((np.minimum(k, counts) / counts).mean())


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """Top-k accuracy in one task.

    Attributes
    ----------
    stage
        Of the training, or the name of what was scored; None where neither was said.
    accuracy, chance
        Shares of the queries, from 0 to 1; ``chance`` is what a random order is expected to get.
    low, high
        The 95 % bootstrap interval of ``accuracy`` over the queries.
    taxa
        That occur as candidates.
    taxa_asked
        That queries are of.
    candidates
        The most that a query has.
    absent_queries, absent_samples
        Those that have no vector.
    leak
        Whether the model has trained on something that the benchmark asks as new, in any task.
    """

    stage: Stage
    part: str
    direction: str
    level: str
    k: int
    accuracy: float
    chance: float
    low: float
    high: float
    queries: int
    taxa: int
    taxa_asked: int
    candidates: int
    absent_queries: int
    absent_samples: int
    leak: bool = False


@dataclass(frozen=True, slots=True)
class ReciprocalRankRow:
    """Mean reciprocal rank ``mrr`` in one task; the other fields are those of a `ScoreRow`."""

    stage: Stage
    part: str
    direction: str
    level: str
    mrr: float
    chance: float
    low: float
    high: float
    queries: int
    leak: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class Scores(OneLine):
    """What a model got on the tasks of a benchmark that it can answer."""

    tasks: tuple[TaskScore, ...]

    def rows(
        self, stage: Stage = None, *, ks: Sequence[int] = KS, seed: int = 0, leak: bool = False
    ) -> tuple[ScoreRow, ...]:
        """Return one row a task and ``k``, in the order of the tasks. The same scores and seed give the same rows."""
        return tuple(_score_row(score, k, stage, seed, leak=leak) for score in self.tasks for k in ks)

    def reciprocal_rank_rows(
        self, stage: Stage = None, *, seed: int = 0, leak: bool = False
    ) -> tuple[ReciprocalRankRow, ...]:
        """Return one row a task, as `rows`."""
        return tuple(_reciprocal_rank_row(score, stage, seed, leak=leak) for score in self.tasks)


def _score_row(score: TaskScore, k: int, stage: Stage, seed: int, *, leak: bool) -> ScoreRow:
    task, hits = score.task, score.hits(k)
    low, high = bootstrap_interval(hits, [seed, zlib.crc32(f"{task.name}/{k}".encode())])
    return ScoreRow(
        stage=stage,
        part=task.part,
        direction=task.direction,
        level=task.level.value,
        k=k,
        accuracy=float(hits.mean()),
        chance=score.chance(k),
        low=low,
        high=high,
        queries=len(hits),
        taxa=len(task.taxa),
        taxa_asked=len(np.unique(task.correct_taxa)),
        candidates=int(task.candidate_counts.max()),
        absent_queries=score.absent_queries,
        absent_samples=score.absent_samples,
        leak=leak,
    )


def _reciprocal_rank_row(score: TaskScore, stage: Stage, seed: int, *, leak: bool) -> ReciprocalRankRow:
    task, values, counts = score.task, score.reciprocal_ranks(), score.task.candidate_counts
    low, high = bootstrap_interval(values, [seed, zlib.crc32(f"{task.name}/mrr".encode())])
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, task.candidates.shape[1] + 1))])
    return ReciprocalRankRow(
        stage=stage,
        part=task.part,
        direction=task.direction,
        level=task.level.value,
        mrr=float(values.mean()),
        chance=float((harmonic[counts] / counts).mean()),
        low=low,
        high=high,
        queries=len(values),
        leak=leak,
    )


def score_benchmark(
    benchmark: Benchmark,
    vectors: Mapping[Modality, Vectors],
    *,
    seen_penalty: float = 0.0,
    memory_mb: int = MEMORY_MB,
    device: str = "cpu",
) -> Scores:
    """Score every task whose two modalities ``vectors`` has.

    Parameters
    ----------
    vectors
        By modality, the vectors of the items, L2-normalised where cosine similarity is meant. Items that are not
        in it are absent: such a query counts as missed, such a sample does not exist. Vectors of other items are
        ignored.
    seen_penalty
        What is taken from the score of every taxon that is not in `Benchmark.unseen`, in units of the similarity
        (calibrated stacking: Chao et al., ECCV 2016). No rank changes where a task's candidates are of one part.

    Raises
    ------
    BiovitaError
        Where vectors are not finite, two modalities differ in length, or ``seen_penalty`` is no number from 0 to 2.
    """
    checked_penalty(seen_penalty)
    rows_of = vector_rows(benchmark, vectors)
    scored = []
    for task in benchmark.tasks:
        asked, answered = modalities_of(task.direction)
        if asked not in vectors or answered not in vectors:
            continue
        query_vectors, sample_vectors = vectors[asked].vectors, vectors[answered].vectors
        if query_vectors.shape[1] != sample_vectors.shape[1]:
            raise BiovitaError(
                f"{asked.value} vectors have {query_vectors.shape[1]} dimensions and {answered.value} vectors "
                f"{sample_vectors.shape[1]}. They are not in one space, and cannot be compared"
            )
        sample_rows = rows_of[answered][task.samples]
        try:
            ranking = rank_candidates(
                Rows(query_vectors, np.where(task.asking >= 0, rows_of[asked][task.asking], -1)),
                Rows(sample_vectors, sample_rows),
                task.offsets,
                task.candidates,
                task.correct,
                penalties=_penalties(benchmark, task, seen_penalty),
                memory_mb=memory_mb,
                device=device,
            )
        except NotFiniteError as error:
            modality = asked if error.side == "query" else answered
            item = vectors[modality].ids[error.row]
            raise BiovitaError(f"{task.name}: {modality.value} {item!r}: {error}") from None
        first = task.candidates[np.arange(len(ranking.top)), ranking.top]
        retrieved = np.where(ranking.top >= 0, first, -1)
        scored.append(TaskScore(task, ranking.rank, retrieved, int((sample_rows < 0).sum())))
    return Scores(tuple(scored))


def checked_penalty(seen_penalty: float) -> float:
    """Return a penalty of seen taxa; raise a `BiovitaError` where it is no number from 0 to 2."""
    if not 0 <= seen_penalty <= MOST_PENALTY:  # also where it is NaN
        raise BiovitaError(
            f"seen_penalty is {seen_penalty}. It has to be from 0 to {MOST_PENALTY}, in units of the similarity"
        )
    return seen_penalty


def _penalties(benchmark: Benchmark, task: Task, seen_penalty: float) -> np.ndarray | None:
    """Return ``(taxa,)`` what is taken from the score of each taxon; None where it is nothing."""
    if not seen_penalty:
        return None
    unseen = benchmark.unseen.get(task.level, frozenset())
    return np.array([0.0 if name in unseen else seen_penalty for name in task.taxa])


def bootstrap_interval(
    values: np.ndarray, seed: Sequence[int] | int, *, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean of ``values``."""
    return interval_of(bootstrap_means(values, seed, resamples=resamples))


def bootstrap_means(values: np.ndarray, seed: Sequence[int] | int, *, resamples: int = RESAMPLES) -> np.ndarray:
    """Return ``(resamples,)`` means of ``values`` resampled with replacement.

    Resampling ``n`` values with replacement draws how often each distinct value occurs from a multinomial
    distribution, so that is what is drawn, at a cost that depends on the distinct values only.
    """
    distinct, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    rng = np.random.default_rng(seed)
    total = counts.sum()
    means: np.ndarray = rng.multinomial(total, counts / total, size=resamples) @ distinct / total
    return means


def interval_of(draws: np.ndarray) -> tuple[float, float]:
    """Return the 95 % percentile interval of drawn values."""
    low, high = np.quantile(draws, [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
    return float(low), float(high)
