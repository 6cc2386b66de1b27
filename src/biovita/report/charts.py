"""Charts as inline SVG, in the page's own colours, and the scales of its plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin

__all__ = [
    "BarChart",
    "BarRow",
    "Line",
    "LineChart",
    "RadarChart",
    "RadarLabel",
    "RadarShape",
    "axis_top",
    "bar_chart",
    "line_chart",
    "radar_chart",
]

_WIDTH, _HEIGHT = 360.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 8.0, 10.0, 22.0


@dataclass(frozen=True)
class Line:
    """A line of a `LineChart`: its path, where it ends, and its last value."""

    name: str
    path: str
    end: tuple[float, float]
    last: float


@dataclass(frozen=True)
class LineChart:
    """Lines over a common axis in a 360 by 150 view.

    Attributes
    ----------
    x, y
        Place and text of each mark on the axes.
    marks
        Where on the x axis vertical lines stand.
    changes
        Whether a line has two values that differ: where none has, there is nothing to see.
    """

    name: str
    lines: tuple[Line, ...]
    x: tuple[tuple[float, str], ...]
    y: tuple[tuple[float, str], ...]
    marks: tuple[float, ...]
    changes: bool


@dataclass(frozen=True)
class BarRow:
    """The shares of a group, from 0 to 1, by k; the largest k first, so that the smallest lies on top."""

    label: str
    shares: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class BarChart:
    """Shares of groups as bars from 0 to 100 %."""

    name: str
    rows: tuple[BarRow, ...]


@dataclass(frozen=True)
class RadarLabel:
    """The name of an axis, and where it stands."""

    text: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True)
class RadarShape:
    """The shares of one k, as the points of a polygon."""

    k: int
    points: str


@dataclass(frozen=True)
class RadarChart:
    """Shares on axes around a centre in a 300 by 236 view.

    Attributes
    ----------
    id
        Unique on the page.
    rings
        Polygons of a quarter, a half, three quarters and all.
    spokes
        Where the axes end.
    shapes
        The largest k first, so that the smallest lies on top.
    spoken
        The numbers in words.
    """

    id: str
    name: str
    rings: tuple[str, ...]
    spokes: tuple[tuple[float, float], ...]
    middle: tuple[float, float]
    labels: tuple[RadarLabel, ...]
    shapes: tuple[RadarShape, ...]
    spoken: str


def axis_top(highest: float) -> float:
    """Return where an axis of shares from 0 ends, so that a quarter of it is a round number of percent.

    Examples
    --------
    >>> axis_top(0.33), axis_top(0.81)
    (0.4, 1.0)
    """
    return next((top for top in (0.08, 0.2, 0.4, 0.6, 0.8) if highest <= top), 1.0)


_POINTS = 240  # of a line: more would lie closer together than pixels


def line_chart(
    name: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    marks: Sequence[float] = (),
    zero: bool = False,
) -> LineChart | None:
    """Return the drawing of lines over a common axis; None without points.

    Parameters
    ----------
    series
        By name, points ``(x, y)``, ascending in x. Of long ones the means of neighbours are drawn.
    marks
        Where on the x axis vertical lines stand.
    zero
        Whether the y axis begins at 0.
    """
    drawn = {label: _thinned(points) for label, points in series.items() if len(points)}
    if not drawn:
        return None
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in drawn.values() for _, y in points]
    left, right = min(xs), max(xs)
    low, high = (0.0 if zero else min(ys)), max(ys)
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + width * (x - left) / ((right - left) or 1.0),
            _TOP + height * (1 - (y - low) / ((high - low) or 1.0)),
        )

    lines = []
    for label, points in drawn.items():
        placed = [place(x, y) for x, y in points]
        path = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        lines.append(Line(label, path, placed[-1], series[label][-1][1]))
    ticks = (low, (low + high) / 2, high) if high > low else (low,)
    return LineChart(
        name=name,
        lines=tuple(lines),
        x=tuple((place(value, low)[0], f"{value:,.0f}") for value in dict.fromkeys((left, right))),
        y=tuple((place(left, value)[1], label) for value, label in zip(ticks, _labels(ticks), strict=True)),
        marks=tuple(place(value, low)[0] for value in marks if left < value < right),
        changes=any(len({y for _, y in points}) > 1 for points in series.values()),
    )


def _labels(ticks: Sequence[float]) -> list[str]:
    """Return short labels that differ where the ticks do, as far as four digits can tell them apart."""
    labels: list[str] = []
    for digits in (2, 3, 4):
        labels = [
            f"{tick:.{digits - 1}e}".replace("e-0", "e-") if 0 < abs(tick) < 1e-3 else f"{tick:.{digits}g}"
            for tick in ticks
        ]
        if len(set(labels)) == len(ticks):
            break
    return labels


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // _POINTS)
    groups = [points[start : start + step] for start in range(0, len(points), step)] if step else []
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def bar_chart(name: str, groups: Sequence[str], series: Mapping[int, Sequence[float | None]]) -> BarChart:
    """Return shares of groups as bars: by k, the share of each group; one without a value counts as zero."""
    return BarChart(
        name,
        tuple(
            BarRow(group, tuple((k, series[k][place] or 0.0) for k in sorted(series, reverse=True)))
            for place, group in enumerate(groups)
        ),
    )


_RADIUS, _MIDDLE = 84.0, (150.0, 118.0)


def radar_chart(
    name: str, axes: Sequence[str], series: Mapping[int, Sequence[float | None]], index: int
) -> RadarChart:
    """Return the drawing of shares on axes around a centre.

    Parameters
    ----------
    series
        By k, the share on each axis; an axis without a value counts as zero.
    """

    def at(axis: int, share: float) -> tuple[float, float]:
        angle = 2 * pi * axis / len(axes) - pi / 2
        return _MIDDLE[0] + share * _RADIUS * cos(angle), _MIDDLE[1] + share * _RADIUS * sin(angle)

    def polygon(shares: Sequence[float]) -> str:
        return " ".join("{:.1f},{:.1f}".format(*at(axis, share)) for axis, share in enumerate(shares))

    labels = []
    for axis, label in enumerate(axes):
        x, y = at(axis, 1.12)
        anchor = "middle" if abs(x - _MIDDLE[0]) < 8 else "start" if x > _MIDDLE[0] else "end"
        labels.append(RadarLabel(label, round(x, 1), round(y + 4, 1), anchor))
    return RadarChart(
        id=f"radar-{index}",
        name=name,
        rings=tuple(polygon([share] * len(axes)) for share in (0.25, 0.5, 0.75, 1.0)),
        spokes=tuple(at(axis, 1.0) for axis in range(len(axes))),
        middle=_MIDDLE,
        labels=tuple(labels),
        shapes=tuple(
            RadarShape(k, polygon([share or 0.0 for share in shares]))
            for k, shares in sorted(series.items(), reverse=True)
        ),
        spoken="; ".join(
            f"Top-{k}: " + ", ".join(f"{a} {100 * (s or 0):.0f} %" for a, s in zip(axes, shares, strict=True))
            for k, shares in sorted(series.items())
        ),
    )
