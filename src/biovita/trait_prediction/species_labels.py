"""What is known of taxa, under any of their names: by datasets, and after them by the package's table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biovita.dataset.dataset import Dataset
from biovita.errors import DatasetError
from biovita.identification.gallery import known_as
from biovita.one_line import OneLine
from biovita.suggestion import suggested
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.parse import fold
from biovita.trait_labels import LABELS
from biovita.traits.known_labels import Traits

__all__ = ["SpeciesLabels", "name_key"]


def name_key(taxon: Taxon) -> str:
    """Return what all names of one taxon share: the folded name that the package's table, or else the taxon, has."""
    return fold((known_as(taxon) or taxon).scientific_name)


@dataclass(frozen=True, eq=False, repr=False)
class SpeciesLabels(OneLine):
    """The labels that are known of species; an unknown label is not there, and nothing is borrowed from relatives.

    Attributes
    ----------
    stated
        By `name_key`, what datasets say: true or false by label.
    with_package
        Whether what datasets do not say comes from the table of the package.
    """

    stated: Mapping[str, Mapping[str, bool]]
    with_package: bool = True

    @classmethod
    def of(cls, datasets: Sequence[Dataset], *, with_package: bool = True) -> SpeciesLabels:
        """Return what datasets say of their species. The first that knows a label decides."""
        stated: dict[str, dict[str, bool]] = {}
        for dataset in datasets:
            values = Traits.of(dataset).values
            for taxon in dataset.taxonomy.values():
                known = values.get(taxon.scientific_name)
                if known and taxon.rank == Rank.SPECIES:
                    mine = stated.setdefault(name_key(taxon), {})
                    mine.update({label: value for label, value in known.items() if label not in mine})
        return cls(stated, with_package)

    @classmethod
    def stated_by(cls, datasets: Sequence[Dataset]) -> SpeciesLabels:
        """Return the same as `of`.

        Raises
        ------
        DatasetError
            Where no dataset says anything of a species.
        """
        found = cls.of(datasets)
        if not found.stated:
            places = ", ".join(str(each.path) for each in datasets)
            run = suggested("traits import", datasets[0].path, "--csv TABLE")
            raise DatasetError(f"no traits of species are in {places}. Import some: {run}")
        return found

    def labels_of(self, taxon: Taxon) -> Mapping[str, bool]:
        """Return the known labels of a taxon, true or false; none of a genus, family or wider group."""
        if taxon.rank != Rank.SPECIES:
            return {}
        stated = self.stated.get(name_key(taxon), {})
        known = known_as(taxon) if self.with_package else None
        return stated if known is None else {**known_taxa().traits[known.id], **stated}

    def matrix(self, taxa: Sequence[Taxon]) -> np.ndarray:
        """Return ``(taxa, 34)``, float64: 1 true, 0 false, NaN unknown; labels in the order of the vocabulary."""
        found = np.full((len(taxa), len(LABELS)), np.nan)
        columns = {label: column for column, label in enumerate(LABELS)}
        for row, taxon in enumerate(taxa):
            for label, value in self.labels_of(taxon).items():
                found[row, columns[label]] = value
        return found
