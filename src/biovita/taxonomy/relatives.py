"""Where the relatives of a taxon lie in a space: what a taxon that was never met can be expected to be near."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from biovita.directions import lengths
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon import Rank, Taxon

__all__ = ["Relatives"]

_GROUPS = (Rank.GENUS, Rank.FAMILY, Rank.ORDER)
_Group = tuple[Rank, str]


@dataclass(frozen=True, eq=False)
class Relatives:
    """Directions of taxa in a space, found by kinship.

    Attributes
    ----------
    taxa
        Species.
    vectors
        ``(len(taxa), dim)``, of length 1.
    """

    taxa: tuple[Taxon, ...]
    vectors: np.ndarray

    def near(self, taxon: Taxon, names: Collection[str] = ()) -> np.ndarray | None:
        """Return the mean direction of a taxon's relatives, ``(dim,)``, float32, of length 1; None where it has none.

        The relatives are those of its genus, else of its family, else of its order; of a group, its members. The taxon
        itself is never among them, under any of its names: so what is known of a taxon does not depend on whether it
        was met.

        Parameters
        ----------
        names
            Other scientific names of the taxon.
        """
        own = {row for name in (taxon.scientific_name, *names) for row in self._named.get(fold(name), ())}
        for group in _groups(taxon):
            members = self._members.get(group, frozenset())
            mine = sorted(own & members)
            if len(members) > len(mine):
                total = self._sums[group] - self.vectors[mine].astype(np.float64).sum(axis=0)
                length = float(lengths(total))
                return None if length == 0 else np.asarray(total / length, np.float32)
        return None

    @cached_property
    def _named(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for row, taxon in enumerate(self.taxa):
            found[fold(taxon.scientific_name)].append(row)
        return dict(found)

    @cached_property
    def _members(self) -> dict[_Group, frozenset[int]]:
        found: dict[_Group, list[int]] = defaultdict(list)
        for row, taxon in enumerate(self.taxa):
            for group in _groups(taxon):
                found[group].append(row)
        return {group: frozenset(rows) for group, rows in found.items()}

    @cached_property
    def _sums(self) -> dict[_Group, np.ndarray]:
        """The sums over members, in double precision: of numbers of 16 bits they are exact, whatever is taken off."""
        return {
            group: self.vectors[sorted(rows)].astype(np.float64).sum(axis=0)
            for group, rows in self._members.items()
        }


def _groups(taxon: Taxon) -> Iterator[_Group]:
    """Give the groups that a taxon is in, or is, the narrowest first."""
    for rank in _GROUPS:
        name = taxon.name_at(rank)
        if name is None and rank == Rank.GENUS and taxon.rank == Rank.SPECIES:
            name = taxon.scientific_name.split()[0]
        if name:
            yield rank, fold(name)
