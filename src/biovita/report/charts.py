"""Charts as inline SVG, in the page's own colours, and the scales of its plots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["axis_top", "loss_chart"]

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
