"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from biovita.bench.recordings import Recording
from biovita.bench.run import RunResult
from biovita.bench.scores import ScoreRow, Scores
from biovita.bench.task import Benchmark
from biovita.bench.traits import TraitScore
from biovita.dataset.store import Dataset
from biovita.embed import Failure, Vectors
from biovita.modality import Modality
from biovita.towers.base import EncoderCard

__all__ = ["Run", "run_of"]


@dataclass(frozen=True, eq=False)
class Run:
    """A model scored on a benchmark, with all that a reader has to know of it.

    Attributes
    ----------
    scores
        By stage, in their order: 0 untrained, 1, 2 of a training, or the name of a single model. The last is the one
        that analysis and examples are made of.
    vectors
        By modality, the vectors that the last scores came from.
    losses
        By name, the loss of each epoch (or step) in order.
    made
        What the run was made with: model, recipe, seed, versions. Nothing that differs between two equal runs, for
        it goes into ``results.json``.
    times
        Seconds by what took them; only the page shows them.
    dataset
        Where the benchmark is from, for its counts, its traits and for what was left out of it.
    failed
        Items that could not be embedded, and why.
    recordings
        Length and contrast of recordings, by row of the benchmark's; see `biovita.bench.recordings`.
    predictions
        How well traits can be told from the embeddings; see `biovita.bench.traits.trait_prediction`.
    published
        Put the published tables beside the scores.
    """

    title: str
    benchmark: Benchmark
    scores: Mapping[int | str, Scores]
    vectors: Mapping[Modality, Vectors]
    towers: Sequence[EncoderCard] = ()
    losses: Mapping[str, Sequence[float]] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict)
    dataset: Dataset | None = None
    failed: Sequence[Failure] = ()
    recordings: Mapping[int, Recording] = field(default_factory=dict)
    predictions: Sequence[TraitScore] = ()
    published: bool = False
    seed: int = 0

    @cached_property
    def rows(self) -> tuple[ScoreRow, ...]:
        """The rows of all stages."""
        return tuple(row for stage, scores in self.scores.items() for row in scores.rows(stage, seed=self.seed))

    @property
    def final(self) -> Scores:
        """The scores of the last stage."""
        return self.scores[self.last]

    @property
    def last(self) -> int | str:
        """The last stage."""
        return list(self.scores)[-1]


def run_of(result: RunResult) -> Run:
    """Return what the report of one scored model is made of."""
    benchmark = result.benchmark
    source = benchmark.made.get("dataset") or benchmark.made.get("benchmark") or "a benchmark"
    return Run(
        title=f"{result.name} on {source}",
        benchmark=benchmark,
        scores={result.name: result.scores},
        vectors=result.vectors,
        towers=result.towers,
        made=result.made,
        dataset=benchmark.dataset,
        failed=result.failed,
        recordings=result.recordings,
        predictions=result.predictions,
        published=True,
        seed=result.seed,
    )
