"""The body plans of mammals: on four legs, seal, bat and monkey."""

from __future__ import annotations

import numpy as np

from biovita.simulation.looks import Looks
from biovita.simulation.pictures.coat import Coat
from biovita.simulation.pictures.shapes import RGB, Figure, Shape, blob, ellipse, limb, mix, moved, shade

__all__ = ["bat", "mammal", "monkey", "seal"]


def mammal(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:
    """Return a four-legged mammal in side view, facing right."""
    get = looks.shape.get
    depth, long = get("depth", 0.4), get("leg", 0.3)
    hump = get("hump", 0.0)
    afloat = stand == "water"
    shapes = _tail(looks, coat, depth, rng)
    stride = rng.normal(0.0, 0.035)
    if not afloat:
        shapes += _legs(coat, depth, long, front=0.40 + stride, hind=-0.27 - stride, tone=0.66)
    spine = [(-0.36, 0.02), (-0.08, -0.35 * hump), (0.33, 0.0)]
    torso = limb(spine, [1.02 * depth + 0.5 * hump, 0.92 * depth + 0.5 * hump, depth])
    low = blob(
        [(0.5, 0.22 * depth), (0.0, 0.28 * depth), (-0.45, 0.25 * depth), (-0.4, 0.9 * depth), (0.4, 0.9 * depth)]
    )
    marks = [(low, coat.at("belly", mix(coat.body, coat.belly, 0.7)))]
    if coat.has("back"):
        crest = (-0.1, -0.14 * depth - 0.3 * hump)
        saddle = blob([(0.5, -0.8 * depth), (0.42, -0.2 * depth), crest, (-0.5, -0.1 * depth), (-0.6, -depth)])
        marks.append((saddle, coat.accent))
    marks += coat.marks(1.2, 1.1 * depth + 0.3 * hump, 0.0, (0.0, -0.2 * hump))
    if get("mane", 0.0):
        ridge = limb([(0.42, -0.50 * depth), (0.0, -0.56 * depth), (-0.35, -0.46 * depth)], [0.16, 0.15, 0.05])
        shapes.append(Shape(ridge, shade(coat.body, 0.5)))
    shapes.append(Shape(torso, coat.body, tuple(marks)))
    if not afloat:
        shapes += _legs(coat, depth, long, front=0.30 - stride, hind=-0.36 + stride, tone=1.0)
    shapes += _neck_and_head(looks, coat, depth, rng)
    return Figure(shapes, (0.0, 0.14 * depth if afloat else 0.42 * depth + long + 0.015))


def _legs(coat: Coat, depth: float, long: float, *, front: float, hind: float, tone: float) -> list[Shape]:
    ground = 0.42 * depth + long
    foot = coat.at("foot", shade(coat.body, 0.62))
    thick = 0.075 + 0.05 * depth
    shapes = []
    for x, thigh, bend in ((hind, 0.62 * depth, -0.06), (front, 0.42 * depth, 0.02)):
        path = [
            (x, 0.12 * depth),
            (x + 0.03, 0.40 * depth + 0.25 * long),
            (x + bend, 0.42 * depth + 0.62 * long),
            (x, ground),
        ]
        sole = ellipse(x + 0.03, ground - 0.012, 0.75 * thick, 0.42 * thick, corners=16)
        sock = np.array(
            [
                (x - 0.3, ground - 0.42 * long),
                (x + 0.3, ground - 0.42 * long),
                (x + 0.3, ground + 1),
                (x - 0.3, ground + 1),
            ]
        )
        shapes.append(Shape(sole, shade(foot, tone * 0.8)))
        marks = ((sock, shade(foot, tone)),) if coat.has("foot") else ()
        shapes.append(
            Shape(limb(path, [thigh, 0.5 * thigh + 0.04, thick, 0.8 * thick]), shade(coat.body, 0.9 * tone), marks)
        )
    return shapes


def _tail(looks: Looks, coat: Coat, depth: float, rng: np.random.Generator) -> list[Shape]:
    get = looks.shape.get
    long = get("tail", 0.2)
    lift = rng.normal(0.0, 0.08)
    path = [(-0.44, -0.18 * depth), (-0.55 - 0.3 * long, 0.02 + 0.4 * lift), (-0.55 - 0.62 * long, -0.16 + lift)]
    if get("bushy", 0.0) and get("hump", 0.0):  # a squirrel's, over the back
        path = [(-0.46, 0.1), (-0.62 - 0.1 * long, -0.35 * long - 0.1), (-0.42 - 0.12 * long, -0.75 * long + lift)]
    widths = (
        [0.10, 0.26, 0.10]
        if get("bushy", 0.0)
        else [0.16, 0.10, 0.03]
        if get("thick", 0.0)
        else [0.07, 0.05, 0.02]
    )
    if long < 0.15:
        widths = [0.10, 0.12, 0.06]
    colour = coat.at("tail", shade(coat.body, 0.82))
    marks = coat.marks(1.6 * long, 1.6 * long, 0.0, (-0.55 - 0.3 * long, 0.0)) if coat.pattern == "barred" else ()
    return [Shape(limb(path, widths), colour, marks)]


def _neck_and_head(looks: Looks, coat: Coat, depth: float, rng: np.random.Generator) -> list[Shape]:
    get = looks.shape.get
    head, snout, neck = get("head", 0.16), get("snout", 0.12), get("neck", 0.1)
    raised = np.radians(48 + rng.normal(0, 6))
    base = np.array([0.38, -0.16 * depth])
    at = base + (neck + 0.75 * head) * np.array([np.cos(raised), -np.sin(raised)])
    x, y = float(at[0]), float(at[1])
    throat = coat.at("throat", mix(coat.body, coat.belly, 0.4))
    neck_points = limb([(0.28, 0.0), tuple(base), (x, y)], [0.80 * depth, 0.60 * depth, 1.45 * head])
    bib = moved(neck_points, 0.10 * neck + 0.03, 0.40 * depth)
    shapes = _horns(looks, coat, x, y, head, far=True)
    shapes.append(_ear(looks, coat, x - 0.30 * head, y - 0.72 * head, far=True))
    shapes.append(Shape(neck_points, coat.body, ((bib, throat), *coat.marks(0.8, 0.8, 40.0, (0.45, -0.2), 0.9))))
    nose = (x + 0.62 * head + snout, y + 0.30 * head)
    wide = [1.9 * head, 1.25 * head, 0.62 * head if snout < 0.24 else 0.80 * head]
    face = limb([(x - 0.1 * head, y), (x + 0.55 * head, y + 0.14 * head), nose], wide)
    marks = [(ellipse(x + 0.5 * head, y + 0.9 * head, 1.4 * head, 0.5 * head), mix(coat.body, coat.belly, 0.6))]
    if coat.has("face"):
        marks.append((ellipse(x + 0.75 * head, y, 0.95 * head, 0.8 * head), coat.accent))
    shapes.append(Shape(face, coat.body, tuple(marks)))
    shapes.append(
        Shape(
            ellipse(nose[0] + 0.25 * head, nose[1] - 0.05 * head, 0.17 * head, 0.15 * head, corners=16),
            (30, 24, 26),
        )
    )
    shapes.append(_ear(looks, coat, x - 0.05 * head, y - 0.74 * head, far=False))
    shapes += _horns(looks, coat, x, y, head, far=False)
    shapes += eye(looks, x + 0.42 * head, y - 0.18 * head, 0.15 * head)
    if get("beard", 0.0):
        chin = (nose[0] - 0.25 * head, nose[1] + 0.35 * head)
        shapes.append(Shape(limb([chin, (chin[0] - 0.03, chin[1] + 0.13)], [0.07, 0.015]), shade(coat.body, 0.6)))
    return shapes


def _ear(looks: Looks, coat: Coat, x: float, y: float, *, far: bool) -> Shape:
    long = looks.shape.get("ear", 0.12)
    rounded = looks.shape.get("round", 0.0)
    colour = coat.at("ear", shade(coat.body, 0.62 if far else 0.78))
    if rounded >= 0.9:
        inside = ellipse(x + 0.06 * long, y - 0.3 * long, 0.34 * long, 0.40 * long)
        outline = ellipse(x, y - 0.35 * long, 0.55 * long, 0.6 * long)
        return Shape(outline, colour, ((inside, mix(colour, (226, 170, 160), 0.5)),))
    lean = -0.35 * long if not far else -0.1 * long
    path = [(x, y + 0.05), (x + 0.4 * lean, y - 0.55 * long), (x + lean, y - long)]
    outline = limb(path, [0.40 * long + 0.04, 0.34 * long, 0.03 + 0.10 * rounded * long])
    inside = limb([(x, y), (x + lean, y - 0.9 * long)], [0.14 * long, 0.02])
    return Shape(outline, colour, ((inside, mix(colour, (214, 160, 150), 0.4)),))


def _horns(looks: Looks, coat: Coat, x: float, y: float, head: float, *, far: bool) -> list[Shape]:
    long = looks.shape.get("horn", 0.0) * (0.30 + 0.55 * looks.ornament)
    if long < 0.12:
        return []
    colour = shade(mix(coat.horn, (150, 124, 92), 0.6), 0.75 if far else 1.0)
    x, y = x + (0.12 * head if far else -0.10 * head), y - 0.72 * head
    if looks.shape.get("curl", 0.0):
        path = [
            (x, y),
            (x - 0.10 * long, y - 0.8 * long),
            (x - 0.75 * long, y - 0.9 * long),
            (x - 1.1 * long, y - 0.3 * long),
        ]
        return [Shape(limb(path, [0.10, 0.085, 0.06, 0.02]), colour)]
    sway = 0.10 if far else -0.22
    beam = [(x, y), (x + sway * long - 0.1 * long, y - 0.55 * long), (x + sway * long + 0.05, y - 1.15 * long)]
    shapes = [Shape(limb(beam, [0.05, 0.042, 0.02]), colour)]
    for height in (0.35, 0.68):
        root = (x + sway * height * long - 0.08 * long, y - height * long)
        tip = (root[0] + 0.38 * long, root[1] - 0.30 * long)
        shapes.append(
            Shape(
                limb([root, (root[0] + 0.26 * long, root[1] - 0.06 * long), tip], [0.036, 0.03, 0.012], 4), colour
            )
        )
    return shapes


def eye(looks: Looks, x: float, y: float, radius: float) -> list[Shape]:
    """Return a dark eye with a highlight."""
    radius = max(radius * looks.eye, 0.014)
    return [
        Shape(ellipse(x, y, radius, radius, corners=20), (24, 16, 14)),
        Shape(
            ellipse(x + 0.3 * radius, y - 0.35 * radius, 0.34 * radius, 0.34 * radius, corners=10), (248, 248, 248)
        ),
    ]


def seal(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:
    """Return a seal hauled out or afloat, facing right."""
    depth, head = looks.shape.get("depth", 0.4), looks.shape.get("head", 0.17)
    raised = rng.normal(0.0, 0.03)
    dark = shade(coat.body, 0.7)
    path = [(-0.72, 0.16), (-0.35, 0.08), (0.10, 0.02), (0.40, -0.20 + raised), (0.50, -0.36 + raised)]
    body = limb(path, [0.07, 0.68 * depth, 1.05 * depth, 0.80 * depth, 1.6 * head])
    low = blob([(0.55, -0.05), (0.3, 0.10), (-0.2, 0.14), (-0.6, 0.2), (0.0, 0.5), (0.6, 0.3)])
    marks = [(low, coat.at("belly", mix(coat.body, coat.belly, 0.6)))]
    if coat.has("back"):
        marks.append((blob([(0.36, -0.6), (0.2, -0.10), (-0.3, -0.02), (-0.7, 0.08), (-0.7, -0.5)]), coat.accent))
    if coat.has("throat"):
        marks.append((ellipse(0.62, -0.16, 0.16, 0.22), coat.accent))
    marks += coat.marks(1.5, 0.9, 10.0, (-0.05, 0.0))
    x, y = 0.54, -0.42 + raised
    flippers = [
        Shape(
            limb([(-0.68, 0.15), (-0.86, 0.10 - 0.06 * side), (-0.98, 0.06 + 0.10 * side)], [0.07, 0.11, 0.03]),
            dark,
        )
        for side in (-1, 1)
    ]
    muzzle_colour = coat.at("face", shade(coat.body, 0.86))
    shapes = [
        *flippers,
        Shape(body, coat.body, tuple(marks)),
        Shape(limb([(0.22, 0.14), (0.30, 0.30), (0.16, 0.40)], [0.15, 0.12, 0.04]), dark),
        Shape(ellipse(x, y, head, 0.95 * head), coat.body),
        Shape(ellipse(x + 0.62 * head, y + 0.22 * head, 0.62 * head, 0.48 * head), muzzle_colour),
        Shape(ellipse(x + 1.15 * head, y + 0.05 * head, 0.16 * head, 0.13 * head, corners=14), (24, 20, 22)),
        *eye(looks, x + 0.35 * head, y - 0.22 * head, 0.15 * head),
    ]
    shapes += [
        Shape(
            limb([(x + 0.8 * head, y + 0.3 * head), (x + 1.5 * head, y + lift * head)], [0.010, 0.006], 2),
            (230, 226, 214),
        )
        for lift in (0.2, 0.42, 0.62)
    ]
    return Figure(shapes, (0.0, 0.10 if stand == "water" else 0.36))


def bat(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:  # noqa: ARG001
    """Return a bat on the wing, seen from below; there is no other way to see one."""
    get = looks.shape.get
    wing, ear = get("wing", 1.0), get("ear", 0.2)
    flap = rng.normal(0.0, 0.10)
    membrane = coat.at("wing", shade(coat.body, 0.62))
    shapes = []
    for side in (-1.0, 1.0):
        rise = 0.34 + side * 0.06 + flap
        tips = [(0.06, -0.12), (0.35 * wing, -rise), (0.62 * wing, -rise * 0.9), (1.0 * wing, 0.02 - 0.5 * flap),
                (0.72 * wing, 0.02), (0.60 * wing, 0.20), (0.40 * wing, 0.08), (0.26 * wing, 0.24),
                (0.08, 0.18)]  # fmt: skip
        outline = np.array(tips) * (side, 1.0)
        bones = tuple(
            (limb(np.array([(0.37 * wing, -rise), end]) * (side, 1.0), [0.022, 0.010], 3), shade(membrane, 0.6))
            for end in ((0.98 * wing, 0.0), (0.60 * wing, 0.19), (0.26 * wing, 0.23))
        )
        arm = limb(
            np.array([(0.04, -0.06), (0.20 * wing, 0.0), (0.37 * wing, -rise)]) * (side, 1.0), [0.05, 0.035, 0.03]
        )
        shapes += [Shape(outline, membrane, bones), Shape(arm, shade(coat.body, 0.8))]
    belly = (ellipse(0.0, 0.06, 0.07, 0.17), coat.at("belly", mix(coat.body, coat.belly, 0.6)))
    shapes.append(
        Shape(ellipse(0.0, 0.04, 0.13, 0.26), coat.body, (belly, *coat.marks(0.3, 0.5, 90.0, (0.0, 0.04), 0.7)))
    )
    for side in (-1.0, 1.0):
        tip = np.array([(0.05, -0.32), (0.10, -0.36 - 0.5 * ear), (0.12, -0.36 - ear)]) * (side, 1.0)
        shapes.append(Shape(limb(tip, [0.11, 0.09, 0.02]), coat.at("ear", shade(coat.body, 0.7))))
    shapes.append(Shape(ellipse(0.0, -0.28, 0.125, 0.12), coat.body))
    shapes.append(Shape(ellipse(0.0, -0.24, 0.08, 0.07), coat.at("face", shade(coat.body, 0.8))))
    shapes.append(Shape(ellipse(0.0, -0.245, 0.03, 0.022, corners=12), (34, 26, 28)))
    for side in (-0.055, 0.055):
        shapes += eye(looks, side, -0.30, 0.018)
    return Figure(shapes, (0.0, 0.3))


def monkey(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:  # noqa: ARG001
    """Return a monkey that sits, facing right, its tail hanging down."""
    get = looks.shape.get
    depth, head, tail, arm = get("depth", 0.4), get("head", 0.22), get("tail", 1.0), get("arm", 0.5)
    sway = rng.normal(0.0, 0.05)
    dark, foot = shade(coat.body, 0.72), coat.at("foot", shade(coat.body, 0.55))
    hang = [(-0.24, 0.28), (-0.42, 0.40), (-0.46 + sway, 0.40 + 0.45 * tail), (-0.30 + sway, 0.46 + 0.62 * tail),
            (-0.20 + sway, 0.38 + 0.50 * tail)]  # fmt: skip
    torso = limb([(-0.14, 0.26), (-0.06, 0.0), (0.06, -0.28)], [1.15 * depth, depth, 0.72 * depth])
    marks = [
        (
            limb([(0.10, 0.34), (0.14, 0.0), (0.24, -0.26)], [0.26, 0.24, 0.2]),
            coat.at("belly", mix(coat.body, coat.belly, 0.7)),
        ),
        *coat.marks(0.7, 1.0, 78.0),
    ]
    x, y = 0.10, -0.46
    face: RGB = coat.at("face", mix(coat.belly, (196, 150, 120), 0.45))
    reach = 0.30 + 0.25 * arm + rng.normal(0, 0.03)
    shapes = [
        Shape(limb(hang, [0.08, 0.07, 0.06, 0.05, 0.03]), coat.at("tail", dark)),
        Shape(limb([(0.02, -0.22), (0.30, -0.02), (reach, 0.34)], [0.15, 0.11, 0.08]), shade(coat.body, 0.62)),
        Shape(torso, coat.body, tuple(marks)),
        Shape(limb([(-0.10, 0.28), (0.26, 0.10), (0.20, 0.42)], [0.30, 0.17, 0.10]), shade(coat.body, 0.88)),
        Shape(limb([(0.16, 0.42), (0.34, 0.44)], [0.11, 0.07], 3), foot),
        Shape(limb([(0.00, -0.20), (0.16, 0.06), (0.08, 0.36)], [0.16, 0.12, 0.08]), shade(coat.body, 0.95)),
        Shape(ellipse(x - 0.62 * head, y + 0.05 * head, 0.34 * head, 0.38 * head), shade(coat.body, 0.7)),
        Shape(ellipse(x, y, head, 0.98 * head), coat.at("crown", coat.body)),
        Shape(ellipse(x + 0.36 * head, y + 0.10 * head, 0.66 * head, 0.70 * head), face),
        Shape(ellipse(x + 0.62 * head, y + 0.44 * head, 0.48 * head, 0.38 * head), shade(face, 1.1)),
        Shape(
            limb([(x + 0.40 * head, y + 0.56 * head), (x + 0.95 * head, y + 0.54 * head)], [0.014, 0.012], 2),
            shade(face, 0.45),
        ),
        *eye(looks, x + 0.22 * head, y - 0.06 * head, 0.11 * head),
        *eye(looks, x + 0.70 * head, y - 0.06 * head, 0.11 * head),
    ]
    return Figure(shapes, (0.0, 0.46))
