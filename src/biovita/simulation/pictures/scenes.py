"""What is behind an animal: six habitats, three climates, three lights, out of focus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from biovita.simulation.pictures.shapes import RGB, mix

__all__ = ["Setting", "backdrop", "grain", "light_of"]

_SMALL = 128  # a backdrop is out of focus anyway


@dataclass(frozen=True, slots=True)
class Setting:
    """Where and when a picture is taken.

    Attributes
    ----------
    habitat, climate, activity
        Trait labels.
    horizon
        Height of the horizon, 0 at the top of the picture to 1 at its bottom.
    """

    habitat: str
    climate: str
    activity: str
    horizon: float


def backdrop(setting: Setting, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return the scene without the animal, ``(side, side, 3)`` float32, 0 to 1."""
    painter = {
        "forest": _forest,
        "shrubland": _shrubland,
        "grassland": _grassland,
        "wetland": _wetland,
        "marine": _marine,
        "human-modified": _town,
    }[setting.habitat]
    image = Image.new("RGB", (_SMALL, _SMALL))
    painter(image, ImageDraw.Draw(image), setting, rng)
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.2, 2.2)))).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    scene = np.asarray(image, dtype=np.float32) / 255.0
    return scene * (1.0 + 0.035 * grain(side, rng)[:, :, None])


def light_of(activity: str, climate: str, rng: np.random.Generator) -> np.ndarray:
    """Return the colour of the light, three factors."""
    light = {
        "diurnal": np.array([1.02, 1.0, 0.96]),
        "crepuscular": np.array([1.0, 0.79, 0.62]),
        "nocturnal": np.array([0.36, 0.44, 0.64]),
    }[activity]
    cold = {
        "tropical": np.array([1.04, 1.0, 0.93]),
        "temperate": np.ones(3),
        "polar": np.array([0.96, 1.0, 1.07]),
    }[climate]
    return (light * cold * rng.normal(1.0, 0.06)).astype(np.float32)


@cache
def _noise_tile() -> np.ndarray:
    """Return a periodic tile of 1/f noise, mean 0, standard deviation 1."""
    side = 512
    rng = np.random.default_rng(1925)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) / frequency
    tile = np.fft.irfft2(spectrum, s=(side, side))
    return (tile / tile.std()).astype(np.float32)


def grain(side: int, rng: np.random.Generator) -> np.ndarray:
    """Return a piece of 1/f noise ``(side, side)``, standard deviation about 1."""
    tile = _noise_tile()
    y, x = rng.integers(tile.shape[0] - side), rng.integers(tile.shape[1] - side)
    return tile[y : y + side, x : x + side]


def _tone(colour: RGB, rng: np.random.Generator, spread: float = 9.0) -> RGB:
    red, green, blue = (
        int(min(max(value + shift, 0), 255)) for value, shift in zip(colour, rng.normal(0, spread, 3), strict=True)
    )
    return (red, green, blue)


def _gradient(image: Image.Image, top: RGB, bottom: RGB, start: float, end: float) -> None:
    first, last = int(start * _SMALL), int(end * _SMALL)
    if last <= first:
        return
    share = np.linspace(0, 1, last - first)[:, None]
    band = (np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)
    image.paste(Image.fromarray(np.repeat(band[:, None, :], _SMALL, axis=1)), (0, first))


def _sky(image: Image.Image, setting: Setting, rng: np.random.Generator) -> None:
    low, high = {
        "tropical": ((206, 226, 232), (96, 164, 216)),
        "temperate": ((216, 226, 234), (128, 174, 214)),
        "polar": ((234, 240, 246), (178, 202, 222)),
    }[setting.climate]
    _gradient(image, _tone(high, rng), _tone(low, rng), 0.0, setting.horizon)
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0, _SMALL), rng.uniform(0, setting.horizon * _SMALL * 0.8)
        pen.ellipse((x - 22, y - 4, x + 22, y + 4), fill=_tone((240, 243, 246), rng, 4))


def _plants(setting: Setting, colour: RGB) -> RGB:
    """Return a plant's colour in this climate."""
    target = {"tropical": (26, 132, 44), "temperate": colour, "polar": (226, 232, 238)}[setting.climate]
    return mix(colour, target, {"tropical": 0.4, "temperate": 0.0, "polar": 0.65}[setting.climate])


def _ground(image: Image.Image, setting: Setting, top: RGB, bottom: RGB, rng: np.random.Generator) -> None:
    _gradient(image, _tone(_plants(setting, top), rng), _tone(_plants(setting, bottom), rng), setting.horizon, 1.0)


def _blobs(
    pen: ImageDraw.ImageDraw,
    colours: list[RGB],
    rng: np.random.Generator,
    *,
    count: int,
    box: tuple[float, float, float, float],
    size: tuple[float, float],
) -> None:
    left, top, right, bottom = box
    for _ in range(count):
        x, y = rng.uniform(left, right), rng.uniform(top, bottom)
        radius = rng.uniform(*size)
        flat = rng.uniform(0.6, 1.0) * radius
        colour = _tone(colours[int(rng.integers(len(colours)))], rng)
        pen.ellipse((x - radius, y - flat, x + radius, y + flat), fill=colour)


def _strokes(
    pen: ImageDraw.ImageDraw,
    colours: list[RGB],
    rng: np.random.Generator,
    *,
    count: int,
    top: tuple[float, float],
    bottom: float,
    lean: float,
    width: int,
) -> None:
    for _ in range(count):
        x, high = rng.uniform(0, _SMALL), rng.uniform(*top)
        colour = _tone(colours[int(rng.integers(len(colours)))], rng)
        pen.line((x, bottom, x + rng.normal(0, lean), high), fill=colour, width=width)


def _forest(image: Image.Image, pen: ImageDraw.ImageDraw, setting: Setting, rng: np.random.Generator) -> None:
    leaves = [_plants(setting, colour) for colour in ((34, 66, 36), (48, 84, 42), (26, 50, 32), (66, 104, 54))]
    _gradient(image, _tone(leaves[3], rng), _tone(leaves[2], rng), 0.0, 1.0)
    _blobs(pen, leaves, rng, count=60, box=(0, 0, _SMALL, _SMALL), size=(5, 15))
    for _ in range(int(rng.integers(3, 7))):
        x, width = rng.uniform(0, _SMALL), rng.uniform(3, 9)
        pen.polygon([(x - width / 2, 0), (x + width / 2, 0), (x + width * 0.7, _SMALL), (x - width * 0.7, _SMALL)],
                    fill=_tone((58, 44, 34), rng))  # fmt: skip
    _blobs(
        pen,
        [_plants(setting, (136, 168, 92)), leaves[1]],
        rng,
        count=14,
        box=(0, 0, _SMALL, _SMALL * 0.7),
        size=(3, 7),
    )
    if setting.climate == "polar":
        _gradient(image, (214, 222, 230), (236, 240, 244), max(setting.horizon, 0.72), 1.0)


def _shrubland(image: Image.Image, pen: ImageDraw.ImageDraw, setting: Setting, rng: np.random.Generator) -> None:
    _sky(image, setting, rng)
    _ground(image, setting, (178, 142, 100), (150, 110, 74), rng)
    line = setting.horizon * _SMALL
    hill = [
        (0.0, line + 2),
        *((x, line - rng.uniform(2, 12)) for x in range(0, _SMALL + 1, 16)),
        (float(_SMALL), line + 2),
    ]
    pen.polygon(hill, fill=_tone(_plants(setting, (158, 128, 104)), rng))
    bushes = [_plants(setting, colour) for colour in ((112, 102, 58), (134, 112, 66), (92, 84, 50))]
    _blobs(pen, bushes, rng, count=26, box=(0, line - 3, _SMALL, _SMALL), size=(4, 11))


def _grassland(image: Image.Image, pen: ImageDraw.ImageDraw, setting: Setting, rng: np.random.Generator) -> None:
    _sky(image, setting, rng)
    _ground(image, setting, (196, 184, 96), (146, 150, 62), rng)
    blades = [_plants(setting, colour) for colour in ((206, 190, 104), (172, 172, 76), (132, 142, 58))]
    line = setting.horizon * _SMALL
    for depth in np.linspace(0.05, 1.0, 5):
        bottom = line + (_SMALL - line) * depth
        _strokes(
            pen,
            blades,
            rng,
            count=40,
            top=(bottom - 22 * depth - 3, bottom - 8 * depth),
            bottom=bottom,
            lean=4,
            width=1,
        )


def _wetland(image: Image.Image, pen: ImageDraw.ImageDraw, setting: Setting, rng: np.random.Generator) -> None:
    _sky(image, setting, rng)
    line = setting.horizon * _SMALL
    _gradient(image, _tone((112, 138, 140), rng), _tone((62, 92, 96), rng), setting.horizon, 1.0)
    reeds = [_plants(setting, colour) for colour in ((106, 124, 58), (142, 140, 76), (84, 102, 54))]
    _strokes(pen, reeds, rng, count=110, top=(line - 30, line - 8), bottom=line + 3, lean=3, width=2)
    for _ in range(26):
        x, y = rng.uniform(-10, _SMALL), rng.uniform(line + 4, _SMALL)
        shine = _tone((172, 194, 198) if setting.climate != "polar" else (232, 240, 246), rng)
        pen.line((x, y, x + rng.uniform(6, 26), y), fill=shine, width=1)
    if setting.climate == "polar":
        _blobs(pen, [(236, 242, 246)], rng, count=10, box=(0, line + 4, _SMALL, _SMALL), size=(5, 14))


def _marine(image: Image.Image, pen: ImageDraw.ImageDraw, setting: Setting, rng: np.random.Generator) -> None:
    _sky(image, setting, rng)
    line = setting.horizon * _SMALL
    deep = {"tropical": (28, 138, 158), "temperate": (38, 92, 132), "polar": (92, 124, 148)}[setting.climate]
    _gradient(image, _tone(mix(deep, (20, 40, 80), 0.35), rng), _tone(deep, rng), setting.horizon, 1.0)
    for _ in range(34):
        x, y = rng.uniform(-10, _SMALL), line + (_SMALL - line) * rng.uniform(0.04, 1) ** 1.4
        long = 4 + 20 * (y - line) / _SMALL
        pen.arc((x, y, x + long, y + 4), 180, 360, fill=_tone((214, 228, 234), rng), width=1)
    if setting.climate == "polar":
        _blobs(pen, [(240, 245, 248)], rng, count=7, box=(0, line, _SMALL, _SMALL), size=(6, 15))


def _town(image: Image.Image, pen: ImageDraw.ImageDraw, setting: Setting, rng: np.random.Generator) -> None:
    _sky(image, setting, rng)
    _ground(image, setting, (126, 126, 120), (108, 106, 104), rng)
    line = setting.horizon * _SMALL
    x = -rng.uniform(0, 12)
    walls: list[RGB] = [(168, 88, 70), (196, 176, 150), (150, 152, 156), (206, 196, 182)]
    while x < _SMALL:
        width, high = rng.uniform(20, 38), rng.uniform(24, 58)
        wall = _tone(walls[int(rng.integers(len(walls)))], rng)
        pen.rectangle((x, line - high, x + width, line), fill=wall)
        roof = (236, 240, 244) if setting.climate == "polar" else _tone((104, 58, 50), rng)
        pen.polygon(
            [(x - 2, line - high), (x + width / 2, line - high - 11), (x + width + 2, line - high)], fill=roof
        )
        for column in np.arange(x + 4, x + width - 5, 8):
            for row in np.arange(line - high + 5, line - 6, 11):
                pen.rectangle((column, row, column + 4, row + 6), fill=_tone((58, 70, 88), rng))
        x += width + rng.uniform(0, 6)
    for post in range(0, _SMALL, 12):
        pen.rectangle((post, line - 3, post + 3, line + 12), fill=_tone((214, 206, 190), rng, 4))
    pen.rectangle((0, line + 1, _SMALL, line + 3), fill=(206, 198, 182))
