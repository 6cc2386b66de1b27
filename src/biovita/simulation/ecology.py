"""From what a species inherited to how it lives, and the trait labels that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.simulation.archetypes import Archetype
from biovita.simulation.axes import Axis
from biovita.simulation.evolve import Latent, bounded
from biovita.trait_labels import LABELS

__all__ = ["HABITATS", "Ecology", "ecology_of", "traits_of"]

HABITATS = ("forest", "shrubland", "grassland", "wetland", "marine", "human-modified")
_ANIMALS = {"carnivore", "piscivore", "insectivore"}
_MIXED = 0.85  # a second food this near the first, one an animal and one a plant, makes an omnivore


@dataclass(frozen=True, slots=True)
class Ecology:
    """How a species lives.

    Attributes
    ----------
    activities, moves, habitats, climates
        Its labels of the group, the main one first.
    """

    diet: str
    activities: tuple[str, ...]
    moves: tuple[str, ...]
    lifestyle: str
    habitats: tuple[str, ...]
    climates: tuple[str, ...]
    social: str
    migration: str


def ecology_of(archetype: Archetype, latent: Latent) -> Ecology:
    """Return how a species of this archetype lives."""
    size, cover, water, night, tempo, social, cold, tame = (
        bounded(latent, axis)
        for axis in (Axis.SIZE, Axis.COVER, Axis.WATER, Axis.NIGHT, Axis.TEMPO, Axis.SOCIAL, Axis.COLD, Axis.TAME)
    )
    own = latent.private[41:49]
    foods = {
        food: 1.0 / (number + 1) + 0.18 * own[number % 8] + (0.15 * size if food == "carnivore" else 0.0)
        for number, food in enumerate(archetype.diet)
    }
    first, second = [*sorted(foods, key=lambda food: -foods[food]), ""][:2]
    mixed = second and foods[second] > _MIXED * foods[first] and (first in _ANIMALS) != (second in _ANIMALS)
    liking = {
        "forest": 1.0 * cover + 0.1,
        "shrubland": 0.75 - 0.9 * abs(cover + 0.1) - 0.5 * water,
        "grassland": -0.9 * cover - 0.4 * water,
        "wetland": 1.1 * water - 0.15 * abs(cover),
        "marine": 1.3 * water - 0.8 * cover - 1.0,
        "human-modified": 1.25 * tame - 0.1,
    }
    habitats = sorted(liking, key=lambda name: -liking[name])
    near = [name for name in habitats[1:3] if liking[name] > liking[habitats[0]] - 0.35]
    if night > 0.95:
        activities: tuple[str, ...] = ("nocturnal",) if night > 1.15 else ("nocturnal", "crepuscular")
    elif night > 0.45:
        activities = ("crepuscular", "nocturnal") if night > 0.7 else ("crepuscular", "diurnal")
    else:
        activities = ("diurnal",)
    if cold > 0.95:
        climates: tuple[str, ...] = ("polar",) if cold > 1.3 else ("polar", "temperate")
    elif cold > -0.3:
        climates = ("temperate",) if cold > -0.05 else ("temperate", "tropical")
    else:
        climates = ("tropical",)
    moves = list(archetype.moves)
    if water > 1.3:
        moves.append("swimming")
    if cover > 1.4 and archetype.class_ != "Insecta":
        moves.append("climbing")
    wandering = 0.6 * tempo + 0.5 * cold + 0.3 * float(own[7])
    lifestyle = archetype.lifestyle
    if lifestyle == "arboreal" and cover < -1.1:
        lifestyle = "terrestrial"
    elif lifestyle == "terrestrial" and water > 2.0:
        lifestyle = "aquatic"
    return Ecology(
        diet="omnivore" if mixed else first,
        activities=activities,
        moves=tuple(dict.fromkeys(moves)),
        lifestyle=lifestyle,
        habitats=(habitats[0], *near),
        climates=climates,
        social="group-living" if social > 0.25 else "solitary",
        migration="migratory" if wandering > 0.75 else "partial-migrant" if wandering > 0.25 else "sedentary",
    )


def traits_of(ecology: Ecology) -> dict[str, bool]:
    """Return all 34 labels, true or false: in a simulated fauna none is unknown."""
    own = {
        ecology.diet, *ecology.activities, *ecology.moves, ecology.lifestyle, *ecology.habitats, *ecology.climates,
        ecology.social, ecology.migration,
    }  # fmt: skip
    assert own <= set(LABELS), np.setdiff1d(list(own), LABELS)
    return {label: label in own for label in LABELS}
