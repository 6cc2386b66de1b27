"""The tree: species come one at a time, and each joins a genus or founds one.

Genera grow as in Yule's model (a species founds a genus with a fixed chance, or joins one in proportion to its size),
families and orders by the two-parameter Chinese restaurant process, which makes fewer of them the more there are. What
a species becomes depends on the seed and the species before it, never on how many follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.simulation.archetypes import CLASSES, Archetype, groups_of
from biovita.simulation.seeds import stream

__all__ = ["TreePlace", "grow_tree"]

_NEW_GENUS = 0.30  # Yule 1925: a constant chance gives sizes with a power-law tail and a mean of 1 / chance
_FAMILY = (4.0, 0.50)  # concentration and discount of the process over the genera of a class
_ORDER = (1.2, 0.30)  # the same over its families


@dataclass(frozen=True, slots=True)
class TreePlace:
    """Where a species stands. Groups are known by the index of the species that founded them.

    Attributes
    ----------
    index
        Of the species, from 0.
    class_index
        Into `CLASSES`.
    order, family, genus
        Index of the founding species.
    family_number
        How many families of this archetype there were before.
    archetype
        What the family started from.
    """

    index: int
    class_index: int
    order: int
    family: int
    genus: int
    family_number: int
    archetype: Archetype


@dataclass(slots=True)
class _Node:
    founder: int
    size: int = 0  # members one rank below
    parent: _Node | None = None
    number: int = 0
    group: str = ""
    archetype: Archetype | None = None


class _Clade:
    """The tree of one class while it grows."""

    def __init__(self, class_index: int) -> None:
        self.class_index = class_index
        self.groups = groups_of(CLASSES[class_index].name)
        self.orders: list[_Node] = []
        self.families: list[_Node] = []
        self.genera: list[_Node] = []

    def add(self, index: int, rng: np.random.Generator) -> TreePlace:
        if not self.genera or rng.random() < _NEW_GENUS:
            genus = _Node(index, parent=self._family(index, rng))
            assert genus.parent is not None
            genus.parent.size += 1
            self.genera.append(genus)
        else:
            genus = _pick(self.genera, 0.0, rng)
        genus.size += 1
        family = genus.parent
        assert family is not None
        assert family.parent is not None
        assert family.archetype is not None
        order = family.parent
        return TreePlace(
            index, self.class_index, order.founder, family.founder, genus.founder, family.number, family.archetype
        )

    def _family(self, index: int, rng: np.random.Generator) -> _Node:
        if not _founds(len(self.genera), len(self.families), _FAMILY, rng):
            return _pick(self.families, _FAMILY[1], rng)
        order = self._order(index, rng)
        choices = self.groups[order.group]
        used = [sum(family.archetype is choice for family in self.families) for choice in choices]
        fresh = [choice for choice, times in zip(choices, used, strict=True) if times == min(used)]
        archetype = fresh[rng.integers(len(fresh))]
        family = _Node(index, parent=order, number=used[choices.index(archetype)], archetype=archetype)
        order.size += 1
        self.families.append(family)
        return family

    def _order(self, index: int, rng: np.random.Generator) -> _Node:
        if not _founds(len(self.families), len(self.orders), _ORDER, rng):
            return _pick(self.orders, _ORDER[1], rng)
        names = list(self.groups)
        used = [sum(order.group == name for order in self.orders) for name in names]
        fresh = [name for name, times in zip(names, used, strict=True) if times == min(used)]
        weights = np.array([len(self.groups[name]) for name in fresh], dtype=float)
        group = fresh[rng.choice(len(fresh), p=weights / weights.sum())]
        order = _Node(index, group=group)
        self.orders.append(order)
        return order


def _founds(members: int, groups: int, process: tuple[float, float], rng: np.random.Generator) -> bool:
    concentration, discount = process
    return rng.random() < (concentration + discount * groups) / (members + concentration)


def _pick(nodes: list[_Node], discount: float, rng: np.random.Generator) -> _Node:
    weights = np.fromiter((node.size - discount for node in nodes), dtype=float, count=len(nodes))
    return nodes[int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))]


def grow_tree(species: int, seed: int) -> list[TreePlace]:
    """Return the places of ``species`` species; those of a smaller fauna are its beginning."""
    clades = [_Clade(index) for index in range(len(CLASSES))]
    shares = np.array([kind.share for kind in CLASSES])
    places = []
    for index in range(species):
        rng = stream(seed, "tree", index)
        # The first four species are one of each class, so that the smallest fauna has them all.
        kind = index if index < len(CLASSES) else int(rng.choice(len(CLASSES), p=shares / shares.sum()))
        places.append(clades[kind].add(index, rng))
    return places
