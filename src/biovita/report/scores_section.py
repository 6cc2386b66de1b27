"""The scores of a run, arranged for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from biovita.benchmark.headlines import Headline, cautions, headline, headline_words
from biovita.benchmark.scores import ScoreRow
from biovita.benchmark.task import LEVELS
from biovita.modality import DIRECTIONS
from biovita.report.charts import axis_top
from biovita.report.content import ReportContent

__all__ = [
    "Headlines",
    "Mark",
    "Panel",
    "PanelLevel",
    "PanelLine",
    "Stage",
    "Step",
    "headlines",
    "panel",
    "stages_of",
]

_LABELS = {0: "untrained", 1: "stage 1", 2: "stage 2"}


@dataclass(frozen=True)
class Stage:
    """What was scored: a stage of training, or a model by its name."""

    key: int | str
    label: str


@dataclass(frozen=True)
class Step:
    """What one stage got, as the mean over the directions."""

    stage: Stage
    top1: Headline
    top5: Headline


@dataclass(frozen=True)
class Headlines:
    """What the page begins with: the mean over the directions at species level of one part."""

    part: str
    steps: tuple[Step, ...]

    @property
    def last(self) -> Step:
        """The step of the last stage."""
        return self.steps[-1]

    @property
    def words(self) -> str:
        """The headline of the last stage, as commands print it."""
        return headline_words(self.last.top1)

    @property
    def cautions(self) -> tuple[str, ...]:
        """How far it can be trusted."""
        return cautions(self.last.top1)


@dataclass(frozen=True)
class Mark:
    """The accuracy of a stage on a plot; ``index`` is the stage's place."""

    index: int
    accuracy: float
    last: bool


@dataclass(frozen=True)
class PanelLine:
    """A direction of a plot: its row of the last stage, and a mark a stage."""

    direction: str
    final: ScoreRow
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class PanelLevel:
    """The plot of one level, and the mean over its directions."""

    level: str
    lines: tuple[PanelLine, ...]
    mean: Headline
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Panel:
    """The plots of one part and k.

    Attributes
    ----------
    top
        Where the axis of accuracy ends.
    ticks
        Where its marks stand.
    """

    part: str
    k: int
    top: float
    ticks: tuple[float, ...]
    levels: tuple[PanelLevel, ...]


def stages_of(run: ReportContent) -> tuple[Stage, ...]:
    """Return the stages of a run in their order."""
    return tuple(Stage(key, _LABELS.get(key, str(key)) if isinstance(key, int) else key) for key in run.scores)


def headlines(run: ReportContent, parts: Sequence[str]) -> Headlines | None:
    """Return the headlines of the first part that has some; None where there are no tasks at species level."""
    for part in parts:
        steps = tuple(
            Step(stage, one, five)
            for stage in stages_of(run)
            if (one := headline(run.rows, stage=stage.key, part=part, k=1, seed=run.seed))
            and (five := headline(run.rows, stage=stage.key, part=part, k=5, seed=run.seed))
        )
        if steps:
            return Headlines(part, steps)
    return None


def panel(run: ReportContent, part: str, k: int) -> Panel:
    """Return the plots of one part and k: a table a level, a row a direction, a mark a stage."""
    rows = [row for row in run.rows if (row.part, row.k) == (part, k)]
    top = axis_top(max((row.high for row in rows), default=1.0))
    levels = [
        _panel_level(run, rows, level.value) for level in LEVELS if any(r.level == level.value for r in rows)
    ]
    return Panel(part, k, top, tuple(top * i / 4 for i in range(5)), tuple(levels))


def _panel_level(run: ReportContent, rows: Sequence[ScoreRow], level: str) -> PanelLevel:
    stages = stages_of(run)
    lines = []
    for direction in DIRECTIONS:
        mine = {row.stage: row for row in rows if (row.level, row.direction) == (level, direction)}
        if mine:
            found = {stage: row.accuracy for stage, row in mine.items()}
            lines.append(PanelLine(direction, mine[stages[-1].key], _marks(found, stages)))
    part, k = rows[0].part, rows[0].k
    means = {
        stage.key: mean
        for stage in stages
        if (mean := headline(rows, stage=stage.key, part=part, k=k, level=level)) is not None
    }
    marks = _marks({key: mean.accuracy for key, mean in means.items()}, stages)
    return PanelLevel(level, tuple(lines), means[stages[-1].key], marks)


def _marks(accuracy: Mapping[int | str | None, float], stages: Sequence[Stage]) -> tuple[Mark, ...]:
    """Return a mark for each stage that has an accuracy."""
    return tuple(
        Mark(index, accuracy[stage.key], last=index == len(stages) - 1)
        for index, stage in enumerate(stages)
        if stage.key in accuracy
    )
