"""A list of taxa to choose from: its names brought to taxa, and those that are not known, with the nearest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from biovita.errors import DatasetError
from biovita.identification.evidence import Candidate
from biovita.identification.listed_names import ListedName, listed_names
from biovita.identification.name_lookup import NameLookup
from biovita.taxonomy import RANKS, Rank, Taxon, taxon_id_of
from biovita.taxonomy.parse import NameKind, ParsedName, fold, parse_name

__all__ = ["TaxaList", "UnknownName", "read_taxa_list"]

_BINOMIAL = re.compile(r"^[A-Z][a-z]+(?:-[a-z]+)? [a-z]+(?:-[a-z]+)*$")
_SHOWN = 10
_UNKNOWN = "unknown"
_NO_TAXON = {
    NameKind.HYBRID: "hybrid",
    NameKind.UNDETERMINED: "undetermined",
    NameKind.QUALIFIED: "qualified",
}


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name of a list that means no taxon.

    Attributes
    ----------
    line
        Where it stands in the list.
    reason
        ``unknown``; or why it is no single taxon: ``hybrid``, ``undetermined``, ``qualified``.
    nearest
        Known names that are like it.
    """

    name: str
    line: int
    reason: str
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        hint = f" (nearest: {', '.join(self.nearest)})" if self.nearest else ""
        what = "" if self.reason == _UNKNOWN else f" is {self.reason}"
        return f"line {self.line}: {self.name!r}{what}{hint}"


@dataclass(frozen=True)
class TaxaList:
    """The taxa of a list.

    Attributes
    ----------
    source
        The file or dataset.
    taxa
        Without repetition, in the list's order; a genus or family stands for all that is below it.
    by_name_alone
        Ids of those that no candidate is of, and nothing is known of but their names.
    unknown
        Names that mean no taxon.
    no_taxa
        Names of candidates that are no taxa, as BirdNET's own list has them. They are kept whatever a list has.
    entries
        How many the list has.
    """

    source: str
    taxa: tuple[Taxon, ...]
    by_name_alone: frozenset[str]
    unknown: tuple[UnknownName, ...]
    no_taxa: tuple[str, ...]
    entries: int


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The taxa that an entry means, and whether they are known by their names alone."""

    taxa: tuple[Taxon, ...]
    is_new: bool = False


def read_taxa_list(path: str | Path, known: Sequence[Candidate], *, strict: bool = False) -> TaxaList:
    """Return the taxa of a list, as `listed_names` reads it.

    A scientific name is looked up first, without its authorship and with its synonyms, then the common name. A
    subspecies counts as its species. A scientific name that is not known becomes a taxon by its name alone, unless it
    is near a known one, which makes it a misspelling; a list that places it in a family or order is believed. A group
    stands for all that is below it. In a table that states ranks, a group of which species are listed is a heading.

    Parameters
    ----------
    known
        The candidates that there are.
    strict
        Whether a name that means no taxon is an error.

    Raises
    ------
    DatasetError
        Where the list cannot be read, none of its names is known, or, under ``strict``, one of them is not.
    """
    entries = listed_names(path)
    lookup = NameLookup(known)
    found: dict[str, Taxon] = {}
    heads: dict[str, Taxon] = {}
    alone: set[str] = set()
    refused: list[UnknownName] = []
    no_taxa: list[str] = []
    for entry in entries:
        if lookup.is_no_taxon(entry.text):
            no_taxa.append(entry.text)
            continue
        meaning = _meaning(entry, lookup)
        if isinstance(meaning, UnknownName):
            refused.append(meaning)
            continue
        for taxon in meaning.taxa:
            is_heading = entry.rank is not None and taxon.rank != Rank.SPECIES
            (heads if is_heading else found).setdefault(taxon.id, taxon)
            if meaning.is_new:
                alone.add(taxon.id)
    above = {fold(name) for taxon in found.values() for _, name in taxon.lineage}
    found |= {id_: head for id_, head in heads.items() if fold(head.scientific_name) not in above}
    unknown = [_with_nearest(name, lookup) for name in refused if fold(name.name) not in above]
    if unknown and (strict or not found):
        raise DatasetError(_unknown_message(path, unknown, len(entries), strict=strict and bool(found)))
    taxa = tuple(found.values())
    return TaxaList(str(path), taxa, frozenset(alone), tuple(unknown), tuple(no_taxa), len(entries))


def _with_nearest(name: UnknownName, lookup: NameLookup) -> UnknownName:
    return name if name.nearest or name.reason != _UNKNOWN else replace(name, nearest=lookup.near(name.name))


def _unknown_message(path: str | Path, unknown: Sequence[UnknownName], entries: int, *, strict: bool) -> str:
    some = "; ".join(map(str, unknown[:_SHOWN]))
    more = f"; and {len(unknown) - _SHOWN:,} more" if len(unknown) > _SHOWN else ""
    what = f"{len(unknown):,} of {entries:,} names mean no known taxon" if strict else "none of its names is known"
    mend = (
        " Mend them, or leave --strict out to go on without them" if strict else " Give scientific or common names"
    )
    return f"{path}: {what}: {some}{more}.{mend}"


def _meaning(entry: ListedName, lookup: NameLookup) -> _Meaning | UnknownName:
    scientific = list(filter(None, (entry.scientific, entry.either)))
    for name in scientific:
        if (taxon := lookup.scientific(name)) is not None:
            return _Meaning((taxon,))
    parsed = [parse_name(name) for name in scientific]
    for each in parsed:
        if taxa := _of_parsed(each, lookup):
            return _Meaning(taxa)
    for name in filter(None, (entry.common, entry.either)):
        if (taxon := lookup.common(name)) is not None:
            return _Meaning((taxon,))
    refused = next((_NO_TAXON[each.kind] for each in parsed if each.kind in _NO_TAXON), None)
    if refused is not None:
        return UnknownName(entry.text, entry.line, refused)
    new = _by_name_alone(entry, parsed[0], lookup) if parsed else ()
    if isinstance(new, Taxon):
        return _Meaning((new,), is_new=True)
    return UnknownName(entry.text, entry.line, _UNKNOWN, new)


def _of_parsed(parsed: ParsedName, lookup: NameLookup) -> tuple[Taxon, ...]:
    if parsed.kind == NameKind.PAIR:
        return tuple(taxon for part in parsed.parts if (taxon := lookup.scientific(part)) is not None)
    if parsed.kind != NameKind.SCIENTIFIC or parsed.canonical is None:
        return ()
    name = f"{parsed.genus} {parsed.epithet}" if parsed.epithet else parsed.canonical
    taxon = lookup.scientific(name)
    return () if taxon is None or (parsed.epithet is None and taxon.rank == Rank.SPECIES) else (taxon,)


def _by_name_alone(entry: ListedName, parsed: ParsedName, lookup: NameLookup) -> Taxon | tuple[str, ...]:
    """Return a taxon of which nothing but the name is known, or the names that it may be a misspelling of."""
    if parsed.kind != NameKind.SCIENTIFIC or parsed.epithet is None or parsed.genus is None:
        return ()
    name = f"{parsed.genus} {parsed.epithet}"
    if not _BINOMIAL.match(name) or not (entry.scientific or lookup.is_genus(parsed.genus)):
        return ()
    is_placed = "family" in entry.lineage or "order" in entry.lineage
    if not is_placed and (near := lookup.misspelt(name)):
        return near
    relative = lookup.scientific(parsed.genus)
    above = {} if relative is None or relative.rank != Rank.GENUS else dict(relative.lineage)
    above |= {Rank(rank): group for rank, group in entry.lineage.items()}
    kingdom, phylum, class_, order, family = (above.get(rank) for rank in RANKS[:5])
    head = (taxon_id_of(name), name, entry.common, Rank.SPECIES)
    return Taxon(*head, kingdom, phylum, class_, order, family, parsed.genus)
