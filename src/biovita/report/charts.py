"""Charts as inline SVG, in the page's own colours, and the scales of its plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import cos, pi, sin
from typing import Any

__all__ = ["axis_top", "loss_chart", "radar_chart"]

_WIDTH, _HEIGHT = 360.0, 150.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 38.0, 8.0, 10.0, 22.0


def axis_top(highest: float) -> float:
    """Return where an axis of shares from 0 ends, so that a quarter of it is a round number of percent.

    Examples
    --------
    >>> axis_top(0.33), axis_top(0.81)
    (0.4, 1.0)
    """
    return next((top for top in (0.08, 0.2, 0.4, 0.6, 0.8) if highest <= top), 1.0)


def loss_chart(name: str, values: Sequence[float], index: int) -> dict[str, Any]:
    """Return the drawing of a loss: its path and ticks, in the coordinates of a 360 by 150 view.

    Parameters
    ----------
    index
        Place among the page's charts, for ids that are unique.
    """
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = high - low or 1.0
    inner_width, inner_height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    step = inner_width / max(1, len(values) - 1)
    points = [
        (_LEFT + step * place, _TOP + inner_height * (1 - (value - low) / span))
        for place, value in enumerate(values)
    ]
    return {
        "id": f"loss-{index}",
        "name": name,
        "first": values[0] if len(values) else None,
        "last": values[-1] if len(values) else None,
        "steps": len(values),
        "path": "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points) if points else "",
        "ticks": [(_TOP + inner_height, f"{low:.2f}"), (_TOP, f"{high:.2f}")],
    }


_RADIUS, _MIDDLE = 84.0, (150.0, 118.0)


def radar_chart(
    name: str, axes: Sequence[str], series: Mapping[int, Sequence[float | None]], index: int
) -> dict[str, Any]:
    """Return the drawing of shares on axes around a centre, in the coordinates of a 300 by 236 view.

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
        labels.append({"text": label, "x": round(x, 1), "y": round(y + 4, 1), "anchor": anchor})
    return {
        "id": f"radar-{index}",
        "name": name,
        "rings": [polygon([share] * len(axes)) for share in (0.25, 0.5, 0.75, 1.0)],
        "spokes": [at(axis, 1.0) for axis in range(len(axes))],
        "middle": _MIDDLE,
        "labels": labels,
        "polygons": [
            {"k": k, "points": polygon([share or 0.0 for share in shares])}
            for k, shares in sorted(series.items(), reverse=True)
        ],
        "spoken": "; ".join(
            f"Top-{k}: " + ", ".join(f"{a} {100 * (s or 0):.0f} %" for a, s in zip(axes, shares, strict=True))
            for k, shares in sorted(series.items())
        ),
    }
