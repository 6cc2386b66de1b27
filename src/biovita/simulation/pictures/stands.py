"""What an animal stands on, and what stands before it: branch, trunk, ground, water, in focus."""

from __future__ import annotations

import numpy as np

from biovita.simulation.pictures.scenes import Setting
from biovita.simulation.pictures.shapes import RGB, Shape, ellipse, limb, mix, moved, shade

__all__ = ["before", "behind"]

_LEAF: dict[str, RGB] = {"tropical": (40, 132, 52), "temperate": (92, 116, 54), "polar": (214, 222, 230)}
_BLADE: dict[str, RGB] = {
    "forest": (58, 92, 46), "shrubland": (146, 124, 74), "grassland": (176, 172, 80), "wetland": (104, 130, 62),
    "marine": (198, 184, 150), "human-modified": (96, 142, 66),
}  # fmt: skip
_WATER: dict[str, RGB] = {"wetland": (84, 116, 120), "marine": (44, 104, 142)}


def behind(
    stand: str, setting: Setting, side: int, foot: tuple[float, float], rng: np.random.Generator
) -> list[Shape]:
    """Return what is drawn before the animal.

    Parameters
    ----------
    stand
        ``branch``, ``trunk``, ``ground``, ``water`` or ``air``.
    foot
        Where the animal touches it, in pixels.
    """
    x, y = foot
    if stand == "branch":
        return _branch(setting, side, y, rng)
    if stand == "trunk":
        return _trunk(side, x, rng)
    if stand == "ground":
        return [Shape(ellipse(x, y + 0.01 * side, 0.26 * side, 0.028 * side), shade(_blade(setting), 0.55))]
    return []


def before(
    stand: str, setting: Setting, side: int, foot: tuple[float, float], rng: np.random.Generator
) -> list[Shape]:
    """Return what is drawn over the animal."""
    x, y = foot
    if stand == "ground" and setting.habitat != "human-modified":
        return _grass(setting, side, y, rng)
    if stand == "water":
        return _ripples(setting, side, x, y, rng)
    return []


def _blade(setting: Setting) -> RGB:
    colour = _BLADE[setting.habitat]
    return {
        "tropical": mix(colour, (40, 140, 50), 0.35),
        "temperate": colour,
        "polar": mix(colour, (232, 236, 242), 0.75),
    }[setting.climate]


def _branch(setting: Setting, side: int, y: float, rng: np.random.Generator) -> list[Shape]:
    bark = mix((92, 70, 52), (60, 50, 42), float(rng.uniform(0, 1)))
    if setting.habitat == "human-modified":
        rail = [(-10.0, y + 0.03 * side), (side + 10.0, y + 0.03 * side)]
        return [
            Shape(limb(rail, [0.055 * side, 0.055 * side], 2), (178, 170, 158)),
            Shape(limb(moved(rail, 0.0, 0.014 * side), [0.02 * side, 0.02 * side], 2), (128, 122, 114)),
        ]
    bend, thick = rng.normal(0, 0.03) * side, 0.045 * side
    path = [
        (-12.0, y + 0.024 * side + bend),
        (0.5 * side, y + 0.024 * side),
        (side + 12.0, y + 0.024 * side + bend - 0.02 * side),
    ]
    shapes = [
        Shape(limb(path, [1.3 * thick, thick, 0.8 * thick]), bark),
        Shape(limb(moved(path, 0.0, 0.3 * thick), [0.5 * thick, 0.4 * thick, 0.3 * thick]), shade(bark, 0.65)),
    ]
    if setting.climate == "polar":
        shapes.append(
            Shape(limb(moved(path, 0.0, -0.4 * thick), [0.6 * thick, 0.5 * thick, 0.4 * thick]), (238, 242, 246))
        )
    leaf = (
        _LEAF[setting.climate]
        if setting.habitat != "shrubland"
        else mix(_LEAF[setting.climate], (134, 112, 66), 0.6)
    )
    for _ in range(int(rng.integers(3, 9))):
        lx = rng.choice([rng.uniform(0, 0.28), rng.uniform(0.72, 1.0)]) * side
        angle = rng.uniform(-70, 70)
        ly = y + rng.normal(0.0, 0.045) * side
        shapes.append(
            Shape(
                ellipse(lx, ly, 0.055 * side, 0.02 * side, angle, corners=16), shade(leaf, rng.uniform(0.75, 1.15))
            )
        )
    return shapes


def _trunk(side: int, x: float, rng: np.random.Generator) -> list[Shape]:
    bark = mix((96, 76, 58), (70, 60, 52), float(rng.uniform(0, 1)))
    left, right = x, x + 0.26 * side
    shapes = [
        Shape(np.array([(left, -4.0), (right, -4.0), (right + 6, side + 4.0), (left - 4, side + 4.0)]), bark)
    ]
    for _ in range(16):
        lx, ly = rng.uniform(left + 4, right - 3), rng.uniform(0, side)
        line = limb([(lx, ly), (lx + rng.normal(0, 2), ly + rng.uniform(12, 34))], [2.5, 1.2], 3)
        shapes.append(Shape(line, shade(bark, rng.uniform(0.6, 0.85))))
    return shapes


def _grass(setting: Setting, side: int, y: float, rng: np.random.Generator) -> list[Shape]:
    colour = _blade(setting)
    shapes = []
    for _ in range(int(rng.integers(10, 22))):
        x, root = rng.uniform(0, side), y + rng.uniform(0.02, 0.16) * side
        tip = (x + rng.normal(0, 0.05) * side, root - rng.uniform(0.04, 0.14) * side)
        blade = limb(
            [(x, root), (0.5 * (x + tip[0]), 0.6 * root + 0.4 * tip[1]), tip],
            [0.013 * side, 0.01 * side, 0.002 * side],
            3,
        )
        shapes.append(Shape(blade, shade(colour, rng.uniform(0.7, 1.2))))
    return shapes


def _ripples(setting: Setting, side: int, x: float, y: float, rng: np.random.Generator) -> list[Shape]:
    water = _WATER.get(setting.habitat, (96, 124, 124))
    if setting.climate == "polar":
        water = mix(water, (200, 214, 224), 0.4)
    wave = np.arange(0, side + 17, 8)
    crest = [(float(at), y + 1.5 * np.sin(at / 9 + rng.uniform(0, 6))) for at in wave]
    shapes = [Shape(np.array([(-4.0, side + 4.0), (-4.0, y), *crest, (side + 4.0, side + 4.0)]), water)]
    for ring in range(3):
        rx = (0.20 + 0.09 * ring) * side
        cx, cy = x, y + (0.015 + 0.02 * ring) * side
        arc = ellipse(cx, cy, rx, 0.05 * rx * (ring + 1))
        path = arc[(arc[:, 1] > cy - 0.2)]
        path = path[np.argsort(path[:, 0])]
        shapes.append(Shape(limb(path[::4], [1.0, 2.2, 1.0], 3), mix(water, (232, 240, 244), 0.55 - 0.12 * ring)))
    for _ in range(9):
        lx, ly = rng.uniform(0, side), y + rng.uniform(0.05, 0.25) * side
        shapes.append(
            Shape(ellipse(lx, ly, rng.uniform(5, 16), 1.1, corners=12), mix(water, (232, 240, 244), 0.35))
        )
    return shapes
