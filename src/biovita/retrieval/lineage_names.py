"""The names that a label counts under: its taxon, and each group above it."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from biovita.errors import DatasetError
from biovita.taxonomy import RANKS, Rank, Taxon, Taxonomy
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.parse import fold

__all__ = ["archive_taxa", "book_of_taxa", "lineage_names"]


def archive_taxa(table: pa.Table) -> tuple[Taxon, ...]:
    """Return the taxa of an archive, of the rows of `biovita.archive.archive_tables.NAMED_TAXA`.

    Raises
    ------
    DatasetError
        Where a rank is none.
    """
    for rank in table["rank"].unique().to_pylist():
        if rank not in set(Rank):
            raise DatasetError(f"taxa.parquet: the rank {rank!r} is none. It has to be one of {', '.join(Rank)}")
    ranks = [rank for rank in RANKS if rank != Rank.SPECIES]
    columns = [table[name].to_pylist() for name in ("taxon_id", "scientific_name", "common_name", "rank")]
    above = [table[rank.value].to_pylist() for rank in ranks]
    names = ["class_" if rank == Rank.CLASS else rank.value for rank in ranks]
    return tuple(
        Taxon(taxon_id, name, common, Rank(rank), **dict(zip(names, groups, strict=True)))
        for taxon_id, name, common, rank, *groups in zip(*columns, *above, strict=True)
    )


def book_of_taxa(table: pa.Table) -> KnownTaxa:
    """Return the taxa of an archive with the trait labels that it knows of each."""
    labels = {}
    columns = (table[name].to_pylist() for name in ("taxon_id", "labels_true", "labels_false"))
    for taxon_id, true, false in zip(*columns, strict=True):
        labels[taxon_id] = {**dict.fromkeys(true, True), **dict.fromkeys(false, False)}
    return KnownTaxa(Taxonomy(archive_taxa(table)), labels)


def lineage_names(names: set[str], taxa: pa.Table) -> Mapping[str, tuple[str, ...]]:
    """Return for scientific names what each counts under, folded: the name, and the groups above where one is known.

    Parameters
    ----------
    names
        Scientific names of taxa and groups.
    taxa
        What the archive knows; the package's own taxa come after it.
    """
    species: dict[str, Taxon] = {}
    groups: dict[str, tuple[Taxon, Rank]] = {}
    for taxon in archive_taxa(taxa):
        species.setdefault(fold(taxon.scientific_name), taxon)
        for rank, name in taxon.lineage:
            groups.setdefault(fold(name), (taxon, rank))
    return {name: _counts_under(name, species, groups) for name in names}


def _counts_under(
    name: str, species: Mapping[str, Taxon], groups: Mapping[str, tuple[Taxon, Rank]]
) -> tuple[str, ...]:
    key = fold(name)
    taxon = species.get(key)
    if taxon is None and key in groups:
        member, at = groups[key]
        return tuple(fold(group) for rank, group in member.lineage if RANKS.index(rank) <= RANKS.index(at))
    if taxon is None:
        taxon = known_taxa().find(name)
    found = [key] if taxon is None else [key, *(fold(group) for _, group in taxon.lineage)]
    return tuple(dict.fromkeys(found))
