"""The body plan of birds."""

from __future__ import annotations

import numpy as np

from biovita.simulation.looks import Looks
from biovita.simulation.pictures.coat import Coat
from biovita.simulation.pictures.shapes import RGB, Figure, Shape, blob, ellipse, limb, mix, moved, rotate, shade

__all__ = ["bird"]


_TILT_ON_GROUND = 0.5  # of the tilt on a perch, so that the tail stays off the ground


def bird(looks: Looks, coat: Coat, rng: np.random.Generator, stand: str) -> Figure:
    """Return a bird in side view, facing right, perched, standing, afloat or on the wing."""
    get = looks.shape.get
    depth, head = get("depth", 0.55), get("head", 0.2)
    flying = stand == "air"
    tilt = 6.0 if flying else get("tilt", 25.0) * (_TILT_ON_GROUND if stand == "ground" else 1.0)
    tilt += rng.normal(0, 4)
    neck_at = rotate([(0.36, -0.10 * depth)], tilt)[0]
    lift = 58.0 + rng.normal(0, 8) if not flying else 12.0
    reach = get("neck", 0.0) * (1.0 if not flying else 0.7) + 0.62 * head
    head_at = neck_at + rotate([(reach, 0.0)], 0.55 * lift + 0.45 * max(tilt, lift - 20))[0]
    shapes: list[Shape] = []
    if flying:
        shapes.append(_spread_wing(coat, get("wing", 1.0), tilt, far=True))
    shapes += _tail(looks, coat, tilt, rng)
    legs = _legs(looks, coat, tilt, depth, rng)
    foot = (float(legs[-1].points[:, 0].mean()), float(max(shape.points[:, 1].max() for shape in legs)))
    if stand == "water":
        foot = (0.0, 0.36 * depth)
    elif not flying:
        shapes += legs
    shapes += _trunk(coat, depth, tilt, neck_at, head_at, head=head, neck=get("neck", 0.0))
    shapes += (
        [_spread_wing(coat, get("wing", 1.0), tilt, far=False)] if flying else _wing(looks, coat, depth, tilt)
    )
    shapes += _head(looks, coat, head_at, head, rng)
    return Figure(shapes, foot)


def _body_outline(depth: float, tilt: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    fullness = np.where(np.cos(t) < 0, 1.0 + 0.22 * np.cos(t), 1.0 + 0.10 * np.cos(t))
    return rotate(np.stack([0.5 * np.cos(t), 0.5 * depth * np.sin(t) * fullness], axis=1), tilt)


def _trunk(
    coat: Coat, depth: float, tilt: float, neck_at: np.ndarray, head_at: np.ndarray, *, head: float, neck: float
) -> list[Shape]:
    low = blob([(0.46, 0.02), (0.30, 0.22 * depth), (-0.1, 0.26 * depth), (-0.42, 0.10 * depth),
                (-0.4, 0.7 * depth), (0.2, 0.8 * depth), (0.6, 0.4 * depth)], tilt)  # fmt: skip
    marks = [(low, coat.belly)]
    if coat.has("back"):
        marks.append((blob([(0.30, -0.7 * depth), (0.30, -0.18 * depth), (-0.2, -0.16 * depth), (-0.55, 0.0),
                            (-0.6, -0.7 * depth)], tilt), coat.accent))  # fmt: skip
    marks += coat.marks(1.1, 1.1 * depth, tilt)
    if coat.has("breast"):
        x, y = rotate([(0.36, 0.16 * depth)], tilt)[0]
        marks.append((ellipse(x, y, 0.24, 0.42 * depth, tilt), coat.accent))
    body = Shape(_body_outline(depth, tilt), coat.body, tuple(marks))
    middle = 0.5 * (neck_at + head_at) + np.array([0.10 * neck, 0.0])
    start = rotate([(0.26, 0.0)], tilt)[0]
    widths = [0.62 * depth, (1.1 if neck > 0.3 else 1.7) * head, 1.6 * head]
    neck_points = limb([start, middle, head_at], widths)
    front = [
        (
            moved(neck_points, 0.30 * head + 0.08 * neck, 0.25 * head),
            coat.at("throat", mix(coat.belly, coat.body, 0.3)),
        )
    ]
    return [Shape(neck_points, coat.body, tuple(front)), body] if neck > 0.3 else [
        body, Shape(neck_points, coat.body, (*front, *coat.marks(0.4, 0.5, tilt, tuple(head_at), 0.7)))
    ]  # fmt: skip


def _wing(looks: Looks, coat: Coat, depth: float, tilt: float) -> list[Shape]:
    long = 0.55 + 0.16 * looks.shape.get("wing", 0.0)
    base = coat.at("wing", shade(coat.body, 0.80))
    outline = blob([(0.29, -0.16 * depth), (0.08, -0.44 * depth), (-0.28, -0.36 * depth), (-long, -0.02 * depth),
                    (-0.30, 0.16 * depth), (0.06, 0.26 * depth), (0.28, 0.10 * depth)], tilt)  # fmt: skip
    lines = []
    for i in range(4):
        edge = [(0.18 - 0.09 * i, (-0.24 + 0.13 * i) * depth), (-0.30 - 0.03 * i, (-0.14 + 0.07 * i) * depth)]
        lines.append((limb(rotate(edge, tilt), [0.012, 0.010], 3), shade(base, 0.62)))
    bar = limb(
        rotate([(0.02, -0.40 * depth), (-0.06, -0.05 * depth), (-0.02, 0.26 * depth)], tilt),
        [0.035, 0.05, 0.03],
        4,
    )
    marks = [*coat.marks(0.9, depth, tilt, scale=0.8), *lines]
    if looks.pattern != "plain" or looks.ornament > 0.4:
        marks.append((bar, mix(base, coat.belly, 0.75)))
    shadow = Shape(moved(outline, -0.012, 0.028), shade(coat.body, 0.52))
    return [shadow, Shape(outline, base, tuple(marks))]


def _spread_wing(coat: Coat, wing: float, tilt: float, *, far: bool) -> Shape:
    long = 0.78 * max(0.7, wing)
    base = coat.at("wing", shade(coat.body, 0.80 if not far else 0.62))
    lean = -18.0 if far else 14.0
    outline = [(0.24, 0.0), (0.27, -0.35 * long), (0.16, -0.72 * long), (-0.10, -1.12 * long), (-0.13, -0.80 * long),
               (-0.20, -0.50 * long), (-0.28, -0.22 * long), (-0.28, 0.02)]  # fmt: skip
    lines = [
        (limb(rotate([(-0.02 * i, -0.15 * long), (0.16 - 0.09 * i, -0.9 * long)], lean + tilt), [0.012, 0.008], 3),
         shade(base, 0.62))
        for i in range(4)
    ]  # fmt: skip
    return Shape(blob(outline, lean + tilt), base, (*coat.marks(0.9, 1.6, tilt, (0.0, -0.4)), *lines))


def _tail(looks: Looks, coat: Coat, tilt: float, rng: np.random.Generator) -> list[Shape]:
    get = looks.shape.get
    long, fork = get("tail", 0.3), get("fork", 0.0)
    lift = tilt - get("cock", 0.0) + rng.normal(0, 4)
    root = rotate([(-0.40, -0.02)], tilt)[0]
    base = coat.at("tail", shade(coat.body, 0.70))
    wide = 0.085 if not get("disc", 0.0) else 0.12
    points = np.array([(0.08, -wide * 0.8), (-long, -wide * (1.2 + fork)), (-long * (1 - 0.45 * fork), 0.0),
                       (-long, wide * (1.2 + fork)), (0.08, wide * 0.8)])  # fmt: skip
    lines = tuple(
        (limb(rotate([(0.0, y), (-long, 1.3 * y)], lift) + root, [0.01, 0.01], 2), shade(base, 0.6))
        for y in (-0.35 * wide, 0.35 * wide)
    )
    marks = coat.marks(2 * long, 0.4, lift, tuple(root), 0.9) if coat.pattern == "barred" else ()
    shapes = [Shape(rotate(points, lift) + root, base, (*marks, *lines))]
    if looks.ornament > 0.45:
        for bend in (-0.10, 0.06):
            path = rotate(
                [(-0.6 * long, bend / 3), (-long - 0.2, bend), (-long - 0.55 * looks.ornament, bend * 2.4)], lift
            )
            shapes.append(Shape(limb(path + root, [0.03, 0.022, 0.05]), coat.accent))
    return shapes


def _legs(looks: Looks, coat: Coat, tilt: float, depth: float, rng: np.random.Generator) -> list[Shape]:
    long = looks.shape.get("leg", 0.2)
    colour = mix(coat.horn, (60, 50, 44), 0.3)
    shapes = []
    for side, tone in ((0.07, 0.7), (-0.05, 1.0)):
        hip = rotate([(side - 0.06, 0.40 * depth)], tilt)[0]
        knee = moved(hip, -0.06 - 0.08 * long + rng.normal(0, 0.015), 0.48 * long + 0.03)
        foot = moved(hip, 0.02 + rng.normal(0, 0.02), long + 0.05)
        thick = 0.035 + 0.012 * looks.frame
        shapes.append(
            Shape(limb([moved(hip, 0.0, -0.06), knee, foot], [0.11, thick, thick * 0.9], 5), shade(colour, tone))
        )
        toes = [moved(foot, dx, 0.015) for dx in (0.11, 0.05, -0.06)]
        shapes += [Shape(limb([foot, toe], [thick * 0.9, thick * 0.5], 3), shade(colour, tone)) for toe in toes]
    return shapes


def _bill(looks: Looks, at: np.ndarray, head: float, colour: RGB, gape: float) -> list[Shape]:
    get = looks.shape.get
    long, deep, hook = get("bill", 0.15), get("bill_depth", 0.08), get("hook", 0.0)
    root = moved(at, 0.72 * head, 0.06 * head)
    if get("flat", 0.0):
        upper = [
            (0, -0.7 * deep),
            (0.45 * long, -0.25 * deep),
            (long, -0.15 * deep),
            (long, 0.2 * deep),
            (0, 0.3 * deep),
        ]
        lower = [(0, 0.2 * deep), (0.9 * long, 0.15 * deep), (0.85 * long, 0.45 * deep), (0, 0.6 * deep)]
    else:
        drop = hook * 0.55 * deep
        upper = [(0, -0.55 * deep), (0.55 * long, -0.42 * deep + 0.15 * drop), (long, 0.1 * deep + drop),
                 (0.75 * long, 0.10 * deep + 0.2 * drop), (0, 0.18 * deep)]  # fmt: skip
        lower = [
            (0, 0.1 * deep),
            (0.85 * long * (1 - 0.25 * hook), 0.12 * deep),
            (0.4 * long, 0.42 * deep),
            (0, 0.5 * deep),
        ]
    return [
        Shape(rotate(lower, -gape) + root, shade(colour, 0.75)),
        Shape(rotate(upper, 0.4 * gape) + root, colour),
    ]


def _head(looks: Looks, coat: Coat, at: np.ndarray, head: float, rng: np.random.Generator) -> list[Shape]:
    x, y = float(at[0]), float(at[1])
    disc = looks.shape.get("disc", 0.0)
    shapes = []
    if looks.crest > 0.12:
        colour = coat.at("crown", shade(coat.body, 0.8))
        for i in range(4):
            tip = (
                x - head * (0.5 + 0.28 * i) - 0.16 * looks.crest,
                y - head * (1.25 - 0.32 * i) - 0.24 * looks.crest,
            )
            shapes.append(Shape(limb([(x + 0.1 * head, y - 0.6 * head), tip], [0.5 * head, 0.05], 4), colour))
    marks = []
    if coat.has("crown"):
        cap = [(x - 1.3 * head, y - 1.3 * head), (x + 1.3 * head, y - 1.3 * head), (x + 1.1 * head, y - 0.26 * head),
               (x - 0.9 * head, y - 0.02 * head)]  # fmt: skip
        marks.append((np.array(cap), coat.accent))
    if coat.has("face"):
        marks.append((ellipse(x + 0.35 * head, y + 0.05 * head, 0.72 * head, 0.62 * head), coat.accent))
    if coat.has("throat"):
        marks.append((ellipse(x + 0.45 * head, y + 0.85 * head, 0.95 * head, 0.6 * head), coat.accent))
    if coat.pattern == "streaked":
        line = limb([(x - head, y - 0.12 * head), (x + head, y - 0.02 * head)], [0.22 * head, 0.16 * head], 3)
        marks.append((line, shade(coat.mark, 0.9)))
    shapes.append(Shape(ellipse(x, y, head, head * 0.96), coat.body, tuple(marks)))
    bill = mix(coat.horn, (46, 42, 42), 0.35)
    if disc:
        shapes += _owl_face(looks, coat, x, y, head)
        root = moved(at, 0.28 * head, 0.22 * head)
        beak = [(-0.08, -0.03), (0.07, -0.03), (0.02, 0.16)]
        return [*shapes, Shape(np.array(beak) * 1.1 + root, shade(bill, 0.9))]
    shapes += _bill(looks, at, head, bill, max(0.0, rng.normal(6, 9)))
    return [*shapes, *_eye(looks, coat, x + 0.34 * head, y - 0.16 * head, 0.19 * head)]


def _eye(looks: Looks, coat: Coat, x: float, y: float, radius: float) -> list[Shape]:
    radius = max(radius * looks.eye, 0.022)
    iris = mix((60, 34, 22), (236, 176, 44), float(np.clip(looks.eye - 1.0, 0, 1)))
    return [
        Shape(ellipse(x, y, 1.45 * radius, 1.4 * radius, corners=24), coat.at("eye", shade(coat.body, 0.6))),
        Shape(ellipse(x, y, 1.1 * radius, 1.1 * radius, corners=24), iris),
        Shape(ellipse(x, y, 0.75 * radius, 0.75 * radius, corners=20), (12, 10, 12)),
        Shape(
            ellipse(x + 0.3 * radius, y - 0.35 * radius, 0.28 * radius, 0.28 * radius, corners=12), (250, 250, 250)
        ),
    ]


def _owl_face(looks: Looks, coat: Coat, x: float, y: float, head: float) -> list[Shape]:
    face = coat.at("face", mix(coat.belly, coat.body, 0.35))
    shapes = [
        Shape(ellipse(x + 0.24 * head, y + 0.04 * head, 0.80 * head, 0.82 * head), shade(coat.body, 0.55)),
        Shape(ellipse(x + 0.24 * head, y + 0.04 * head, 0.73 * head, 0.75 * head), face),
    ]
    for side in (-0.16, 0.62):
        shapes += _eye(looks, coat, x + side * head, y - 0.10 * head, 0.17 * head)
    for side in (-0.55, 0.55):
        ear = [(x + side * head - 0.12 * head, y - 0.75 * head), (x + side * 1.35 * head, y - 1.35 * head),
               (x + side * head + 0.20 * head, y - 0.70 * head)]  # fmt: skip
        shapes.append(Shape(np.array(ear), shade(coat.body, 0.8)))
    return shapes
