"""Where the relatives of a taxon lie in a space: what a taxon that was never met can be expected to be near."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
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
            members = [row for row in self._members.get(group, ()) if row not in own]
            if members:
                mean = self.vectors[members].astype(np.float32).mean(axis=0)
                length = float(lengths(mean))
                return None if length == 0 else mean / length
        return None

    @cached_property
    def _named(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for row, taxon in enumerate(self.taxa):
            found[fold(taxon.scientific_name)].append(row)
        return dict(found)

    @cached_property
    def _members(self) -> dict[_Group, Sequence[int]]:
        found: dict[_Group, list[int]] = defaultdict(list)
        for row, taxon in enumerate(self.taxa):
            for group in _groups(taxon):
                found[group].append(row)
        return dict(found)


def _groups(taxon: Taxon) -> Iterator[_Group]:
    """Give the groups that a taxon is in, or is, the narrowest first."""
    for rank in _GROUPS:
        name = taxon.name_at(rank)
        if name is None and rank == Rank.GENUS and taxon.rank == Rank.SPECIES:
            name = taxon.scientific_name.split()[0]
        if name:
            yield rank, fold(name)
