"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from biovita.benchmark.analysis import Analysis, analyse
from biovita.benchmark.evaluation import Evaluation
from biovita.benchmark.generalised import GeneralisedRow, generalised_rows
from biovita.benchmark.leak import MetCheck
from biovita.benchmark.makers_knew import MakersKnew, makers_knew
from biovita.benchmark.recordings import Recordings
from biovita.benchmark.scores import ScoreRow, Scores
from biovita.benchmark.task import Benchmark
from biovita.benchmark.trait_scores import TraitScore
from biovita.dataset.dataset import Dataset
from biovita.embedding import Failure, Vectors
from biovita.modality import Modality
from biovita.one_line import OneLine
from biovita.towers.encoder import EncoderCard
from biovita.traits.known_labels import Traits

__all__ = ["ReportContent", "run_of"]


@dataclass(frozen=True, eq=False, repr=False)
class ReportContent(OneLine):
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
        Length and contrast of the benchmark's recordings; None where nothing is known of them.
    predictions
        How well traits can be told from the embeddings; see `biovita.benchmark.trait_scores.label_scores`.
    published
        Put the published tables beside the scores.
    check
        Whether the model has met what it was asked; None where nobody asked.
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
    recordings: Recordings | None = None
    predictions: Sequence[TraitScore] = ()
    published: bool = False
    seed: int = 0
    check: MetCheck | None = None

    @cached_property
    def rows(self) -> tuple[ScoreRow, ...]:
        """The rows of all stages."""
        return tuple(
            row
            for stage, scores in self.scores.items()
            for row in scores.rows(stage, seed=self.seed, leak=self.leaks)
        )

    @property
    def leaks(self) -> bool:
        """Whether the model has trained on what it was asked as new."""
        return self.check is not None and bool(self.check.leak)

    @cached_property
    def makers_knew(self) -> tuple[MakersKnew, ...]:
        """Of how many of the unseen species the makers of each encoder had a class."""
        return makers_knew(self.benchmark, self.towers)

    @cached_property
    def generalised(self) -> tuple[GeneralisedRow, ...]:
        """The rows of all stages on seen and unseen taxa among the same candidates; none where they have others."""
        return tuple(
            row
            for stage, scores in self.scores.items()
            for row in generalised_rows(self.benchmark, scores, stage, seed=self.seed, leak=self.leaks)
        )

    @cached_property
    def analysis(self) -> Analysis:
        """The analysis of the last stage."""
        traits = Traits({}) if self.dataset is None else Traits.of(self.dataset)
        return analyse(self.benchmark, self.final, recordings=self.recordings, traits=traits, seed=self.seed)

    @property
    def final(self) -> Scores:
        """The scores of the last stage."""
        return self.scores[self.last]

    @property
    def last(self) -> int | str:
        """The last stage."""
        return list(self.scores)[-1]


def run_of(result: Evaluation) -> ReportContent:
    """Return what the report of one scored model is made of."""
    benchmark = result.benchmark
    source = benchmark.made.get("dataset") or benchmark.made.get("benchmark") or "a benchmark"
    return ReportContent(
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
        check=result.check,
    )
