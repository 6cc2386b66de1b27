"""From what a species inherited to what it looks like."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from biovita.simulation.archetypes import Archetype
from biovita.simulation.axes import Axis
from biovita.simulation.evolve import Latent, bounded, clip

__all__ = ["PALETTE", "PARTS", "Colour", "Looks", "looks_of"]


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour that a species can have, and where on the axes such species stand.

    Attributes
    ----------
    rgb
        0 to 255.
    warmth, display, dark
        The position: `Axis.WARMTH`, `Axis.DISPLAY`, and darkness, which cover and night make and cold takes away.
    """

    name: str
    rgb: tuple[int, int, int]
    warmth: float
    display: float
    dark: float


PALETTE: dict[str, Colour] = {
    colour.name: colour
    for colour in (
        Colour("black", (42, 40, 46), -0.2, 0.2, 1.6),
        Colour("white", (236, 234, 226), -0.1, 0.2, -1.7),
        Colour("grey", (136, 140, 146), -0.4, -0.9, 0.0),
        Colour("brown", (112, 78, 52), 0.4, -0.9, 0.9),
        Colour("rufous", (172, 84, 40), 1.0, -0.2, 0.4),
        Colour("sandy", (208, 178, 130), 0.5, -0.8, -0.9),
        Colour("olive", (112, 116, 58), -0.6, -0.5, 0.9),
        Colour("red", (200, 36, 36), 1.3, 1.3, 0.3),
        Colour("orange", (236, 128, 28), 1.1, 0.9, -0.5),
        Colour("yellow", (240, 208, 48), 0.5, 0.8, -1.0),
        Colour("green", (58, 142, 62), -0.8, 0.7, 0.3),
        Colour("blue", (48, 104, 196), -1.3, 0.9, -0.1),
        Colour("violet", (118, 68, 158), -0.7, 1.5, 0.9),
        Colour("pink", (232, 142, 160), 0.4, 1.4, -0.9),
    )
}
_NO_BODY = {
    "Mammalia": {"green", "blue", "violet", "pink", "red", "yellow", "olive"},
    "Amphibia": {"pink", "white"},
}
_NO_ACCENT = {"Mammalia": {"green", "violet", "olive"}}
_MATCH = (1.0, 0.8, 0.9)  # weight of warmth, display and darkness when a colour is chosen
_ALIKE = 90.0  # accents stand out from the body by at least this distance in RGB

PARTS: dict[str, tuple[str, ...]] = {
    "bird": ("crown", "throat", "breast", "wing", "tail", "face", "back"),
    "mammal": ("tail", "face", "belly", "back", "foot", "ear", "throat"),
    "seal": ("face", "belly", "back", "throat"),
    "bat": ("wing", "belly", "face", "ear"),
    "monkey": ("face", "tail", "belly", "crown", "foot"),
    "frog": ("belly", "back", "leg", "eye", "throat", "flank"),
    "hopper": ("wing", "back", "leg", "head", "belly"),
    "cicada": ("back", "head", "wing", "belly"),
    "bee": ("back", "head", "belly"),
    "beetle": ("wing", "head", "back", "leg"),
}
# Entries of a shape that do not grow or shrink: angles, and what a kind has or has not.
_SWITCHES = {
    "round", "bushy", "disc", "flat", "trunk", "curl", "beard", "mane", "thick", "pads", "warts", "leafy", "cerci",
    "drum", "hook", "fork", "cock", "tilt", "slope", "crest",
}  # fmt: skip
_PATTERNS = ("barred", "spotted", "streaked")


@dataclass(frozen=True, slots=True)
class Looks:
    """What a species looks like.

    Attributes
    ----------
    plan
        The body plan that draws it.
    shape
        Proportions, in body lengths.
    length_cm
        Length of the body.
    body, belly, accent
        Names in `PALETTE`.
    accent_part
        Which of `PARTS` has the accent.
    pattern, pattern_strength
        ``plain``, ``barred``, ``spotted`` or ``streaked``, and how strongly, 0 to 1.
    crest, ornament
        Head ornament and long tail feathers, horns or antlers, 0 to 1.
    saturation, lightness
        Factors on its colours.
    eye
        Factor on the size of its eyes.
    frame
        Share of a picture's width that it fills.
    """

    plan: str
    shape: Mapping[str, float]
    length_cm: float
    body: str
    belly: str
    accent: str
    accent_part: str
    pattern: str
    pattern_strength: float
    crest: float
    ornament: float
    saturation: float
    lightness: float
    eye: float
    frame: float


def darkness(latent: Latent) -> float:
    """Return how dark a species is: Gloger's rule (forest and night darken, snow bleaches)."""
    cover, night, cold, water = (bounded(latent, axis) for axis in (Axis.COVER, Axis.NIGHT, Axis.COLD, Axis.WATER))
    return 0.55 * cover + 0.45 * night - 0.65 * cold - 0.15 * water + 0.25 * float(latent.private[0])


def _nearest(warmth: float, display: float, dark: float, names: list[str]) -> str:
    spots = np.array([[PALETTE[name].warmth, PALETTE[name].display, PALETTE[name].dark] for name in names])
    away = (spots - [warmth, display, dark]) * _MATCH
    return names[int((away**2).sum(axis=1).argmin())]


@cache
def _distance(one: str, other: str) -> float:
    return float(np.linalg.norm(np.subtract(PALETTE[one].rgb, PALETTE[other].rgb)))


def looks_of(archetype: Archetype, latent: Latent) -> Looks:
    """Return what a species of this archetype looks like."""
    size, warmth, display, tempo, harsh, cold, night = (
        bounded(latent, axis)
        for axis in (Axis.SIZE, Axis.WARMTH, Axis.DISPLAY, Axis.TEMPO, Axis.HARSH, Axis.COLD, Axis.NIGHT)
    )
    own = latent.private
    dark = darkness(latent)
    body_names = [name for name in PALETTE if name not in _NO_BODY.get(archetype.class_, ())]
    body = _nearest(warmth, display - 0.2, dark, body_names)
    accent_names = [
        name
        for name in PALETTE
        if name not in _NO_ACCENT.get(archetype.class_, ()) and _distance(name, body) > _ALIKE
    ]
    accent = _nearest(1.2 * warmth + 0.4 * own[1], 0.7 * display + 0.9, -0.6 * dark + 0.4 * own[2], accent_names)
    pale = [name for name in ("white", "sandy", "grey", "yellow") if _distance(name, body) > 0.5 * _ALIKE]
    belly = pale[int(np.argmax(own[3 : 3 + len(pale)] + [0.8, 0.4, 0.0, 0.5 * display - 0.3][: len(pale)]))]
    parts = PARTS[archetype.plan]
    patterned = harsh > 0.15
    proportions = dict(archetype.shape)
    slender = 2.0 ** (0.22 * tempo)
    for number, name in enumerate(sorted(set(proportions) - _SWITCHES)):
        factor = math.exp(0.09 * clip(own[17 + number % 12], -2.0, 2.0))
        if name in {"leg", "tail", "neck", "antenna", "arm"}:
            factor *= slender
        if name == "depth":
            factor *= 2.0 ** (-0.13 * tempo + 0.10 * cold)
        if name == "head":
            factor *= 2.0 ** (-0.14 * size)
        if name == "tail" and display > 0:
            factor *= 1.0 + 0.35 * display
        proportions[name] = float(proportions[name] * factor)
    return Looks(
        plan=archetype.plan,
        shape=proportions,
        length_cm=float(archetype.cm * 2.0 ** (0.55 * (size - archetype.axes.get(Axis.SIZE, 0.0)))),
        body=body,
        belly=belly,
        accent=accent,
        accent_part=parts[int(np.argmax(own[7 : 7 + len(parts)]))],
        pattern=_PATTERNS[int(np.argmax(own[14:17]))] if patterned else "plain",
        pattern_strength=clip(0.35 + 0.4 * harsh, 0.0, 1.0) if patterned else 0.0,
        crest=clip(0.5 * display - 0.2 + archetype.shape.get("crest", 0.0), 0.0, 1.2),
        ornament=clip(0.5 * display, 0.0, 1.2),
        saturation=clip(1.0 + 0.16 * display, 0.6, 1.4),
        lightness=clip(1.0 - 0.07 * dark, 0.8, 1.25),
        eye=clip(2.0 ** (0.30 * night - 0.18 * size), 0.6, 2.0),
        frame=clip(0.52 + 0.085 * size, 0.30, 0.74),
    )
