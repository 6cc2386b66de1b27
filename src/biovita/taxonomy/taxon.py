"""Ranks, taxa and the look-up between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from biovita.errors import DatasetError, UnknownTaxonError, unknown_name

__all__ = ["RANKS", "Rank", "Taxon", "Taxonomy", "group_taxon", "shared_taxon", "taxon_id_of"]


class Rank(StrEnum):
    """The seven ranks that a lineage is made of, from the widest to the narrowest."""

    KINGDOM = "kingdom"
    PHYLUM = "phylum"
    CLASS = "class"
    ORDER = "order"
    FAMILY = "family"
    GENUS = "genus"
    SPECIES = "species"


RANKS: tuple[Rank, ...] = tuple(Rank)
_CLASS, _SPECIES = Rank.CLASS, Rank.SPECIES  # read millions of times, and an enumeration looks its members up


def taxon_id_of(scientific_name: str) -> str:
    """Return the id of a taxon that has none of its own: its name in lower case, with underscores.

    This is also how the published release names its image folders.

    Examples
    --------
    >>> taxon_id_of("Accipiter striatus")
    'accipiter_striatus'
    """
    return "_".join(scientific_name.lower().split())


@dataclass(frozen=True, slots=True)
class Taxon:
    """A named group of organisms and its place; any rank above its own may be missing."""

    id: str
    scientific_name: str
    common_name: str | None = None
    rank: Rank = Rank.SPECIES
    kingdom: str | None = None
    phylum: str | None = None
    class_: str | None = None
    order: str | None = None
    family: str | None = None
    genus: str | None = None

    def name_at(self, rank: Rank) -> str | None:
        """Return the name of this taxon's ancestor, or of itself, at ``rank``; None where it is not known."""
        if rank == self.rank:
            return self.scientific_name
        if rank == _SPECIES:
            return None
        return getattr(self, "class_" if rank == _CLASS else rank)

    @property
    def lineage(self) -> tuple[tuple[Rank, str], ...]:
        """The known (rank, name) pairs from kingdom down to the taxon itself."""
        pairs = ((rank, self.name_at(rank)) for rank in RANKS)
        return tuple((rank, name) for rank, name in pairs if name)


@dataclass(frozen=True, repr=False)
class Taxonomy(Mapping[str, Taxon]):
    """Taxa by id, with look-up by name, synonym and lineage.

    Parameters
    ----------
    taxa
        The taxa; ids are unique.
    synonyms
        From a name that is not a taxon's accepted one to the id of that taxon.
    """

    taxa: tuple[Taxon, ...]
    synonyms: Mapping[str, str] = field(default_factory=dict)
    _by_id: dict[str, Taxon] = field(init=False, repr=False, compare=False)
    _by_name: dict[str, Taxon] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id: dict[str, Taxon] = {}
        by_name: dict[str, Taxon] = {}
        for taxon in self.taxa:
            if taxon.id in by_id:
                raise DatasetError(f"two taxa have the id {taxon.id!r}. Each needs an id of its own")
            by_id[taxon.id] = taxon
            by_name.setdefault(taxon.scientific_name.casefold(), taxon)
        for synonym, taxon_id in self.synonyms.items():
            if taxon_id not in by_id:
                raise DatasetError(f"the synonym {synonym!r} points to {taxon_id!r}, which is not a taxon here")
            by_name.setdefault(synonym.casefold(), by_id[taxon_id])
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_by_name", by_name)

    def __repr__(self) -> str:
        return f"<Taxonomy of {len(self.taxa):,} taxa, {len(self.synonyms):,} synonyms>"

    @cached_property
    def _members(self) -> dict[tuple[Rank, str], list[Taxon]]:
        members: dict[tuple[Rank, str], list[Taxon]] = defaultdict(list)
        for taxon in self.taxa:
            for rank, name in taxon.lineage:
                members[rank, name].append(taxon)
        return dict(members)

    @classmethod
    def of(cls, taxa: Iterable[Taxon], synonyms: Mapping[str, str] | None = None) -> Taxonomy:
        """Return the taxonomy of ``taxa``, in their order."""
        return cls(tuple(taxa), dict(synonyms or {}))

    def __getitem__(self, taxon_id: str) -> Taxon:
        if taxon_id not in self._by_id:
            raise UnknownTaxonError(f"an item is of the taxon {taxon_id!r}, which taxa.parquet does not have")
        return self._by_id[taxon_id]

    def __contains__(self, taxon_id: object) -> bool:
        return taxon_id in self._by_id

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self.taxa)

    def find(self, name: str) -> Taxon:
        """Return the taxon with this id, accepted name or synonym; names ignore case.

        Raises
        ------
        DatasetError
            Where there is none; the message holds the nearest name.
        """
        taxon = self._by_id.get(name) or self._by_name.get(name.casefold())
        if taxon is None:
            raise DatasetError(unknown_name("taxon", name, [t.scientific_name for t in self.taxa][:1000]))
        return taxon

    def members(self, rank: Rank, name: str) -> tuple[Taxon, ...]:
        """Return the taxa that belong to the group ``name`` at ``rank``."""
        return tuple(self._members.get((rank, name), ()))

    def names(self, rank: Rank) -> tuple[str, ...]:
        """Return the names that occur at ``rank``, sorted."""
        return tuple(sorted(name for at, name in self._members if at == rank))


def shared_taxon(taxa: Iterable[Taxon]) -> Taxon | None:
    """Return the narrowest taxon that all of these are, or are in; None where there is none, or no taxa.

    Examples
    --------
    >>> wren = Taxon("x", "Troglodytes troglodytes", order="Passeriformes", family="Troglodytidae", genus="Troglodytes")
    >>> tit = Taxon("y", "Parus major", order="Passeriformes", family="Paridae", genus="Parus")
    >>> shared_taxon([wren, tit]).scientific_name
    'Passeriformes'
    """
    distinct = list(dict.fromkeys(taxa))
    if len(distinct) < 2:
        return distinct[0] if distinct else None
    for rank, name in reversed(distinct[0].lineage):
        if all(taxon.name_at(rank) == name for taxon in distinct):
            return group_taxon(rank, name, distinct)
    return None


def group_taxon(rank: Rank, name: str, members: Sequence[Taxon]) -> Taxon:
    """Return a group as a taxon of its own; of the ranks above it has those that all members agree on."""
    above = {}
    for at in RANKS[: RANKS.index(rank)]:
        groups = {member.name_at(at) for member in members}
        above["class_" if at == Rank.CLASS else at.value] = groups.pop() if len(groups) == 1 else None
    return Taxon(taxon_id_of(name), name, None, rank, **above)
