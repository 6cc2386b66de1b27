"""Shapes in the animal's own coordinates: x forward, y down, the body one long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = [
    "RGB",
    "Figure",
    "Points",
    "Shape",
    "blob",
    "ellipse",
    "limb",
    "mix",
    "moved",
    "rotate",
    "shade",
    "smooth",
]

RGB = tuple[int, int, int]
Points = Sequence[Sequence[float] | np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A filled outline, with marks that show only inside it.

    Attributes
    ----------
    points
        ``(n, 2)``.
    marks
        Outlines and their colours, drawn in order, clipped to the shape.
    """

    points: np.ndarray
    colour: RGB
    marks: tuple[tuple[np.ndarray, RGB], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """An animal as shapes, the farthest first, and the point where it stands."""

    shapes: list[Shape]
    foot: tuple[float, float]


# A half circle from one side of a limb round its end to the other: shares of the side and of the way ahead.
_CAP = np.stack([np.cos(np.linspace(0.0, np.pi, 7)[1:-1]), np.sin(np.linspace(0.0, np.pi, 7)[1:-1])], axis=1)


def smooth(points: Points | np.ndarray, steps: int = 8, *, closed: bool = True) -> np.ndarray:
    """Return a curve through ``points`` (Catmull-Rom)."""
    knots = np.asarray(points, dtype=float)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    pieces = np.stack([knots[i : len(knots) - 3 + i] for i in range(4)], axis=1)  # (pieces, 4, 2)
    curve = (_spline(steps) @ pieces).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-2:-1]])


@cache
def _spline(steps: int) -> np.ndarray:
    """Return the weights ``(steps, 4)`` of four neighbouring knots along the piece between the middle two."""
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    weights = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
    return 0.5 * np.concatenate(weights, axis=1)


@cache
def _circle(corners: int) -> np.ndarray:
    """Return the unit circle ``(corners, 2)``."""
    t = np.linspace(0.0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], axis=1)


def ellipse(x: float, y: float, rx: float, ry: float, degrees: float = 0.0, *, corners: int = 40) -> np.ndarray:
    """Return an ellipse, turned counter-clockwise as seen."""
    return moved(rotate(_circle(corners) * (rx, ry), degrees), x, y)


def moved(points: Points | np.ndarray, x: float, y: float) -> np.ndarray:
    """Return points moved right by ``x`` and down by ``y``."""
    return np.asarray(points, dtype=float) + np.array([x, y])


def rotate(points: Points | np.ndarray, degrees: float) -> np.ndarray:
    """Return points turned counter-clockwise as seen (y points down)."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(points, dtype=float) @ np.array([[cos, -sin], [sin, cos]])


def limb(path: Points | np.ndarray, widths: Sequence[float], steps: int = 8) -> np.ndarray:
    """Return a stroke along a curve through ``path``, as wide at each of its points as ``widths`` says, round-ended."""
    curve = smooth(path, steps, closed=False)
    at = np.arange(len(curve)) * ((len(widths) - 1.0) / (len(curve) - 1.0))
    half = 0.5 * np.interp(at, np.arange(len(widths)), widths)
    ahead = np.empty_like(curve)
    ahead[1:-1] = curve[2:] - curve[:-2]
    ahead[0], ahead[-1] = curve[1] - curve[0], curve[-1] - curve[-2]
    ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
    side = np.empty_like(ahead)
    side[:, 0], side[:, 1] = -ahead[:, 1] * half, ahead[:, 0] * half
    end = curve[-1] + _CAP @ np.stack([side[-1], ahead[-1] * half[-1]])
    start = curve[0] - _CAP @ np.stack([side[0], ahead[0] * half[0]])
    return np.concatenate([curve + side, end, (curve - side)[::-1], start])


def blob(
    points: Points | np.ndarray, degrees: float = 0.0, at: Sequence[float] | np.ndarray = (0.0, 0.0)
) -> np.ndarray:
    """Return a smooth closed outline through ``points``, turned, then moved."""
    return rotate(smooth(points), degrees) + at


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """Return ``share`` of ``other`` in ``one``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def shade(colour: RGB, factor: float) -> RGB:
    """Return a colour darker (below 1) or lighter (above 1)."""
    if factor > 1.0:
        return mix(colour, (255, 252, 244), min(1.0, factor - 1.0))
    return mix((12, 12, 18), colour, factor)
