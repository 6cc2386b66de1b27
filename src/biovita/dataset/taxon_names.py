"""The taxa of a dataset that a list of names means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from biovita.dataset.dataset import Dataset
from biovita.dataset.held_out import other_names
from biovita.errors import DatasetError
from biovita.taxonomy import Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.name_lists import names_listed
from biovita.taxonomy.parse import fold, parse_name

__all__ = ["NamedTaxa", "correct_names", "named_taxa"]

_NEAR = 0.85  # of `difflib`: one wrong letter in seven


@dataclass(frozen=True, slots=True)
class NamedTaxa:
    """What names mean in a dataset.

    Attributes
    ----------
    taxa
        The taxa of the dataset, by the name that was given.
    missing
        The names that it has no taxon for, and the name of it that each may be a misspelling of; None where none is
        near, or the packaged table has the name.
    """

    taxa: Mapping[str, Taxon]
    missing: Mapping[str, str | None]


def named_taxa(dataset: Dataset, names: Iterable[str]) -> NamedTaxa:
    """Return the taxa of a dataset that names mean: scientific names, its synonyms or the packaged ones, common names.

    Case does not matter, nor does an author after a scientific name.

    Raises
    ------
    DatasetError
        Where a common name is that of several taxa.
    """
    exact, common = _index(dataset)
    found: dict[str, Taxon] = {}
    missing: dict[str, str | None] = {}
    for name in names:
        canonical = parse_name(name).canonical or name
        known = known_taxa().find(name) or known_taxa().find(canonical)
        keys = [fold(name), fold(canonical), *([_key_of(known)] if known else [])]
        meant = [exact[key] for key in keys if key in exact][:1] or common.get(fold(name), [])
        if len(meant) > 1:
            several = ", ".join(taxon.scientific_name for taxon in meant[:5])
            raise DatasetError(f"{name} is the name of {len(meant)} taxa: {several}. Write the scientific name")
        if meant:
            found[name] = meant[0]
        else:
            missing[name] = None if known else _nearest(name, dataset)
    return NamedTaxa(found, missing)


def correct_names(dataset: Dataset, file: Path) -> NamedTaxa:
    """Return what the names in a list mean, none of which looks like a name of the dataset that is misspelt.

    Raises
    ------
    DatasetError
        Where one does, or means several taxa, or the list cannot be read.
    """
    listed = named_taxa(dataset, names_listed(file))
    odd = [f"{name} (is it {near}?)" for name, near in listed.missing.items() if near]
    if odd:
        more = f" and {len(odd) - 20:,} more" if len(odd) > 20 else ""
        raise DatasetError(
            f"{file}: {len(odd):,} names are not in the dataset and look misspelt: {', '.join(odd[:20])}{more}. "
            "Correct them, or take them out"
        )
    return listed


def _index(dataset: Dataset) -> tuple[dict[str, Taxon], dict[str, list[Taxon]]]:
    """Return the taxa by scientific name, id, synonym and packaged taxon, and by common name."""
    taxa = tuple(dataset.taxonomy.values())
    synonyms = other_names(dataset, taxa)
    exact = {fold(taxon.scientific_name): taxon for taxon in taxa}
    common: dict[str, list[Taxon]] = defaultdict(list)
    for taxon in taxa:
        for name in (taxon.id, *synonyms[taxon.id]):
            exact.setdefault(fold(name), taxon)
        if known := known_taxa().find(taxon.scientific_name):
            exact.setdefault(_key_of(known), taxon)
        if taxon.common_name:
            common[fold(taxon.common_name)].append(taxon)
    return exact, dict(common)


def _key_of(known: Taxon) -> str:
    return f"packaged taxon {known.id}"


def _nearest(name: str, dataset: Dataset) -> str | None:
    own = [(taxon.scientific_name, taxon.common_name) for taxon in dataset.taxonomy.values()]
    names = {fold(each): each for pair in own for each in pair if each}
    near = get_close_matches(fold(name), names, 1, _NEAR)
    return names[near[0]] if near else None
