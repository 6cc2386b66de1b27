"""Seen and unseen taxa among the same candidates, arranged for the page."""

from __future__ import annotations

from dataclasses import dataclass

from biovita.benchmark.generalised import GeneralisedRow
from biovita.benchmark.task import LEVELS
from biovita.report.charts import axis_top
from biovita.report.content import ReportContent

__all__ = ["GeneralisedPanel", "generalised_panels"]


@dataclass(frozen=True)
class GeneralisedPanel:
    """The Top-1 rows of the last stage at one level, and their mean.

    Attributes
    ----------
    top
        Where the axis of accuracy ends.
    ticks
        Where its marks stand.
    """

    level: str
    lines: tuple[GeneralisedRow, ...]
    mean: GeneralisedRow
    top: float
    ticks: tuple[float, ...]


def generalised_panels(run: ReportContent) -> tuple[GeneralisedPanel, ...]:
    """Return a panel a level, all on one axis; none where not all taxa were candidates."""
    rows = [row for row in run.generalised if (row.stage, row.k) == (run.last, 1)]
    top = axis_top(max((max(row.seen, row.unseen, row.high) for row in rows), default=1.0))
    panels = []
    for level in LEVELS:
        of_level = [row for row in rows if row.level == level.value]
        if of_level:
            *lines, mean = of_level
            panels.append(
                GeneralisedPanel(level.value, tuple(lines), mean, top, tuple(top * i / 4 for i in range(5)))
            )
    return tuple(panels)
