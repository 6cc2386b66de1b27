"""Evolution along the tree: Brownian steps at every rank, jumps at the high ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.simulation.axes import AXES, Axis
from biovita.simulation.seeds import stream
from biovita.simulation.tree import TreePlace
from biovita.simulation.voices import VOICES

__all__ = ["PRIVATE", "Latent", "bounded", "clip", "evolve"]

# Standard deviation of a step, from order to species: of the shared axes, and of what one organ does on its own.
_AXIS_STEP = {"order": 0.35, "family": 0.58, "genus": 0.62, "species": 0.53}
_PRIVATE_STEP = {"order": 0.35, "family": 0.60, "genus": 0.60, "species": 0.35}
_JUMP_CHANCE = 0.15  # of each axis, in each order and family
_JUMP = 1.1
_LIMIT = 2.5  # of an axis: what the organs can express
PRIVATE = 49  # dimensions that belong to one organ: proportions, marks, notes, diet
_OTHER_VOICE = 0.12  # chance that a genus calls with another of its kind's voices


@dataclass(frozen=True, slots=True)
class Latent:
    """What a species has inherited.

    Attributes
    ----------
    axes
        ``(11,)``, in the order of `Axis`.
    private
        ``(49,)``: steps that show in one organ only.
    genus_axes
        The axes of its genus, from which it departs.
    voice
        Name of its kind of voice.
    """

    axes: np.ndarray
    private: np.ndarray
    genus_axes: np.ndarray
    voice: str


def evolve(places: list[TreePlace], seed: int) -> list[Latent]:
    """Return what each species has inherited, in the order of ``places``."""
    nodes: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}

    def at(rank: str, founder: int, above: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        if (rank, founder) not in nodes:
            rng = stream(seed, f"step-{rank}", founder)
            axes = above[0] + _AXIS_STEP[rank] * rng.standard_normal(len(AXES))
            private = above[1] + _PRIVATE_STEP[rank] * rng.standard_normal(PRIVATE)
            if rank in {"order", "family"}:
                jumps = rng.random(len(AXES)) < _JUMP_CHANCE
                axes = axes + jumps * _JUMP * rng.choice([-1.0, 1.0], len(AXES))
            nodes[rank, founder] = (axes, private)
        return nodes[rank, founder]

    root = (np.zeros(len(AXES)), np.zeros(PRIVATE))
    latents = []
    for place in places:
        order = at("order", place.order, root)
        family = at("family", place.family, order)
        genus = at("genus", place.genus, family)
        species = at("species", place.index, genus)
        start = np.zeros(len(AXES))
        for axis, value in place.archetype.axes.items():
            start[axis] = value
        latents.append(Latent(species[0] + start, species[1], genus[0] + start, _voice_of(place, seed)))
    return latents


def _voice_of(place: TreePlace, seed: int) -> str:
    choices = place.archetype.voices
    own = choices[place.family_number % len(choices)]
    rng = stream(seed, "voice-genus", place.genus)
    if rng.random() < _OTHER_VOICE:
        own = choices[rng.integers(len(choices))]
    assert own in VOICES
    return own


def clip(value: float, low: float, high: float) -> float:
    """Return a value kept within two others."""
    return float(min(max(value, low), high))


def bounded(latent: Latent, axis: Axis) -> float:
    """Return a species' value on an axis, kept within what the organs can express."""
    return clip(latent.axes[axis], -_LIMIT, _LIMIT)
