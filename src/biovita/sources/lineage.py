"""One taxon of many rows: what most of them say, and a word on each that says something else."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from biovita.taxonomy import Rank, Taxon, taxon_id_of
from biovita.taxonomy.characters import without_unseen

__all__ = ["LINEAGE_FIELDS", "NamedRow", "cleaned_note", "merge_taxa"]

LINEAGE_FIELDS = ("common_name", "kingdom", "phylum", "class", "order", "family", "genus")
_TOLD = 10  # of the values that are not kept
_BINOMIAL = re.compile(r"[A-Z][a-z-]+( [a-z-]+){1,2}")


@dataclass(frozen=True, slots=True)
class NamedRow:
    """The name and lineage a row gives, where the row is (``audio.csv line 7``), and the name before it was cleaned."""

    where: str
    scientific_name: str
    lineage: Mapping[str, str]
    given: str = ""


def merge_taxa(rows: Iterable[NamedRow]) -> tuple[tuple[Taxon, ...], tuple[str, ...]]:
    """Return a taxon for each id among the rows, sorted by id, and what was decided on the way.

    Where rows of one taxon disagree, what most of them say is kept, of equally many what comes first; an empty
    cell says nothing. A genus that no row gives is the first word of a name of two or three words. Names that were
    cleaned are counted and shown.
    """
    by_id: dict[str, list[NamedRow]] = defaultdict(list)
    cleaned: dict[str, str] = {}
    for row in rows:
        if row.given and " ".join(row.given.split()) != row.scientific_name:
            cleaned.setdefault(row.given, f"{row.scientific_name} ({row.where})")
        by_id[taxon_id_of(row.scientific_name)].append(row)
    taxa: list[Taxon] = []
    notes: list[str] = []
    genera = 0
    for taxon_id in sorted(by_id):
        mine = by_id[taxon_id]
        spelt = [(row.where, row.scientific_name) for row in mine]
        name = _settle("scientific_name", spelt, taxon_id, notes) or mine[0].scientific_name
        found = {
            field: _settle(field, [(r.where, _value(r, field)) for r in mine if field in r.lineage], name, notes)
            for field in LINEAGE_FIELDS
        }
        if found["genus"] is None and _BINOMIAL.fullmatch(name):
            found["genus"] = name.split()[0]
            genera += 1
        taxa.append(_taxon(taxon_id, name, found))
    if genera:
        notes.append(f"genus: taken from the scientific name for {genera} taxa, which have none in any row")
    return tuple(taxa), (*cleaned_note(cleaned), *notes)


def _value(row: NamedRow, field: str) -> str:
    given = row.lineage[field]
    return given if field == "common_name" else without_unseen(given)


def cleaned_note(names: Mapping[str, str]) -> tuple[str, ...]:
    """Return what a report says of names that were cleaned: by the name as given, what became of it, in words."""
    if not names:
        return ()
    shown = [f"{given!r} is {became}" for given, became in islice(names.items(), _TOLD)]
    more = f"; {len(names) - _TOLD:,} others" if len(names) > _TOLD else ""
    were = "1 name was cleaned" if len(names) == 1 else f"{len(names):,} names were cleaned"
    return (f"{were}: {'; '.join(shown)}{more}",)


def _settle(field: str, said: list[tuple[str, str]], name: str, notes: list[str]) -> str | None:
    counts = Counter(value for _, value in said)
    if not counts:
        return None
    kept, _ = counts.most_common(1)[0]  # of equally many, the one met first
    others = [value for value in counts if value != kept]
    if others:
        first: dict[str, str] = {}
        for where, value in said:
            first.setdefault(value, where)
        found = ", ".join(f"{value} in {counts[value]} ({first[value]})" for value in others[:_TOLD])
        if len(others) > _TOLD:
            found += f", {len(others) - _TOLD} others"
        notes.append(f"{name}: {field} is {kept} in {counts[kept]} rows, {found}; {kept} is kept")
    return kept


def _taxon(taxon_id: str, name: str, found: Mapping[str, str | None]) -> Taxon:
    # A name of one word that is also the name of a group above is that group, identified no further.
    above = [Rank(field) for field in LINEAGE_FIELDS[1:] if found[field] == name] if " " not in name else []
    return Taxon(
        id=taxon_id,
        scientific_name=name,
        common_name=found["common_name"],
        rank=above[-1] if above else Rank.SPECIES,
        kingdom=found["kingdom"],
        phylum=found["phylum"],
        class_=found["class"],
        order=found["order"],
        family=found["family"],
        genus=found["genus"],
    )
