"""Drawing shapes with smooth edges: larger than needed, then averaged down."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from biovita.simulation.pictures.shapes import Shape

__all__ = ["Canvas"]

_OVERSAMPLING = 3


class Canvas:
    """A square layer that shapes are drawn on.

    Parameters
    ----------
    side
        Of the layer when it is done, in pixels.
    """

    def __init__(self, side: int) -> None:
        self._side = side
        wide = side * _OVERSAMPLING
        self._image = Image.new("RGB", (wide, wide))
        self._mask = Image.new("L", (wide, wide))
        self._draw = ImageDraw.Draw(self._image)
        self._cover = ImageDraw.Draw(self._mask)

    def draw(self, shapes: Iterable[Shape]) -> None:
        """Draw shapes whose points are in pixels of the finished layer."""
        for shape in shapes:
            outline = _flat(shape.points)
            self._cover.polygon(outline, fill=255)
            if shape.marks:
                self._draw_marked(shape, outline)
            else:
                self._draw.polygon(outline, fill=shape.colour)

    def _draw_marked(self, shape: Shape, outline: list[tuple[float, float]]) -> None:
        wide = self._image.width
        low = np.floor(shape.points.min(axis=0) * _OVERSAMPLING).astype(int)
        high = np.ceil(shape.points.max(axis=0) * _OVERSAMPLING).astype(int) + 1
        left, top, right, bottom = max(0, low[0]), max(0, low[1]), min(wide, high[0]), min(wide, high[1])
        if left >= right or top >= bottom:
            return
        patch = Image.new("RGB", (right - left, bottom - top), shape.colour)
        pen = ImageDraw.Draw(patch)
        for points, colour in shape.marks:
            pen.polygon(_flat(points, left, top), fill=colour)
        stencil = Image.new("L", patch.size)
        ImageDraw.Draw(stencil).polygon([(x - left, y - top) for x, y in outline], fill=255)
        self._image.paste(patch, (int(left), int(top)), stencil)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the colours ``(side, side, 3)`` and the coverage ``(side, side, 1)``, float32, 0 to 1.

        Colours are premultiplied by the coverage.
        """
        colours = np.asarray(self._image.reduce(_OVERSAMPLING), dtype=np.float32) / 255.0
        cover = np.asarray(self._mask.reduce(_OVERSAMPLING), dtype=np.float32)[:, :, None] / 255.0
        return colours, cover


def _flat(points: np.ndarray, left: int = 0, top: int = 0) -> list[tuple[float, float]]:
    return list(map(tuple, (points * _OVERSAMPLING - (left, top)).tolist()))
