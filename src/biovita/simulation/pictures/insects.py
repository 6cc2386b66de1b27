"""The body plans of insects: hoppers (crickets, katydids, grasshoppers), cicadas, bees and beetles."""

from __future__ import annotations

import numpy as np

from biovita.simulation.looks import Looks
from biovita.simulation.pictures.coat import Coat
from biovita.simulation.pictures.shapes import RGB, Figure, Shape, blob, ellipse, limb, mix, moved, rotate, shade

__all__ = ["bee", "beetle", "cicada", "hopper"]


def _eye(looks: Looks, x: float, y: float, radius: float, colour: RGB = (36, 22, 20)) -> list[Shape]:
    radius *= 0.6 + 0.4 * looks.eye
    return [
        Shape(ellipse(x, y, radius, 1.15 * radius, corners=20), colour),
        Shape(
            ellipse(x + 0.3 * radius, y - 0.4 * radius, 0.28 * radius, 0.28 * radius, corners=10), (240, 240, 240)
        ),
    ]


def _stick(points: list[tuple[float, float]], width: float, colour: RGB) -> Shape:
    return Shape(limb(points, [width, 0.85 * width, 0.6 * width][: max(2, len(points))], 5), colour)


def hopper(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:  # noqa: ARG001
    """Return a cricket, katydid or grasshopper in side view, facing right."""
    get = looks.shape.get
    depth, long, head, wing = get("depth", 0.3), get("leg", 0.6), get("head", 0.14), get("wing", 0.8)
    leafy = get("leafy", 0.0)
    ground = 0.30 + 0.10 * depth
    legs, dark = coat.at("leg", shade(coat.body, 0.78)), shade(coat.body, 0.6)
    shapes = _antennae(coat, 0.52, -0.10, get("antenna", 0.8), rng, back=0.35)
    for x, reach, tone in ((0.26, 0.16, 0.7), (0.08, 0.02, 0.7), (0.30, 0.22, 1.0), (0.10, -0.06, 1.0)):
        shapes.append(
            _stick(
                [(x, 0.05), (x + 0.5 * reach, 0.02 + 0.3 * ground), (x + reach, ground)], 0.034, shade(legs, tone)
            )
        )
    shapes.append(_jumping_leg(legs, long, ground, 0.62, 0.06))
    if get("cerci", 0.0):
        shapes += [
            _stick([(-0.46, 0.04), (-0.62, 0.02 + lift), (-0.74, -0.02 + 2 * lift)], 0.022, dark)
            for lift in (-0.05, 0.05)
        ]
    body = limb([(-0.52, 0.05), (-0.1, 0.02), (0.40, -0.02)], [0.35 * depth, 0.95 * depth, 0.85 * depth])
    belly = blob([(0.4, 0.10 * depth), (-0.5, 0.2 * depth), (-0.4, depth), (0.4, depth)])
    marks = (
        (belly, coat.at("belly", mix(coat.body, coat.belly, 0.6))),
        *coat.marks(1.1, depth, 0.0, (-0.1, 0.02), 0.8),
    )
    shapes.append(Shape(body, coat.body, marks))
    cover = coat.at("wing", shade(coat.body, 0.92 if leafy else 0.80))
    end = 0.24 - 0.82 * wing
    top = -0.50 * depth - (0.16 if leafy else 0.02)
    middle = 0.5 * (0.2 + end)
    outline = blob([(0.26, -0.30 * depth), (middle, top), (end, -0.06 * depth), (middle, 0.22 * depth + 0.04 * leafy),
                    (0.22, 0.10 * depth)])  # fmt: skip
    veins = [(limb([(0.24, -0.10 * depth), (end, -0.05 * depth)], [0.016, 0.010], 3), shade(cover, 0.7))]
    veins += [
        (limb([(x, -0.08 * depth), (x - 0.12, side)], [0.010, 0.006], 3), shade(cover, 0.75))
        for x in np.linspace(end + 0.2, 0.15, 5)
        for side in (top, 0.2 * depth)
    ]
    shapes.append(Shape(outline, cover, (*coat.marks(0.9, 0.5, 0.0, (-0.1, -0.05), 0.8), *veins)))
    shapes.append(
        Shape(
            limb([(0.20, -0.04), (0.42, -0.04)], [0.98 * depth, 0.86 * depth], 4),
            coat.at("back", shade(coat.body, 0.88)),
        )
    )
    shapes += _hopper_head(looks, coat, head, depth)
    shapes.append(_jumping_leg(legs, long, ground, 1.0, 0.0))
    return Figure(shapes, (0.0, ground + 0.01))


def _jumping_leg(colour: RGB, long: float, ground: float, tone: float, shift: float) -> Shape:
    knee = (-0.20 - 0.30 * long + shift, -0.12 - 0.42 * long)
    heel = (-0.42 - 0.42 * long + shift, ground)
    thigh = limb([(0.02 + shift, 0.06), (-0.12 + shift, -0.10 - 0.10 * long), knee], [0.10, 0.13, 0.05])
    shin = limb([knee, heel, (heel[0] - 0.10, ground)], [0.045, 0.032, 0.03])
    # One outline for both, so that the leg needs one shape: the shin is drawn as its mark-free continuation.
    return Shape(np.concatenate([thigh, shin, thigh[:1]]), shade(colour, tone))


def _hopper_head(looks: Looks, coat: Coat, head: float, depth: float) -> list[Shape]:
    x, y = 0.50, -0.02
    tall = max(head, 0.40 * depth)
    return [
        Shape(ellipse(x, y, 0.82 * head, 1.05 * tall), coat.at("head", coat.body)),
        Shape(
            limb([(x + 0.3 * head, y + 0.7 * tall), (x + 0.2 * head, y + 1.25 * tall)], [0.05, 0.02], 3),
            shade(coat.body, 0.7),
        ),
        *_eye(looks, x + 0.28 * head, y - 0.35 * tall, 0.30 * head),
    ]


def _antennae(
    coat: Coat, x: float, y: float, long: float, rng: np.random.Generator, *, back: float
) -> list[Shape]:
    colour = shade(coat.body, 0.55)
    bend = rng.normal(0, 0.06)
    shapes = []
    for spread in (0.0, 0.10):
        tip = (x + (0.8 - back) * long + spread, y - 0.85 * long + bend)
        path = [(x, y), (x + 0.35 * long, y - 0.35 * long - spread), tip]
        shapes.append(Shape(limb(path, [0.018, 0.012, 0.008]), colour))
    return shapes


def cicada(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:  # noqa: ARG001
    """Return a cicada in side view, facing right, its wings folded like a roof."""
    get = looks.shape.get
    depth, wing, head = get("depth", 0.36), get("wing", 1.0), get("head", 0.19)
    ground = 0.30
    dark = shade(coat.body, 0.66)
    lift = rng.normal(0, 2)
    shapes = [
        _stick([(x, 0.05), (x + 0.4 * reach, 0.02 + 0.5 * ground), (x + reach, ground)], 0.045, shade(dark, tone))
        for x, reach, tone in (
            (0.30, 0.14, 0.7),
            (0.14, 0.04, 0.7),
            (0.36, 0.18, 1.0),
            (0.18, 0.0, 1.0),
            (0.02, -0.12, 1.0),
        )
    ]
    abdomen = limb([(-0.50, 0.12), (-0.15, 0.06), (0.15, 0.0)], [0.10, 0.80 * depth, depth])
    rings = tuple(
        (limb([(x, -0.4), (x - 0.03, 0.4)], [0.014, 0.014], 2), shade(coat.body, 0.6))
        for x in np.linspace(-0.42, 0.05, 6)
    )
    shapes.append(
        Shape(abdomen, coat.at("belly", coat.body), (*coat.marks(0.8, 0.5, 0.0, (-0.2, 0.05), 0.7), *rings))
    )
    glass = coat.at("wing", mix((222, 226, 216), coat.body, 0.22))
    outline = blob([(0.26, -0.16 * depth), (-0.2 * wing, -0.54 * depth - 0.04), (-0.80 * wing, -0.04),
                    (-0.70 * wing, 0.14), (-0.1, 0.18), (0.20, 0.06)], lift)  # fmt: skip
    veins = [
        (
            limb(
                [(0.24, -0.06), (-0.2, -0.10 - 0.04 * i), (-0.78 * wing, -0.08 + 0.07 * i)], [0.018, 0.012, 0.008]
            ),
            dark,
        )
        for i in range(4)
    ]
    veins += [
        (limb([(x, -0.26), (x - 0.06, 0.16)], [0.010, 0.008], 3), dark) for x in np.linspace(-0.6 * wing, 0.0, 5)
    ]
    shapes.append(Shape(outline, glass, tuple(veins)))
    thorax = limb([(0.10, -0.04), (0.34, -0.04)], [1.10 * depth, 1.05 * depth], 4)
    shapes.append(
        Shape(thorax, coat.at("back", shade(coat.body, 0.9)), coat.marks(0.5, 0.5, 0.0, (0.22, 0.0), 0.6))
    )
    shapes.append(Shape(ellipse(0.47, -0.02, 0.75 * head, 1.0 * head), coat.at("head", shade(coat.body, 0.95))))
    shapes += _eye(looks, 0.53, -0.10, 0.38 * head, (150, 34, 26) if looks.ornament > 0.3 else (60, 40, 30))
    shapes.append(_stick([(0.58, -0.08), (0.66, -0.14), (0.70, -0.20)], 0.012, dark))
    return Figure(shapes, (0.0, ground + 0.01))


def bee(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:  # noqa: ARG001
    """Return a bee on the wing, facing right."""
    get = looks.shape.get
    depth, wing, head = get("depth", 0.42), get("wing", 0.7), get("head", 0.16)
    dark = mix(shade(coat.body, 0.35), (30, 24, 22), 0.5)
    beat = rng.normal(0, 7)
    shapes = [
        _stick([(x, 0.10), (x - 0.05, 0.24), (x - 0.14, 0.30 + 0.05 * i)], 0.035, dark)
        for i, x in enumerate((0.22, 0.10, -0.02))
    ]
    glass = mix((226, 230, 232), coat.body, 0.12)
    for far, lean in ((True, 22.0), (False, 0.0)):
        blade = [
            (0.08, 0.0),
            (0.02, -0.5 * wing),
            (-0.22, -0.95 * wing),
            (-0.42, -0.80 * wing),
            (-0.24, -0.3 * wing),
        ]
        veins = tuple(
            (
                limb(rotate([(0.05, -0.04), (-0.12 - 0.1 * i, -0.75 * wing)], lean + beat), [0.012, 0.008], 3),
                shade(glass, 0.62),
            )
            for i in range(3)
        )
        marks = tuple((moved(vein, 0.10, -0.10), colour) for vein, colour in veins)
        shapes.append(Shape(blob(blade, lean + beat, (0.10, -0.10)), shade(glass, 0.85 if far else 1.0), marks))
    abdomen = blob(
        [
            (0.06, -0.02),
            (-0.12, -0.52 * depth),
            (-0.40, -0.40 * depth),
            (-0.62, 0.10),
            (-0.36, 0.42 * depth),
            (-0.06, 0.40 * depth),
        ]
    )
    bands = tuple(
        (limb([(x, -0.4), (x - 0.05, 0.0), (x - 0.02, 0.4)], [0.075, 0.075, 0.075], 3), dark)
        for x in (-0.12, -0.27, -0.42)
    )
    shapes.append(Shape(abdomen, coat.at("belly", coat.body), bands))
    fuzz = [
        (limb([(0.14 + 0.2 * np.cos(a), 0.2 * np.sin(a)), (0.14 + 0.1 * np.cos(a), 0.1 * np.sin(a))], [0.012, 0.02], 2),
         shade(coat.body, tone))
        for a, tone in zip(np.linspace(0, 2 * np.pi, 18), [0.8, 1.12] * 9, strict=True)
    ]  # fmt: skip
    shapes.append(Shape(ellipse(0.14, -0.02, 0.21, 0.21), coat.at("back", coat.body), tuple(fuzz)))
    shapes.append(Shape(ellipse(0.39, 0.04, 0.85 * head, head), coat.at("head", dark)))
    shapes += _eye(looks, 0.44, 0.0, 0.42 * head)
    shapes += _antennae(coat, 0.46, -0.06, get("antenna", 0.22) * 1.2, rng, back=0.0)
    return Figure(shapes, (0.0, 0.34))


def beetle(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:  # noqa: ARG001
    """Return a beetle in side view, facing right."""
    get = looks.shape.get
    depth, head = get("depth", 0.42), get("head", 0.14)
    ground = 0.24
    legs = coat.at("leg", mix(shade(coat.body, 0.45), (30, 26, 24), 0.4))
    shapes = [
        _stick([(x, 0.06), (x + 0.6 * reach, -0.02), (x + reach, ground)], 0.05, shade(legs, tone))
        for x, reach, tone in (
            (0.30, 0.20, 0.7),
            (0.05, 0.08, 0.7),
            (-0.15, -0.16, 0.7),
            (0.26, 0.26, 1.0),
            (0.0, 0.02, 1.0),
            (-0.2, -0.22, 1.0),
        )
    ]
    shapes.append(Shape(limb([(-0.45, 0.08), (0.35, 0.08)], [0.16, 0.16], 4), shade(coat.body, 0.45)))
    wing = coat.at("wing", coat.body)
    outline = blob(
        [
            (0.20, 0.08),
            (0.20, -0.40 * depth),
            (-0.10, -0.72 * depth),
            (-0.42, -0.48 * depth),
            (-0.56, 0.08),
            (-0.2, 0.13),
        ]
    )
    gloss = (
        blob([(0.08, -0.40 * depth), (-0.10, -0.58 * depth), (-0.28, -0.50 * depth), (-0.10, -0.46 * depth)]),
        shade(wing, 1.35),
    )
    lines = tuple(
        (limb([(0.18, y), (-0.2, y - 0.06), (-0.5, y + 0.02)], [0.010, 0.010, 0.008]), shade(wing, 0.6))
        for y in (-0.16, -0.06, 0.03)
    )
    shapes.append(Shape(outline, wing, (*coat.marks(0.9, 0.8 * depth, 0.0, (-0.15, -0.12), 0.95), *lines, gloss)))
    shapes.append(Shape(blob([(0.18, 0.10), (0.18, -0.44 * depth), (0.36, -0.34 * depth), (0.42, 0.02), (0.34, 0.12)]),
                        coat.at("back", shade(coat.body, 0.8))))  # fmt: skip
    x, y = 0.46, 0.02
    long = get("horn", 0.3) * (0.2 + 1.1 * looks.ornament)
    if long > 0.12:
        horn = [(x, y - 0.04), (x + 0.6 * long, y - 0.5 * long), (x + 0.5 * long, y - 1.2 * long)]
        shapes.append(Shape(limb(horn, [0.09, 0.06, 0.02]), shade(coat.body, 0.55)))
    shapes.append(Shape(ellipse(x, y, 0.9 * head, 0.8 * head), coat.at("head", shade(coat.body, 0.65))))
    shapes += _eye(looks, x + 0.4 * head, y - 0.25 * head, 0.26 * head)
    shapes += _antennae(coat, x + 0.08, y - 0.04, get("antenna", 0.3), rng, back=0.0)
    return Figure(shapes, (0.0, ground + 0.015))
