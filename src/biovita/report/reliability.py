"""Whether a calibration holds: its reliability picture, and the page that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biovita.files import make_directory, write_whole
from biovita.identification.calibration import Calibration
from biovita.identification.thresholds import ScoreThreshold
from biovita.report.environment import environment

__all__ = ["ReliabilityChart", "ReliabilityPoint", "reliability_chart", "write_calibration_page"]

_SIDE, _LEFT, _TOP = 220.0, 44.0, 12.0
_LISTED = 500  # taxa whose thresholds the page lists


@dataclass(frozen=True)
class ReliabilityPoint:
    """A bin of the picture: its place, its size, the ends of its interval, and the numbers in words."""

    x: float
    y: float
    radius: float
    top: float
    bottom: float
    spoken: str


@dataclass(frozen=True)
class ReliabilityChart:
    """Probabilities against shares that are right, in a 280 by 274 view.

    Attributes
    ----------
    points
        A bin each. On the diagonal, what is said comes true.
    diagonal
        Its path.
    curve
        The path of the calibration, from score to probability.
    x, y
        Place and text of each mark on the axes.
    spoken
        The picture in words.
    """

    points: tuple[ReliabilityPoint, ...]
    diagonal: str
    curve: str
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    spoken: str


def reliability_chart(calibration: Calibration) -> ReliabilityChart:
    """Return the drawing of a calibration: its cross-validated bins, and its curve."""
    largest = max((each.n for each in calibration.reliability), default=1)
    points = tuple(
        ReliabilityPoint(
            *_place(each.probability, each.right),
            radius=2.5 + 4.5 * (each.n / largest) ** 0.5,
            top=_place(0, each.right_high)[1],
            bottom=_place(0, each.right_low)[1],
            spoken=f"{each.n:,} answers of {each.groups:,} recordings with a mean probability of "
            f"{each.probability:.2f}: {100 * each.right:.0f} % right ({100 * each.right_low:.0f} to "
            f"{100 * each.right_high:.0f})",
        )
        for each in calibration.reliability
    )
    scores = np.linspace(0, 1, 201)
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    return ReliabilityChart(
        points=points,
        diagonal=_path([0.0, 1.0], [0.0, 1.0]),
        curve=_path(scores, calibration.probability(scores)),
        x=tuple((_place(value, 0)[0], f"{value:g}") for value in ticks),
        y=tuple((_place(0, value)[1], f"{100 * value:.0f} %") for value in ticks),
        spoken="; ".join(point.spoken for point in points),
    )


def write_calibration_page(
    calibration: Calibration,
    out: Path,
    *,
    precision: float | None = None,
    thresholds: Sequence[ScoreThreshold] = (),
    names: Mapping[int, str] | None = None,
    left_out: Sequence[str] = (),
) -> Path:
    """Write ``calibration.html`` into a directory, and return its path. The page loads nothing from elsewhere.

    Parameters
    ----------
    precision, thresholds
        What `biovita.identification.thresholds.thresholds_at` was asked for, and gave.
    names
        By number of a candidate, its name.
    left_out
        Sentences on what labels were not used.
    """
    known = names or {}
    make_directory(out)
    page = (
        environment()
        .get_template("calibration.html")
        .render(
            calibration=calibration,
            question=calibration.question,
            chart=reliability_chart(calibration),
            losses=dict(calibration.log_loss),
            precision=precision,
            thresholds=[
                (
                    row,
                    "all taxa together" if row.candidate is None else known.get(row.candidate, str(row.candidate)),
                )
                for row in thresholds[:_LISTED]
            ],
            unlisted=max(0, len(thresholds) - _LISTED),
            left_out=left_out,
        )
    )
    file = out / "calibration.html"
    write_whole(file, page)
    return file


def _place(x: float, y: float) -> tuple[float, float]:
    return round(_LEFT + _SIDE * x, 1), round(_TOP + _SIDE * (1 - y), 1)


def _path(xs: Sequence[float] | np.ndarray, ys: Sequence[float] | np.ndarray) -> str:
    return "M" + " L".join("{} {}".format(*_place(float(x), float(y))) for x, y in zip(xs, ys, strict=True))
