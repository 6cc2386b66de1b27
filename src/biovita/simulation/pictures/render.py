"""A picture of one individual: body plan, coat, pose, scene and light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from biovita.simulation.ecology import Ecology
from biovita.simulation.looks import Looks
from biovita.simulation.pictures.birds import bird
from biovita.simulation.pictures.canvas import Canvas
from biovita.simulation.pictures.coat import coat_of
from biovita.simulation.pictures.frogs import frog
from biovita.simulation.pictures.insects import bee, beetle, cicada, hopper
from biovita.simulation.pictures.mammals import bat, mammal, monkey, seal
from biovita.simulation.pictures.scenes import Setting, backdrop, grain, light_of
from biovita.simulation.pictures.shapes import Figure, Shape
from biovita.simulation.pictures.stands import before, behind

__all__ = ["SIDE", "picture", "silhouette"]

SIDE = 256  # pixels
_PLANS: dict[str, Callable[..., Figure]] = {
    "bird": bird, "mammal": mammal, "seal": seal, "bat": bat, "monkey": monkey, "frog": frog, "hopper": hopper,
    "cicada": cicada, "bee": bee, "beetle": beetle,
}  # fmt: skip


def picture(looks: Looks, ecology: Ecology, rng: np.random.Generator) -> Image.Image:
    """Return a photograph of one individual, `SIDE` pixels square."""
    return _take(looks, ecology, rng)[0]


def silhouette(looks: Looks, ecology: Ecology, rng: np.random.Generator) -> np.ndarray:
    """Return where the animals of the same picture are: ``(SIDE, SIDE)`` float32, 0 to 1."""
    return _take(looks, ecology, rng)[1]


def _take(looks: Looks, ecology: Ecology, rng: np.random.Generator) -> tuple[Image.Image, np.ndarray]:
    setting, stand = _setting(looks, ecology, rng)
    coat = coat_of(looks, rng)
    scene = backdrop(setting, SIDE, rng)
    light = light_of(setting.activity, setting.climate, rng)
    level = float(rng.uniform(0.70, 0.80)) if stand != "air" else float(rng.uniform(0.55, 0.72))
    if stand == "water":
        level = float(rng.uniform(0.64, 0.72))
    layers = []
    foot = (0.5 * SIDE, level * SIDE)
    for rank in range(_companions(ecology, rng), -1, -1):
        scale = looks.frame * (1.0 if rank == 0 else rng.uniform(0.42, 0.62)) * rng.normal(1.0, 0.06)
        at = _spot(rank, stand, level, rng)
        figure = _PLANS[looks.plan](looks, coat, rng, stand)
        mirror = rng.random() < 0.5 and stand != "trunk"
        layers.append(_placed(figure, scale, (at[0] * SIDE, at[1] * SIDE), stand, mirror=mirror))
        if rank == 0:
            foot = (at[0] * SIDE, at[1] * SIDE)
    frame = _over(scene * light, behind(stand, setting, SIDE, foot, rng), light)
    lamp = light if setting.activity != "nocturnal" else 0.3 * light + 0.6  # a flash reaches the animal
    canvas = Canvas(SIDE)
    for shapes in layers:
        canvas.draw(shapes)
    colours, cover = canvas.finish()
    lit = _shaded(colours, cover, rng) * lamp
    frame = lit + frame * (1.0 - cover)
    frame = _over(frame, before(stand, setting, SIDE, foot, rng), light)
    frame = frame + rng.normal(0.0, 0.012, (SIDE, SIDE, 1)).astype(np.float32)
    image = Image.fromarray((np.clip(frame, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    return image, cover[:, :, 0]


def _setting(looks: Looks, ecology: Ecology, rng: np.random.Generator) -> tuple[Setting, str]:
    def one(labels: tuple[str, ...], first: float = 0.8) -> str:
        return labels[0] if len(labels) == 1 or rng.random() < first else labels[1]

    habitat, activity = one(ecology.habitats), one(ecology.activities)
    climate = one(ecology.climates)
    stand = {"aerial": "air", "arboreal": "branch", "terrestrial": "ground", "aquatic": "water"}[ecology.lifestyle]
    if looks.shape.get("trunk"):
        stand = "trunk"
    if stand == "branch" and habitat == "marine":
        stand = "ground"
    horizon = {"air": 0.80, "branch": 0.62, "trunk": 0.62, "ground": 0.50, "water": 0.42}[stand]
    return Setting(habitat, climate, activity, horizon + float(rng.normal(0, 0.03))), stand


def _companions(ecology: Ecology, rng: np.random.Generator) -> int:
    if ecology.social == "solitary":
        return 0
    return int(rng.choice([0, 1, 2, 3], p=[0.2, 0.3, 0.3, 0.2]))


def _spot(rank: int, stand: str, level: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return where the foot of the animal, or of one of its companions behind it, is, as shares of the side."""
    jitter = rng.normal(0, 0.04)
    if rank == 0:
        return 0.5 + jitter, level
    if stand == "trunk":
        return 0.5, (0.22, 0.95, 0.40)[rank - 1] + jitter
    across = (0.20, 0.80, 0.10)[rank - 1] + jitter
    return across, level - (rng.uniform(0.1, 0.35) if stand == "air" else 0.0 if stand == "branch" else 0.03)


def _placed(figure: Figure, scale: float, at: tuple[float, float], stand: str, *, mirror: bool) -> list[Shape]:
    """Return a figure's shapes in pixels: its longer side ``scale`` of the picture's, its foot at ``at``."""
    points = np.concatenate([shape.points for shape in figure.shapes])
    low, high = points.min(axis=0), points.max(axis=0)
    size = scale * SIDE / max(high[0] - low[0], 1.05 * (high[1] - low[1]))
    if stand in {"air", "trunk"}:
        anchor = (figure.foot[0] if stand == "trunk" else 0.5 * (low[0] + high[0]), figure.foot[1])
    else:
        size = min(size, 0.96 * at[1] / max(figure.foot[1] - low[1], 0.1))
        anchor = (0.5 * (low[0] + high[0]), figure.foot[1])
    factors = (-size if mirror else size, size)

    def move(outline: np.ndarray) -> np.ndarray:
        return (outline - anchor) * factors + at

    return [
        Shape(move(shape.points), shape.colour, tuple((move(mark), colour) for mark, colour in shape.marks))
        for shape in figure.shapes
    ]


def _over(frame: np.ndarray, shapes: list[Shape], light: np.ndarray) -> np.ndarray:
    if not shapes:
        return frame
    canvas = Canvas(SIDE)
    canvas.draw(shapes)
    colours, cover = canvas.finish()
    return colours * light + frame * (1.0 - cover)


def _shaded(colours: np.ndarray, cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an animal that looks round: the blurred silhouette taken as its height, lit from above and one side."""
    mask = Image.fromarray((cover[:, :, 0] * 255.0).astype(np.uint8))
    height = np.asarray(mask.filter(ImageFilter.GaussianBlur(9)), dtype=np.float32) / 255.0
    fine = np.asarray(mask.filter(ImageFilter.GaussianBlur(3)), dtype=np.float32) / 255.0
    side = rng.uniform(-0.6, 0.6)
    slope = _slope(height, side) * 9.0 + _slope(fine, side) * 2.0
    texture = 0.045 * grain(SIDE, rng)
    return colours * (1.0 + 0.42 * np.tanh(slope) + texture)[:, :, None]


def _slope(height: np.ndarray, side: float) -> np.ndarray:
    down, right = np.zeros_like(height), np.zeros_like(height)
    down[1:-1] = height[2:] - height[:-2]
    right[:, 1:-1] = height[:, 2:] - height[:, :-2]
    return down + side * right
