"""The colours and marks of one individual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.simulation.looks import PALETTE, Looks
from biovita.simulation.pictures.shapes import RGB, ellipse, limb, mix, rotate, shade

__all__ = ["Coat", "coat_of"]

Marks = tuple[tuple[np.ndarray, RGB], ...]


@dataclass(frozen=True, slots=True)
class Coat:
    """What an individual wears: three colours, the colour of its marks, and how they are laid out.

    Attributes
    ----------
    seed
        Of the layout of its marks, so that near and far parts agree.
    """

    body: RGB
    belly: RGB
    accent: RGB
    mark: RGB
    dark: RGB
    horn: RGB
    part: str
    pattern: str
    strength: float
    seed: int

    def at(self, part: str, otherwise: RGB) -> RGB:
        """Return the colour of a part: the accent where it is the part that has it."""
        return self.accent if part == self.part else otherwise

    def has(self, part: str) -> bool:
        """Whether this part has the accent."""
        return part == self.part

    def marks(self, width: float, height: float, degrees: float = 0.0, at: tuple[float, float] = (0.0, 0.0),
              scale: float = 1.0) -> Marks:  # fmt: skip
        """Return the pattern over an area around ``at``: bars across it, streaks along it, spots all over.

        Parameters
        ----------
        scale
            Of one mark; 1 suits a body that is one long.
        """
        if self.pattern == "plain":
            return ()
        rng = np.random.default_rng(self.seed)
        outlines = {"barred": _bars, "spotted": _spots, "streaked": _streaks}[self.pattern](
            width, height, scale * (0.75 + 0.5 * self.strength), rng
        )
        return tuple((rotate(outline, degrees) + at, self.mark) for outline in outlines)


def _bars(width: float, height: float, scale: float, rng: np.random.Generator) -> list[np.ndarray]:
    gap = 0.105 * max(scale, 0.3)
    count = max(2, int(width / gap))
    places = (np.arange(count) - (count - 1) / 2) * gap + rng.normal(0, 0.1 * gap, count)
    bend = 0.25 * gap
    return [
        limb(
            [(x - bend, -height / 2), (x + bend, 0.0), (x - bend, height / 2)],
            [0.3 * gap, 0.5 * gap, 0.3 * gap],
            4,
        )
        for x in places
    ]


def _spots(width: float, height: float, scale: float, rng: np.random.Generator) -> list[np.ndarray]:
    gap = 0.115 * max(scale, 0.3)
    across, down = max(2, int(width / gap)), max(2, int(height / gap))
    spots = []
    for column in range(across):
        for row in range(down):
            x = (column - (across - 1) / 2 + 0.5 * (row % 2)) * gap + rng.normal(0, 0.14 * gap)
            y = (row - (down - 1) / 2) * gap + rng.normal(0, 0.14 * gap)
            size = 0.30 * gap * rng.uniform(0.7, 1.25)
            spots.append(ellipse(x, y, size, size * rng.uniform(0.8, 1.0), corners=10))
    return spots


def _streaks(width: float, height: float, scale: float, rng: np.random.Generator) -> list[np.ndarray]:
    gap = 0.075 * max(scale, 0.3)
    down = max(2, int(height / gap))
    streaks = []
    for row in range(down):
        y = (row - (down - 1) / 2) * gap + rng.normal(0, 0.1 * gap)
        x = -width / 2 + rng.uniform(0, 1.5 * gap)
        while x < width / 2:
            length = gap * rng.uniform(1.3, 2.4)
            streaks.append(
                limb([(x, y), (x + length, y + rng.normal(0, 0.15 * gap))], [0.16 * gap, 0.42 * gap], 2)
            )
            x += length + gap * rng.uniform(0.5, 1.1)
    return streaks


def coat_of(looks: Looks, rng: np.random.Generator) -> Coat:
    """Return the coat of one individual: its species' colours, a little lighter or warmer than the mean."""
    lightness = looks.lightness * rng.normal(1.0, 0.05)
    warm = rng.normal(0.0, 5.0)

    def own(name: str) -> RGB:
        red, green, blue = np.array(PALETTE[name].rgb, dtype=float)
        grey = 0.3 * red + 0.59 * green + 0.11 * blue
        values = grey + (np.array([red, green, blue]) - grey) * looks.saturation
        red, green, blue = np.clip(values * lightness + [warm, 0.0, -warm], 6, 250)
        return (int(red), int(green), int(blue))

    body = own(looks.body)
    bright = sum(body) / 3
    dark = shade(body, 0.55)
    mark = mix(body, (30, 26, 24) if bright > 105 else (236, 226, 204), 0.45 + 0.4 * looks.pattern_strength)
    return Coat(
        body=body,
        belly=mix(body, own(looks.belly), 0.8),
        accent=own(looks.accent),
        mark=mark,
        dark=dark,
        horn=mix((74, 64, 56), (196, 152, 60), float(np.clip(0.5 * looks.ornament + 0.1, 0, 1))),
        part=looks.accent_part,
        pattern=looks.pattern,
        strength=looks.pattern_strength,
        seed=int(rng.integers(2**31)),
    )
