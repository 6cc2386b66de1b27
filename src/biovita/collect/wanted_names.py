"""Which of the sources' names the plan wants, and the species that each stands for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.collect.plan import Taxa
from biovita.csv_table import open_csv, sound_rows
from biovita.files import require_file
from biovita.sources.lineage import cleaned_note
from biovita.taxonomy import Rank, Taxon, taxon_id_of
from biovita.taxonomy.name_lists import names_of_lines

__all__ = ["NameChoice", "choose_names", "read_checklist_names"]

_LINEAGE = (Rank.KINGDOM, Rank.PHYLUM, Rank.CLASS, Rank.ORDER, Rank.FAMILY, Rank.GENUS)
_PLAIN = re.compile(r"^[A-Z][a-z]+(-[a-z]+)? [a-z]+(-[a-z]+)*$")


@dataclass(frozen=True)
class NameChoice:
    """What became of the names.

    Attributes
    ----------
    taxa
        The species that the plan wants and a source names, sorted by scientific name.
    meaning
        From (number of the source, name key) to the number of the taxon in ``taxa``.
    refused
        From (number of the source, name key) to the reason why it is not used.
    decisions
        How names were matched to the backbone; None where the plan names none.
    missing
        Names listed in the plan that no source has.
    notes
        Which clades no species is placed in, how many names are placed nowhere, and which names were cleaned.
    """

    taxa: tuple[Taxon, ...]
    meaning: Mapping[tuple[int, int], int]
    refused: Mapping[tuple[int, int], str]
    decisions: pa.Table | None
    missing: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose_names(names: Sequence[pa.Table], wanted: Taxa) -> NameChoice:
    """Return the species that the plan wants among the names of each source.

    Without a backbone, a name that sources place in different kingdoms or classes is refused as a homonym.

    Parameters
    ----------
    names
        A table a source: ``name_key`` and `biovita.sources.NAME_COLUMNS`.
    """
    asked = [*wanted.species, *(read_checklist_names(wanted.checklist) if wanted.checklist else ())]
    listed = {name.casefold(): name for name in asked}
    clades = {name.casefold() for name in wanted.clades}
    cleaned: dict[str, str] = {}
    if wanted.backbone is not None:
        species, reasons, decisions, accepted = _matched(names, wanted, list(listed.values()))
        listed |= {name.casefold(): given for given, name in accepted.items()}
    else:
        species, reasons, decisions = _as_given(names, cleaned)
    merged, homonyms = _merged(species)
    taxa = sorted(
        (
            taxon
            for taxon in merged.values()
            if not (asked or clades) or taxon.scientific_name.casefold() in listed or clades & _groups(taxon)
        ),
        key=lambda taxon: (taxon.scientific_name, taxon.id),
    )
    number = {taxon.id: at for at, taxon in enumerate(taxa)}
    found = {listed.get(taxon.scientific_name.casefold()) for taxon in taxa}
    refused = {
        key: "name-homonym" if taxon.id in homonyms else "other-taxon"
        for key, taxon in species
        if taxon.id not in number
    }
    return NameChoice(
        tuple(taxa),
        {key: number[taxon.id] for key, taxon in species if taxon.id in number},
        {**reasons, **refused},
        decisions,
        tuple(name for name in dict.fromkeys(asked) if name not in found and listed[name.casefold()] not in found),
        (*_clade_notes(species, wanted), *cleaned_note(cleaned)),
    )


def _clade_notes(species: Named, wanted: Taxa) -> Iterator[str]:
    """Give the clades that no species of the sources is placed in, and what to do where sources place names nowhere."""
    if not wanted.clades or not species:
        return
    taxa = {taxon.scientific_name: taxon for _, taxon in species}.values()
    groups = {name.casefold(): name for taxon in taxa for _, name in taxon.lineage}
    unknown = [name for name in wanted.clades if name.casefold() not in groups]
    if unknown:
        near = get_close_matches(unknown[0].casefold(), groups, n=1, cutoff=0.8)
        there = f" (there is {groups[near[0]]})" if near else ""
        yield f"taxa.clades: no species of the sources is placed in {', '.join(unknown)}{there}"
    unplaced = [taxon.scientific_name for taxon in taxa if not _is_placed(taxon)]
    if unplaced and wanted.backbone is None:
        from biovita.taxonomy.backbone_files import WHERE_TO_GET_ONE

        yield (
            f"taxa.clades: the sources state no rank above the genus for {len(unplaced):,} of {len(taxa):,} species, "
            f"such as {min(unplaced)}, so that the clades {', '.join(wanted.clades)} do not hold them. Add a column "
            f"class, order or family, or give taxa.backbone: {WHERE_TO_GET_ONE}"
        )


def _is_placed(taxon: Taxon) -> bool:
    return any(rank not in {Rank.GENUS, Rank.SPECIES} for rank, _ in taxon.lineage)


def read_checklist_names(path: Path) -> list[str]:
    """Return the names of a checklist: a line each, or the column ``scientific_name`` of a CSV file or a workbook."""
    require_file(path, "Give taxa.checklist a text file with a name a line, or a CSV file")
    if path.suffix.lower() not in {".csv", ".xlsx"}:
        return names_of_lines(path)
    rows = sound_rows(open_csv(path, ("scientific_name",), ("scientific_name",), short_rows=True))
    return [name for row in rows if (name := row.values["scientific_name"])]


def _rows(names: Sequence[pa.Table]) -> Iterator[tuple[int, dict[str, Any]]]:
    for source, table in enumerate(names):
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                yield source, row


def _groups(taxon: Taxon) -> set[str]:
    return {name.casefold() for _, name in taxon.lineage}


Named = list[tuple[tuple[int, int], Taxon]]
Reasons = dict[tuple[int, int], str]


def _as_given(names: Sequence[pa.Table], cleaned: dict[str, str]) -> tuple[Named, Reasons, None]:
    """Return species by their names without authorship; a subspecies counts as its species.

    Names that are written otherwise are added to ``cleaned``.
    """
    from biovita.taxonomy.parse import NameKind, parse_name

    species: Named = []
    reasons: Reasons = {}
    for source, row in _rows(names):
        key, name = (source, row["name_key"]), row["name"]
        if not _PLAIN.match(name):
            parsed = parse_name(name)
            if parsed.kind != NameKind.SCIENTIFIC or parsed.epithet is None:
                reasons[key] = (
                    f"name-{parsed.kind.value}" if parsed.kind != NameKind.SCIENTIFIC else "not-a-species"
                )
                continue
            name = f"{parsed.genus} {parsed.epithet}"
            cleaned[row["name"]] = name
        taxon = Taxon(
            taxon_id_of(name),
            name,
            row["vernacular"],
            kingdom=_shared(row["kingdom"]),
            phylum=_shared(row["phylum"]),
            class_=_shared(row["class"]),
            order=_shared(row["order"]),
            family=_shared(row["family"]),
            genus=_shared(row["genus"] or name.split()[0]),
        )
        species.append((key, taxon))
    return species, reasons, None


def _shared(name: str | None) -> str | None:
    """Return the same string object for the same name: a family's is held by thousands of taxa."""
    return None if name is None else sys.intern(name)


def _matched(
    names: Sequence[pa.Table], wanted: Taxa, listed: Sequence[str]
) -> tuple[Named, Reasons, pa.Table, dict[str, str]]:
    """Return the backbone's species, with the sources' common names where the backbone has none.

    The last value is what the names listed in the plan are called there.
    """
    from biovita.taxonomy.backbone_files import open_backbone
    from biovita.taxonomy.match import match_names
    from biovita.taxonomy.overrides import read_overrides

    assert wanted.backbone is not None
    backbone = open_backbone(wanted.backbone)
    overrides = read_overrides(wanted.overrides, backbone) if wanted.overrides is not None else None
    rows = list(_rows(names))
    columns = ("name", "kingdom", "class", "order", "family")
    given = pa.table({name: pa.array([row[name] for _, row in rows], pa.string()) for name in columns})
    decisions = match_names(given, backbone, overrides)
    found = decisions.select(["species_id", "reason"]).to_pylist()
    taxa = backbone.taxa({each["species_id"] for each in found if each["species_id"]})
    species: Named = []
    reasons: Reasons = {}
    for (source, row), each in zip(rows, found, strict=True):
        taxon = taxa.get(each["species_id"])
        if taxon is None:
            reasons[source, row["name_key"]] = f"name-{each['reason']}" if each["reason"] else "not-a-species"
        else:
            common = taxon.common_name or row["vernacular"]
            species.append(((source, row["name_key"]), replace(taxon, common_name=common)))
    asked = match_names(pa.table({"name": pa.array(listed, pa.string())}), backbone, overrides)
    accepted = dict(zip(listed, asked["species_name"].to_pylist(), strict=True))
    return species, reasons, decisions, {name: other for name, other in accepted.items() if other}


def _merged(species: Named) -> tuple[dict[str, Taxon], set[str]]:
    """Return one taxon an id, and the ids of homonyms.

    What the first name of a taxon does not know, a later one may add; names of one id that are placed in different
    kingdoms or classes are homonyms, and no taxon.
    """
    merged: dict[str, Taxon] = {}
    homonyms: set[str] = set()
    for _, taxon in species:
        known = merged.get(taxon.id)
        if known is None:
            merged[taxon.id] = taxon
            continue
        if _contradict(known.kingdom, taxon.kingdom) or _contradict(known.class_, taxon.class_):
            homonyms.add(taxon.id)
            continue
        fields = ("common_name", "kingdom", "phylum", "class_", "order", "family", "genus")
        missing = {name: getattr(taxon, name) for name in fields if getattr(known, name) is None}
        if any(missing.values()):
            merged[taxon.id] = replace(known, **missing)
    return {id_: taxon for id_, taxon in merged.items() if id_ not in homonyms}, homonyms


def _contradict(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() != other.casefold()
