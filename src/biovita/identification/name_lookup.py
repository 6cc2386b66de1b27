"""The candidate, or the known taxon, that a name means: by any of its names, and the nearest where there is none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property

from biovita.archive.archive_tables import Kind
from biovita.identification.evidence import Candidate
from biovita.taxonomy import RANKS, Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.parse import fold
from biovita.taxonomy.spelling import allowed_errors, gender_key, nearest
from biovita.taxonomy.taxon import group_taxon

__all__ = ["NameLookup"]

_BINOMIAL = re.compile(r"^[a-z-]+ [a-z-]+$")
_NEAR_SCORE = 75.0  # of 100: the share of letters that two common names have in common, in order
_MOST_NEAR = 3
_WORDS = {"dog": "canis familiaris"}  # BirdNET's one class of an animal that has no scientific name there

_Group = tuple[Rank, str, list[Taxon]]  # its rank, its name, and the taxa in it


class NameLookup:
    """Finds taxa among candidates, and after them among the taxa that the package knows.

    Case, accents, synonyms and the gender of an epithet do not matter. A common name that several taxa bear finds none.

    Parameters
    ----------
    known
        The candidates that there are.
    """

    def __init__(self, known: Sequence[Candidate]) -> None:
        self._taxa = [candidate.taxon for candidate in known if candidate.kind == Kind.TAXON]
        self._no_taxa = {fold(each.taxon.scientific_name) for each in known if each.kind != Kind.TAXON}

    def scientific(self, name: str) -> Taxon | None:
        """Return the taxon or group of a scientific name without authorship, or of a taxon's id."""
        key = fold(name)
        found = self._by_scientific.get(_WORDS.get(key, key)) or self._group(key)
        if found is not None:
            return found
        meant = known_taxa().find(name)
        if meant is not None and key in self._known_scientific(meant):
            return self._by_scientific.get(fold(meant.scientific_name), meant)
        genus, _, epithet = key.partition(" ")
        alike = [
            other
            for other in self._epithets.get(genus, ())
            if epithet and gender_key(other) == gender_key(epithet)
        ]
        return self._species(f"{genus} {alike[0]}") if len(alike) == 1 else None

    def common(self, name: str) -> Taxon | None:
        """Return the taxon of a common name; None where there is none, or more than one."""
        key = fold(name)
        if key in self._by_common:
            found = self._by_common[key]
            return found[0] if len(found) == 1 else None
        meant = known_taxa().find(name)
        if meant is None or meant.common_name is None or fold(meant.common_name) != key:
            return None
        return self._by_scientific.get(fold(meant.scientific_name), meant)

    def is_no_taxon(self, name: str) -> bool:
        """Say whether a name is that of a candidate that is no taxon: a human voice, or a user's own class."""
        return fold(name) in self._no_taxa

    def is_genus(self, name: str) -> bool:
        """Say whether a name is that of a known genus."""
        return fold(name) in self._epithets

    def misspelt(self, name: str) -> tuple[str, ...]:
        """Return the species that a binomial may be a misspelling of: one word is right, and the other is near."""
        genus, _, epithet = fold(name).partition(" ")
        epithets = nearest(epithet, self._epithets.get(genus, ()), allowed_errors(len(epithet)))
        genera = nearest(genus, self._genera.get(epithet, ()), allowed_errors(len(genus)))
        keys = dict.fromkeys([*(f"{genus} {other}" for other in epithets), *(f"{g} {epithet}" for g in genera)])
        return tuple(taxon.scientific_name for key in keys if (taxon := self._species(key)))[:_MOST_NEAR]

    def near(self, name: str) -> tuple[str, ...]:
        """Return the known names, scientific, common or of groups, that are most like a text; three at most."""
        from rapidfuzz.fuzz import ratio
        from rapidfuzz.process import extract

        found = extract(fold(name), self._spelt.keys(), scorer=ratio, score_cutoff=_NEAR_SCORE, limit=_MOST_NEAR)
        return tuple(dict.fromkeys(self._spelt[key] for key, _, _ in found))

    def _group(self, key: str) -> Taxon | None:
        found = self._groups.get(key)
        return None if found is None else group_taxon(*found)

    def _species(self, key: str) -> Taxon | None:
        found = self._by_scientific.get(key)
        if found is not None:
            return found
        meant = known_taxa().find(key)
        return None if meant is None else self._by_scientific.get(fold(meant.scientific_name), meant)

    @staticmethod
    def _known_scientific(taxon: Taxon) -> set[str]:
        return {fold(name) for name in (taxon.scientific_name, *known_taxa().other_names(taxon))}

    @cached_property
    def _by_scientific(self) -> dict[str, Taxon]:
        known = known_taxa()
        named: dict[str, Taxon] = {}
        for taxon in self._taxa:
            meant = known.find(taxon.scientific_name)
            if meant is not None and meant.rank == taxon.rank:
                for key in self._known_scientific(meant):
                    named.setdefault(key, taxon)
        own = {fold(taxon.id): taxon for taxon in self._taxa}
        return named | own | {fold(taxon.scientific_name): taxon for taxon in self._taxa}

    @cached_property
    def _by_common(self) -> dict[str, list[Taxon]]:
        named: dict[str, list[Taxon]] = defaultdict(list)
        for taxon in self._taxa:
            if taxon.common_name:
                named[fold(taxon.common_name)].append(taxon)
        return dict(named)

    @cached_property
    def _groups(self) -> Mapping[str, _Group]:
        return _known_groups() | _groups_of(self._taxa)

    @cached_property
    def _binomials(self) -> tuple[tuple[str, str], ...]:
        keys = dict.fromkeys(self._all_scientific())
        return tuple((genus, epithet) for genus, _, epithet in (key.partition(" ") for key in keys))

    def _all_scientific(self) -> Iterator[str]:
        known = known_taxa().taxonomy
        names = (*(taxon.scientific_name for taxon in (*self._taxa, *known.taxa)), *known.synonyms)
        return (key for key in map(fold, names) if _BINOMIAL.match(key))

    @cached_property
    def _epithets(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for genus, epithet in self._binomials:
            found[genus].append(epithet)
        return dict(found)

    @cached_property
    def _genera(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for genus, epithet in self._binomials:
            found[epithet].append(genus)
        return dict(found)

    @cached_property
    def _spelt(self) -> dict[str, str]:
        """By folded name, the name as it is written, of all taxa and groups."""
        taxa = (*self._taxa, *known_taxa().taxonomy.taxa)
        names = [taxon.scientific_name for taxon in taxa] + [t.common_name for t in taxa if t.common_name]
        return {fold(name): name for name in [*(name for _, name, _ in self._groups.values()), *names]}


def _groups_of(taxa: Sequence[Taxon]) -> dict[str, _Group]:
    """Return the groups that taxa lie in with their members, by folded name; of two of one name the narrower."""
    members: dict[tuple[Rank, str], list[Taxon]] = defaultdict(list)
    for taxon in taxa:
        for rank, name in taxon.lineage:
            if rank != taxon.rank:
                members[rank, name].append(taxon)
    ordered = sorted(members, key=lambda group: RANKS.index(group[0]))
    return {fold(name): (rank, name, members[rank, name]) for rank, name in ordered}


@cache
def _known_groups() -> dict[str, _Group]:
    return _groups_of(known_taxa().taxonomy.taxa)
