"""Which taxa are, contain or lie within others, whatever names they go by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon import Rank, Taxon

__all__ = ["overlaps", "senses"]

_Place = tuple[Rank, str]


def senses(taxon: Taxon, names: Iterable[str] = ()) -> tuple[Taxon, ...]:
    """Return a taxon under each of its scientific names, and the packaged taxa that any of its names means.

    Parameters
    ----------
    names
        Other scientific names of the taxon, with or without authorship.
    """
    known = known_taxa()
    found = {taxon: None}
    for name in (taxon.scientific_name, *names):
        found[replace(taxon, scientific_name=name, genus=_genus(taxon))] = None
        words = name.split()
        meant = known.find(name) or (known.find(" ".join(words[:2])) if len(words) > 2 else None)
        found |= {} if meant is None else {meant: None}
    meant = known.find(taxon.common_name) if taxon.common_name else None
    return tuple(found | ({} if meant is None else {meant: None}))


def overlaps(groups: Sequence[Iterable[Taxon]], others: Iterable[Iterable[Taxon]]) -> list[frozenset[int]]:
    """Return, for each of ``others``, the places of the groups that have a taxon in common with it.

    Two taxa have something in common where they are the same, or one lies within the other: an unseen *Junco hyemalis*
    with a class of the genus *Junco*, and the genus with a class of the species.

    Parameters
    ----------
    groups, others
        The `senses` of a taxon, or the taxa that a class may show; names ignore case.
    """
    bearing: dict[_Place, set[int]] = defaultdict(set)
    within: dict[_Place, set[int]] = defaultdict(set)
    for number, taxa in enumerate(groups):
        for taxon in taxa:
            bearing[_own(taxon)].add(number)
            for place in _lineage(taxon):
                within[place].add(number)
    found = []
    for taxa in others:
        shared: set[int] = set()
        for taxon in taxa:
            shared |= within.get(_own(taxon), set())
            shared = shared.union(*(bearing.get(place, ()) for place in _lineage(taxon)))
        found.append(frozenset(shared))
    return found


def _own(taxon: Taxon) -> _Place:
    return taxon.rank, fold(taxon.scientific_name)


def _lineage(taxon: Taxon) -> Iterator[_Place]:
    for rank, name in taxon.lineage:
        yield rank, fold(name)
    if taxon.genus is None and (genus := _genus(taxon)):
        yield Rank.GENUS, fold(genus)


def _genus(taxon: Taxon) -> str | None:
    return taxon.scientific_name.split()[0] if taxon.genus is None and taxon.rank == Rank.SPECIES else taxon.genus
