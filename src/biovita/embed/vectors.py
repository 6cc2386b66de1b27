"""Vectors in memory, in the order of the dataset, with look-up by id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from biovita.errors import DatasetError

__all__ = ["Vectors"]


@dataclass(frozen=True, eq=False)
class Vectors:
    """One vector an item.

    Attributes
    ----------
    ids
        Of the recordings or photographs; of a text it is the text itself.
    taxon_ids
        The taxon of each item; of a text it is empty, as several taxa can share one.
    vectors
        ``(len(ids), dim)``, float32, as the tower gave them.
    """

    ids: tuple[str, ...]
    taxon_ids: tuple[str, ...]
    vectors: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.taxon_ids) == len(self.vectors):
            raise ValueError(
                f"ids, taxon_ids and vectors differ in length: "
                f"{len(self.ids)}, {len(self.taxon_ids)}, {len(self.vectors)}"
            )

    @cached_property
    def _places(self) -> dict[str, int]:
        return {item: place for place, item in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, item: str) -> bool:
        return item in self._places

    def __getitem__(self, item: str) -> np.ndarray:
        """Return the vector of one id, ``(dim,)``."""
        return self.vectors[self.places([item])[0]]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]

    def places(self, ids: Iterable[str]) -> np.ndarray:
        """Return where in `vectors` the ids are, ``(ids,)``, int64, in the order asked for.

        Raises
        ------
        DatasetError
            Where some have no vector; the message names the first of them.
        """
        ids = list(ids)
        missing = [item for item in ids if item not in self._places]
        if missing:
            named = ", ".join(repr(item) for item in missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise DatasetError(f"{len(missing)} of {len(ids)} items have no vector: {named}")
        return np.fromiter((self._places[item] for item in ids), np.int64, len(ids))

    def subset(self, ids: Iterable[str]) -> Vectors:
        """Return the vectors of some ids, in the order asked for; an id may come more than once.

        Raises
        ------
        DatasetError
            As `places` does.
        """
        places = self.places(ids)
        return Vectors(
            tuple(self.ids[place] for place in places),
            tuple(self.taxon_ids[place] for place in places),
            self.vectors[places],
        )
