"""What kinds of animal there are before evolution bends them: body plan, voices, way of life, and the words for it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from biovita.simulation.axes import Axis

__all__ = ["CLASSES", "AnimalClass", "Archetype", "archetypes", "groups_of"]


@dataclass(frozen=True, slots=True)
class AnimalClass:
    """A class: its real name and lineage, and how common it is in the fauna."""

    name: str
    phylum: str
    share: float
    order_ending: str


CLASSES: tuple[AnimalClass, ...] = (
    AnimalClass("Aves", "Chordata", 0.52, "iformes"),
    AnimalClass("Mammalia", "Chordata", 0.16, "imorpha"),
    AnimalClass("Amphibia", "Chordata", 0.16, "obatrachia"),
    AnimalClass("Insecta", "Arthropoda", 0.16, "optera"),
)


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of animal that a family starts from.

    Attributes
    ----------
    noun, stem
        The group's common noun, and the Latin stem that its family and genera are named with.
    group
        Archetypes of one group share an order.
    plan
        The body plan that draws it.
    voices
        Names of `VOICES` it may call with; a family takes one.
    cm
        Length at size 0.
    diet
        What it eats, the main food first.
    moves
        Ways of moving it has, the main one first.
    axes
        Where on the axes the family starts, where that is not 0.
    shape
        Proportions of the body plan, in body lengths, and angles in degrees.
    """

    noun: str
    stem: str
    class_: str
    group: str
    plan: str
    voices: tuple[str, ...]
    cm: float
    diet: tuple[str, ...]
    lifestyle: str
    moves: tuple[str, ...]
    axes: Mapping[Axis, float]
    shape: Mapping[str, float]


@cache
def archetypes() -> tuple[Archetype, ...]:
    """Return all archetypes, in the order of ``archetypes.toml``."""
    text = (files("biovita.simulation") / "archetypes.toml").read_text(encoding="utf-8")
    return tuple(
        Archetype(
            noun=entry["noun"],
            stem=entry["stem"],
            class_=entry["class"],
            group=entry["group"],
            plan=entry["plan"],
            voices=tuple(entry["voices"]),
            cm=entry["cm"],
            diet=tuple(entry["diet"]),
            lifestyle=entry["lifestyle"],
            moves=tuple(entry["moves"]),
            axes={Axis[name.upper()]: value for name, value in entry.get("axes", {}).items()},
            shape=entry["shape"],
        )
        for entry in tomllib.loads(text)["archetype"]
    )


def groups_of(class_name: str) -> dict[str, tuple[Archetype, ...]]:
    """Return the archetypes of a class by group, in the order in which they are listed."""
    groups: dict[str, tuple[Archetype, ...]] = {}
    for archetype in archetypes():
        if archetype.class_ == class_name:
            groups[archetype.group] = (*groups.get(archetype.group, ()), archetype)
    return groups
