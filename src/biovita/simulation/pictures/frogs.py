"""The body plan of frogs and toads."""

from __future__ import annotations

import numpy as np

from biovita.simulation.looks import Looks
from biovita.simulation.pictures.coat import Coat
from biovita.simulation.pictures.shapes import Figure, Shape, blob, ellipse, limb, mix, rotate, shade

__all__ = ["frog"]

_SAC_OUT = 0.4  # chance to be caught calling, with the vocal sac blown up


def frog(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:
    """Return a sitting frog in side view, facing right."""
    get = looks.shape.get
    depth, slope = get("depth", 0.45), get("slope", 22.0) + rng.normal(0, 3)
    ground = 0.30 + 0.30 * depth

    def at(x: float, y: float) -> tuple[float, float]:
        turned = rotate([(x, y)], slope)[0]
        return float(turned[0]), float(turned[1])

    shapes = _leg_far(coat, depth, ground, get("pads", 0.0))
    if rng.random() < _SAC_OUT:
        sac = at(0.44, 0.30 * depth)
        skin = coat.at("throat", mix(coat.belly, (240, 236, 214), 0.4))
        shine = (ellipse(sac[0] + 0.09, sac[1], 0.08, 0.06), (252, 250, 240))
        shapes.append(Shape(ellipse(sac[0] + 0.05, sac[1] + 0.06, 0.19, 0.17), skin, (shine,)))
    shapes.append(_body(looks, coat, depth, slope, rng))
    eye_at = at(0.27, -0.50 * depth)
    shapes += _eye(looks, coat, eye_at, 0.78 * get("eye", 0.13))
    mouth = limb([at(0.53, 0.02 * depth), at(0.40, 0.10 * depth), at(0.22, 0.06 * depth)], [0.012, 0.016, 0.010])
    shapes.append(Shape(mouth, shade(coat.body, 0.45)))
    shapes.append(Shape(ellipse(*at(0.49, -0.12 * depth), 0.013, 0.010, corners=10), shade(coat.body, 0.4)))
    ear = at(0.15, -0.16 * depth)
    drum = 0.06 + 0.03 * get("drum", 0.0)
    middle = (ellipse(*ear, 0.035, 0.035), shade(coat.body, 0.86))
    shapes.append(Shape(ellipse(*ear, drum, drum), shade(coat.body, 0.7), (middle,)))
    shapes += _legs(looks, coat, depth, ground, rng)
    return Figure(shapes, (0.0, ground - 0.12 if stand == "water" else ground + 0.02))


def _body(looks: Looks, coat: Coat, depth: float, slope: float, rng: np.random.Generator) -> Shape:
    snout = 0.36 + 0.9 * looks.shape.get("snout", 0.15)
    outline = blob([(-0.50, 0.10 * depth), (-0.36, -0.36 * depth), (-0.06, -0.54 * depth), (0.20, -0.50 * depth),
                    (0.38, -0.34 * depth), (snout, -0.06 * depth), (snout - 0.06, 0.16 * depth), (0.26, 0.36 * depth),
                    (-0.08, 0.46 * depth), (-0.42, 0.38 * depth)], slope)  # fmt: skip
    low = blob([(0.7, 0.10 * depth), (0.3, 0.06 * depth), (0.05, 0.16 * depth), (-0.3, 0.22 * depth),
                (-0.6, 0.3 * depth), (-0.3, depth), (0.6, depth)], slope)  # fmt: skip
    marks = [(low, coat.at("belly", coat.belly))]
    if coat.has("back"):
        marks.append((blob([(0.40, -0.8 * depth), (0.3, -0.34 * depth), (-0.1, -0.26 * depth), (-0.6, -0.05 * depth),
                            (-0.6, -0.8 * depth)], slope), coat.accent))  # fmt: skip
    if coat.has("flank"):
        side = rotate([(0.34, -0.10 * depth), (0.0, -0.04 * depth), (-0.45, 0.10 * depth)], slope)
        marks.append((limb(side, [0.05, 0.12, 0.08]), coat.accent))
    if coat.has("throat"):
        x, y = rotate([(0.38, 0.34 * depth)], slope)[0]
        marks.append((ellipse(x, y, 0.20, 0.22 * depth, slope), coat.accent))
    marks += coat.marks(1.0, 0.9 * depth, slope, (-0.03, -0.06), 1.05)
    if looks.shape.get("warts", 0.0):
        for _ in range(26):
            x, y = rotate([(rng.uniform(-0.45, 0.3), rng.uniform(-0.5, 0.15) * depth)], slope)[0]
            size = rng.uniform(0.010, 0.024)
            marks.append((ellipse(x, y, size, size, corners=10), shade(coat.body, rng.choice([0.62, 1.12]))))
    return Shape(outline, coat.body, tuple(marks))


def _eye(looks: Looks, coat: Coat, at: tuple[float, float], radius: float) -> list[Shape]:
    radius = max(0.06, radius * (0.6 + 0.4 * looks.eye))
    x, y = at
    iris = coat.at("eye", (214, 160, 56))
    return [
        Shape(ellipse(x, y + 0.2 * radius, 1.35 * radius, 1.25 * radius), shade(coat.body, 0.92)),
        Shape(ellipse(x + 0.02, y, radius, radius), iris),
        Shape(ellipse(x + 0.03, y, 0.72 * radius, 0.36 * radius), (14, 12, 12)),
        Shape(ellipse(x + 0.05, y - 0.25 * radius, 0.18 * radius, 0.18 * radius, corners=10), (250, 250, 250)),
    ]


def _leg_far(coat: Coat, depth: float, ground: float, pads: float) -> list[Shape]:
    tone = shade(coat.body, 0.62)
    shapes = [
        Shape(limb([(0.22, 0.04), (0.34, 0.14 + 0.1 * depth), (0.42, ground - 0.02)], [0.13, 0.09, 0.06]), tone)
    ]
    return shapes + _toes(tone, (0.42, ground - 0.02), pads)


def _toes(colour: tuple[int, int, int], at: tuple[float, float], pads: float) -> list[Shape]:
    shapes = []
    for reach, rise in ((0.15, -0.01), (0.12, 0.02), (0.07, 0.03)):
        tip = (at[0] + reach, at[1] + rise)
        shapes.append(Shape(limb([at, tip], [0.036, 0.024], 2), colour))
        if pads > 0.2:
            shapes.append(Shape(ellipse(*tip, 0.030, 0.026, corners=14), shade(colour, 1.12)))
    return shapes


def _legs(looks: Looks, coat: Coat, depth: float, ground: float, rng: np.random.Generator) -> list[Shape]:
    long, pads = looks.shape.get("leg", 0.6), looks.shape.get("pads", 0.0)
    colour = coat.at("leg", shade(coat.body, 0.90))
    knee = (-0.36 + 0.46 * long + rng.normal(0, 0.015), 0.16 - 0.16 * long)
    heel = (-0.40 - 0.06 * long, ground - 0.06)
    bars = coat.marks(1.0, 1.0, 40.0, (-0.2, 0.1), 0.9) if coat.pattern != "plain" else ()
    foot = (heel[0] + 0.20 + 0.18 * long, ground)
    shapes = [
        Shape(limb([(-0.36, 0.10), (0.5 * (knee[0] - 0.36), 0.06), knee], [0.28, 0.25, 0.11]), colour, bars),
        Shape(
            limb([knee, (0.5 * (knee[0] + heel[0]), 0.5 * (knee[1] + heel[1]) + 0.04), heel], [0.10, 0.13, 0.07]),
            shade(colour, 0.82),
        ),
        Shape(limb([heel, foot], [0.075, 0.05], 3), shade(colour, 0.74)),
        *_toes(shade(colour, 0.74), foot, pads),
        Shape(
            limb([(0.16, 0.10), (0.22, 0.20 + 0.1 * depth), (0.30, ground)], [0.16, 0.10, 0.07]),
            shade(colour, 0.95),
        ),
    ]
    return shapes + _toes(shade(colour, 0.85), (0.30, ground), pads)
