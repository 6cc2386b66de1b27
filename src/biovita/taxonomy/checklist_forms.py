"""What form a checklist is in, by its first line: Darwin Core, ColDP or GBIF's simple table.

Sources: the terms of Darwin Core (TDWG); the Catalogue of Life Data Package (NameUsage); the columns of GBIF's
``simple.txt.gz``, which has no header (``simple-ddl.sql`` beside it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from biovita.csv_records import split_header
from biovita.errors import DatasetError
from biovita.taxonomy.backbone import LINEAGE

__all__ = ["NAMING", "PARENT", "STATUS", "ChecklistForm", "ListKind", "form_of", "plain_term"]

NAMING = ("scientificName", "scientificNameAuthorship", "canonicalName")
STATUS, PARENT = "taxonomicStatus", "parentNameUsageID"
_TERMS = (*("taxonID", "id", "acceptedNameUsageID", PARENT, STATUS, "taxonRank"), *NAMING, *LINEAGE)
_COLDP = {
    "ID": "taxonID",
    "parentID": PARENT,
    "status": STATUS,
    "rank": "taxonRank",
    "scientificName": "scientificName",
    "authorship": "scientificNameAuthorship",
    **{rank: rank for rank in LINEAGE},
}
_SIMPLE = (
    *(
        "taxonID",
        PARENT,
        "basionym_key",
        "is_synonym",
        STATUS,
        "taxonRank",
        "nom_status",
        "constituent_key",
        "origin",
    ),
    *("source_taxon_key", "kingdom_key", "phylum_key", "class_key", "order_key", "family_key", "genus_key"),
    *("species_key", "name_id", "scientificName", "canonicalName", "genus_or_above", "specific_epithet"),
    *("infra_specific_epithet", "notho_type", "authorship", "year", "bracket_authorship", "bracket_year"),
    *("name_published_in", "issues"),
)


class ListKind(StrEnum):
    """The forms that checklists come in."""

    DARWIN_CORE = "Darwin Core checklist"
    COLDP = "Catalogue of Life data package (ColDP)"
    GBIF_SIMPLE = "GBIF backbone, simple table"
    BIRDS = "eBird or Clements checklist"
    TAXA = "table of taxa (Parquet)"


@dataclass(frozen=True)
class ChecklistForm:
    """How the table of a checklist is written.

    Attributes
    ----------
    header
        The names of its columns, in order.
    terms
        From a term of Darwin Core to the column that holds it.
    skip
        Lines before the first row.
    null
        What stands for nothing, beside nothing.
    """

    kind: ListKind
    header: tuple[str, ...]
    terms: Mapping[str, str]
    delimiter: str
    skip: int = 1
    null: str = ""

    @property
    def synonyms_by_parent(self) -> bool:
        """Whether the parent of a synonym is its accepted name."""
        return self.kind is not ListKind.DARWIN_CORE


def plain_term(name: str) -> str:
    """Return a column's name without a prefix or the address of a vocabulary.

    Examples
    --------
    >>> plain_term("dwc:taxonID"), plain_term("http://rs.tdwg.org/dwc/terms/taxonID")
    ('taxonID', 'taxonID')
    """
    return name.rsplit(":", 1)[-1].rsplit("/", 1)[-1]


def form_of(line: str | None, where: str) -> ChecklistForm:
    """Return the form of a checklist by its first line; None is a line that is too long.

    Raises
    ------
    DatasetError
        Where it is none of them, with the columns that are missing.
    """
    if line is not None and len(cells := line.split("\t")) == len(_SIMPLE) and cells[0].isdigit():
        return ChecklistForm(ListKind.GBIF_SIMPLE, _SIMPLE, _named(_SIMPLE, _TERMS), "\t", 0, r"\N")
    delimiter, header = split_header(line, where, "\t" if line is not None and "\t" in line else ",;|", _TERMS)
    plain = {plain_term(name): name for name in header}
    if {"ID", "status", "rank", "scientificName"} <= set(plain):
        terms = {term: plain[name] for name, term in _COLDP.items() if name in plain}
        form = ChecklistForm(ListKind.COLDP, tuple(header), terms, delimiter)
    else:
        missing = [term for term in ("scientificName", "taxonRank") if term not in plain]
        if not {"taxonID", "id"} & set(plain):
            missing.append("taxonID")
        if missing:
            raise DatasetError(
                f"{where}: lacks the column(s) {', '.join(missing)}; it has {', '.join(header)[:300]}{_advice(plain)}"
            )
        if "canonicalName" in plain:
            plain.pop("scientificNameAuthorship", None)
        form = ChecklistForm(ListKind.DARWIN_CORE, tuple(header), _named(plain, _TERMS), delimiter)
    for name in form.terms.values():
        if header.count(name) > 1:
            raise DatasetError(f"{where}, line 1: the column {name!r} occurs {header.count(name)} times")
    return form


def _named(plain: Mapping[str, str] | tuple[str, ...], terms: tuple[str, ...]) -> dict[str, str]:
    columns = plain if isinstance(plain, Mapping) else {name: name for name in plain}
    return {term: columns[term] for term in terms if term in columns}


def _advice(plain: Mapping[str, str]) -> str:
    """Return what to do about tables that people take for a checklist."""
    if "nameID" in plain:
        return ". Its names are in a table of their own: download the data package that has NameUsage.tsv"
    if {"occurrenceID", "basisOfRecord", "gbifID"} & set(plain):
        return ". These are records of animals, not a list of taxa: they are a source of a plan (docs/build.md)"
    if "vernacularName" in plain:
        return ". These are common names alone: give the archive or folder that they came in"
    return ". docs/backbone.md says which files can be read, and where to get them"
