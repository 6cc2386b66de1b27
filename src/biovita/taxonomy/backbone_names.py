"""Names of a backbone as small values, read in bulk, and how a lineage given with a name agrees with theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.parse import fold

__all__ = ["BELOW_SPECIES", "GIVEN", "Lineage", "Name", "NameReader", "agreement", "folded_lineage"]

GIVEN: tuple[str, ...] = ("kingdom", "class", "order", "family")  # what may be given with a name
BELOW_SPECIES = frozenset({"subspecies", "variety", "form", "subvariety", "subform", "infraspecific name"})

Lineage = tuple[str | None, ...]  # folded names at `GIVEN`: kingdom, class, order, family

# Groups that one checklist calls a class and another does not: each to what covers it.
_UMBRELLA = {
    **dict.fromkeys(("squamata", "testudines", "crocodylia", "sphenodontia", "rhynchocephalia"), "reptilia"),
    **dict.fromkeys(("teleostei", "chondrostei", "holostei", "cladistei", "actinopteri"), "actinopterygii"),
    **dict.fromkeys(("elasmobranchii", "holocephali"), "chondrichthyes"),
    **dict.fromkeys(("dipnoi", "dipneusti", "coelacanthi"), "sarcopterygii"),
    **dict.fromkeys(("petromyzonti", "cephalaspidomorphi", "hyperoartia"), "petromyzontida"),
    "metazoa": "animalia",
    "viridiplantae": "plantae",
}


class Name(NamedTuple):
    """One name of a backbone."""

    row: int
    id: str
    name: str
    key: str
    rank: str
    lineage: Lineage
    accepted: int


def folded_lineage(values: Iterable[str | None]) -> Lineage:
    """Return a lineage in the form that `agreement` compares."""
    kingdom, class_, *below = (fold(value) or None if value else None for value in values)
    return (_covering(kingdom), _covering(class_), *below)


def _covering(name: str | None) -> str | None:
    return _UMBRELLA.get(name, name) if name else None


def agreement(given: Lineage, known: Lineage) -> int:
    """Return how far down two lineages agree: 1 kingdom, 2 class, 3 order, 4 family, 0 nowhere, -1 a clash.

    Kingdom, class and order must not contradict each other. Checklists draw orders and kingdoms differently, so
    an order counts as the same where the family is, and a kingdom where the class is. Families move often and
    may differ.
    """
    same = [a == b if a and b else None for a, b in zip(given, known, strict=True)]
    kingdom, class_, order, family = same
    if class_ is False or (order is False and not family) or (kingdom is False and not class_):
        return -1
    return max((depth for depth, agrees in enumerate(same, start=1) if agrees), default=0)


class NameReader:
    """Names of a backbone by row, each read once."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._names: dict[int, Name] = {}
        self._lineages: dict[Lineage, Lineage] = {}

    def __getitem__(self, row: int) -> Name:
        return self._names[row]

    def read(self, rows: np.ndarray) -> list[Name]:
        """Return the names in these rows, having read the names that they are synonyms of as well."""
        wanted = [row for row in rows.tolist() if row not in self._names]
        self._read(wanted)
        names = [self._names[row] for row in rows.tolist()]
        self._read([name.accepted for name in names if name.accepted >= 0 and name.accepted not in self._names])
        return names

    def by_key(self, keys: Iterable[str]) -> dict[str, list[Name]]:
        """Return the names that have one of these keys."""
        found: dict[str, list[Name]] = defaultdict(list)
        for name in self.read(self.backbone.rows_with_key(keys)):
            found[name.key].append(name)
        return dict(found)

    def by_id(self, ids: Iterable[str]) -> dict[str, Name]:
        """Return the names with these ids, those of them that are here."""
        return {name.id: name for name in self.read(self.backbone.rows_with_id(ids))}

    def _read(self, rows: list[int]) -> None:
        if not rows:
            return
        table = self.backbone.table.take(sorted(set(rows)))
        columns = [table[column].to_pylist() for column in ("id", "name", "key", "rank", *GIVEN, "accepted")]
        for row, id_, name, key, rank, *lineage, accepted in zip(sorted(set(rows)), *columns, strict=True):
            self._names[row] = Name(row, id_, name, key, rank or "", self._lineage(tuple(lineage)), accepted)

    def _lineage(self, lineage: Lineage) -> Lineage:
        folded = self._lineages.get(lineage)
        if folded is None:
            folded = self._lineages[lineage] = folded_lineage(lineage)
        return folded
