"""The labels that are known of species, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biovita.dataset.dataset import Dataset
from biovita.one_line import OneLine

__all__ = ["FEWEST", "Traits", "enough"]

FEWEST = 3  # species with, and species without a label, for it to be told or judged


@dataclass(frozen=True, eq=False, repr=False)
class Traits(OneLine):
    """What is known of species: ``values[name][label]`` is true or false; an unknown label is not there."""

    values: Mapping[str, Mapping[str, bool]]

    @classmethod
    def of(cls, dataset: Dataset) -> Traits:
        """Return the traits of a dataset, by scientific name. Where sources disagree the label is left out."""
        found: dict[str, dict[str, bool]] = {}
        disputed: set[tuple[str, str]] = set()
        columns = (dataset.traits[name].to_pylist() for name in ("taxon_id", "label", "value"))
        for taxon_id, label, value in zip(*columns, strict=True):
            taxon = dataset.taxonomy.get(taxon_id)
            if taxon is None:
                continue
            known = found.setdefault(taxon.scientific_name, {})
            if known.setdefault(label, value) != value:
                disputed.add((taxon.scientific_name, label))
        for name, label in disputed:
            del found[name][label]
        return cls(found)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that are known of some species, in the order of the vocabulary."""
        from biovita.trait_labels import LABELS

        used = {label for known in self.values.values() for label in known}
        return tuple(label for label in LABELS if label in used)

    def column(self, names: Sequence[str], label: str) -> np.ndarray:
        """Return ``(names,)`` 1 where the label is true, 0 where it is false, NaN where it is unknown."""
        return np.array([self.values.get(name, {}).get(label, np.nan) for name in names], np.float64)


def enough(known: np.ndarray) -> bool:
    """Say whether as many as `FEWEST` species have a label, and as many have it not.

    Parameters
    ----------
    known
        ``(species,)``, as `Traits.column` gives them.
    """
    return bool(min((known == 1).sum(), (known == 0).sum()) >= FEWEST)
