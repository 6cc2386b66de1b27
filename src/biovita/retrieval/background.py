"""Scores of one query against sounds, photographs and names, on one scale.

Similarities of different modalities are not comparable: a sound lies nearer to all sounds than to any photograph. So a
similarity is told in standard deviations above what the same query gets with a background of rows of that modality,
drawn at random from the archive. This is what speaker verification does against other speakers (Auckenthaler, Carey and
Lloyd-Thomas 2000, Score normalization for text-independent speaker verification systems, Digital Signal Processing 10).
Within a modality it changes no order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.errors import DatasetError
from biovita.files import replacing
from biovita.lance_tables import take_vectors
from biovita.modality import Modality
from biovita.retrieval.search_space import SearchSpace

__all__ = ["FEWEST", "Background", "keep_background", "read_background"]

FEWEST = 8
"""Rows of a background below which scores of a modality are similarities as they are."""

_ROWS = 2048
_GROWN = 1.1  # times the rows that there were when it was drawn


@dataclass(frozen=True, eq=False)
class Background:
    """Rows of a modality, ``(rows, dim)``, float32, of length 1, in an order drawn at random."""

    vectors: np.ndarray

    @property
    def is_enough(self) -> bool:
        """Whether a mean and a spread can be told from it."""
        return len(self.vectors) >= FEWEST

    def scale(self, query: np.ndarray) -> tuple[float, float]:
        """Return the mean and the standard deviation of a query's products with the background; 0 and 1 of too few.

        Parameters
        ----------
        query
            ``(dim,)``, of any length.
        """
        if not self.is_enough:
            return 0.0, 1.0
        found = self.vectors @ query
        return float(found.mean()), max(float(found.std()), float(np.finfo(np.float32).tiny))


def keep_background(space: SearchSpace, modality: Modality) -> None:
    """Draw the background of a table where there is none, or the table has grown or shrunk by a tenth since."""
    table = space.table(modality)
    rows, drawn_of = table.count_rows(), space.said_of(modality).get("background_of", 0)
    if space.background_file(modality).is_file() and drawn_of / _GROWN <= rows <= drawn_of * _GROWN:
        return
    numbers = np.random.default_rng(0).permutation(rows)[:_ROWS]
    dim = table.schema.field("vector").type.list_size
    vectors = take_vectors(table, numbers, rows=rows, dim=dim)
    with replacing(space.background_file(modality)) as scratch, scratch.open("wb") as file:
        np.save(file, vectors.astype(np.float32), allow_pickle=False)
    space.say_of(modality, {"background_of": rows})


def read_background(space: SearchSpace, modality: Modality) -> Background:
    """Return the background of a modality; one that was never drawn is empty."""
    file = space.background_file(modality)
    if not file.is_file():
        return Background(np.empty((0, 0), np.float32))
    try:
        vectors = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{file} cannot be read: {error}. Remove {space.directory} and refresh") from error
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise DatasetError(f"{file} holds no rows of float32. Remove {space.directory} and refresh the archive")
    return Background(vectors)
