"""Taxa that training must not meet, beside those that the dataset holds out: given by a list of names or a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.compute as pc

from biovita.dataset import Dataset, Split
from biovita.dataset.held_out import other_names, unseen_taxa
from biovita.dataset.taxon_names import correct_names
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.taxonomy import RANKS, Rank, Taxon, taxon_id_of
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.overlap import overlaps, senses
from biovita.taxonomy.parse import parse_name

__all__ = ["NOTHING", "Exclusion", "exclusion_of"]


@dataclass(frozen=True)
class Exclusion:
    """Taxa that training must not meet, and what of the training dataset they are.

    Attributes
    ----------
    taxa
        Those that were given.
    synonyms
        By taxon id, their other names.
    ids
        The taxa of the dataset that are one of them, contain one or lie within one.
    items
        How many training items these have, by modality.
    """

    taxa: tuple[Taxon, ...] = ()
    synonyms: Mapping[str, Iterable[str]] = field(default_factory=dict)
    ids: frozenset[str] = frozenset()
    items: Mapping[Modality, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The scientific names of the taxa, sorted."""
        return tuple(sorted({taxon.scientific_name for taxon in self.taxa}))

    @property
    def all_names(self) -> dict[str, list[str]]:
        """By scientific name, all names of a taxon, those of the packaged table included."""
        return {
            taxon.scientific_name: [
                name
                for sense in senses(taxon, self.synonyms.get(taxon.id, ()))
                for name in (sense.scientific_name, *known_taxa().other_names(sense))
            ]
            for taxon in self.taxa
        }

    @property
    def trained_rows(self) -> pc.Expression:
        """Which rows of a media table are trained on: those of the ``train`` split that are of none of the taxa."""
        rows = pc.field("split") == Split.TRAIN.value
        return rows & ~pc.field("taxon_id").isin(sorted(self.ids)) if self.ids else rows

    def __str__(self) -> str:
        """Return it in words."""
        return (
            f"{len(self.names):,} taxa excluded, which are {len(self.ids):,} taxa of the dataset: "
            f"{self.items[Modality.AUDIO]:,} recordings and {self.items[Modality.IMAGE]:,} photographs not trained on"
        )


NOTHING = Exclusion()


def exclusion_of(source: Dataset | str | Path | None, dataset: Dataset) -> Exclusion:
    """Return what is to be left out of training on a dataset.

    Parameters
    ----------
    source
        A file of names as `biovita.taxonomy.name_lists.names_listed` reads it, of species or groups; or a dataset,
        whose unseen species are meant, or all its taxa where it has not been split. None excludes nothing.
    dataset
        What is trained on.

    Raises
    ------
    DatasetError
        Where the source cannot be read, a name in it looks like one of the dataset that is misspelt, or the split of
        the dataset that it is holds no species out.
    """
    if source is None:
        return NOTHING
    if isinstance(source, Dataset) or Path(source).is_dir():
        other = Dataset.open(source)
        taxa = _held_out_of(other)
        synonyms = other_names(other, taxa)
    else:
        taxa = _listed(Path(source), dataset)
        synonyms = other_names(dataset, [taxon for taxon in taxa if taxon.id in dataset.taxonomy])
    own = list(dataset.taxonomy.values())
    also = other_names(dataset, own)
    groups = [senses(taxon, also[taxon.id]) for taxon in own]
    met = frozenset[int]().union(*overlaps(groups, [senses(taxon, synonyms.get(taxon.id, ())) for taxon in taxa]))
    ids = frozenset(own[place].id for place in met)
    return Exclusion(tuple(taxa), synonyms, ids, {modality: _items(dataset, modality, ids) for modality in MEDIA})


def _held_out_of(dataset: Dataset) -> list[Taxon]:
    unseen = unseen_taxa(dataset)
    if not unseen and any(dataset.media(m, ["split"], pc.field("split").is_valid()).num_rows for m in MEDIA):
        raise DatasetError(
            f"{dataset.path}: its split holds no species out, so there is nothing to exclude. Give a list of names"
        )
    return unseen or list(dataset.taxonomy.values())


def _listed(file: Path, dataset: Dataset) -> list[Taxon]:
    """Return what the names of a list mean: taxa of the dataset, packaged ones, groups of the dataset, names alone."""
    found = correct_names(dataset, file)
    return list(dict.fromkeys([*found.taxa.values(), *(_elsewhere(name, dataset) for name in found.missing)]))


def _elsewhere(given: str, dataset: Dataset) -> Taxon:
    name = parse_name(given).canonical or given
    known = known_taxa().find(given) or known_taxa().find(name)
    if known is not None:
        return known
    ranks = [rank for rank in RANKS if rank != Rank.SPECIES and dataset.taxonomy.members(rank, name.capitalize())]
    if ranks:
        return Taxon(taxon_id_of(name), name.capitalize(), rank=ranks[0])
    return Taxon(taxon_id_of(name), name, rank=Rank.SPECIES if " " in name else Rank.GENUS)


def _items(dataset: Dataset, modality: Modality, ids: frozenset[str]) -> int:
    rows = (pc.field("split") == Split.TRAIN.value) & pc.field("taxon_id").isin(sorted(ids))
    return int(dataset.media(modality, ["taxon_id"], rows).num_rows) if ids else 0
