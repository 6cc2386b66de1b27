"""Vectors by id: the one container that is handed around."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa

from biovita.errors import DatasetError

__all__ = ["Matrix", "Vectors"]


class Matrix(Protocol):
    """Rows of numbers: an array, or what reads the rows that it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and length of one."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Return some rows, ``(len(rows), dim)``, float32."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Vectors:
    """One vector an item.

    Attributes
    ----------
    ids
        Of the recordings or photographs; of a text it is the text itself.
    vectors
        ``(len(ids), dim)``; indexed with an array of row numbers it gives float32.
    columns
        What else is known of each item, by name; ``taxon_id`` of recordings and photographs.
    """

    ids: Sequence[str]
    vectors: Matrix
    columns: Mapping[str, pa.Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {"ids": len(self.ids), "vectors": len(self.vectors)}
        lengths |= {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                "ids, vectors and columns differ in length: "
                + ", ".join(f"{name} {length}" for name, length in lengths.items())
            )

    def __repr__(self) -> str:
        first = f", the first {self.ids[0]!r:.60}" if len(self) else ""
        return f"<Vectors of {len(self):,} items, {self.dim:,} numbers each{first}>"

    @cached_property
    def _places(self) -> dict[str, int]:
        return {item: place for place, item in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, item: str) -> bool:
        return item in self._places

    def __getitem__(self, item: str) -> np.ndarray:
        """Return the vector of one id, ``(dim,)``."""
        return self.vectors[self.places([item])][0]

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]

    @property
    def taxon_ids(self) -> tuple[str, ...]:
        """The taxon of each item."""
        return tuple(self.columns["taxon_id"].to_pylist())

    @property
    def array(self) -> np.ndarray:
        """All vectors in memory, ``(len(ids), dim)``, float32."""
        if isinstance(self.vectors, np.ndarray):
            return self.vectors
        return self.vectors[np.arange(len(self))]

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
        at = pa.array(places)
        columns = {name: column.take(at) for name, column in self.columns.items()}
        return Vectors(tuple(self.ids[place] for place in places), self.vectors[places], columns)
