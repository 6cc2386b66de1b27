"""Scores of one query against sounds, photographs and names, on one scale.

Similarities of different modalities are not comparable: a sound lies nearer to all sounds than to any photograph. So of
a similarity is taken off what the same query gets on average with a background: rows of that modality, drawn at random
from the archive. This is centring, which also makes rows that are like everything come less often (Suzuki et al. 2013,
Centering similarity measures to reduce hubs, EMNLP). What is left is told in the spread of the query's similarities,
pooled over all modalities. The spread of each modality by itself, by which speaker verification divides (Auckenthaler,
Carey and Lloyd-Thomas 2000, Digital Signal Processing 10), puts what is found across modalities too high: where
photographs were asked with, it lost 7 points of average precision (`benchmarks/search_quality.py`).

Within a modality nothing changes its order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from biovita.errors import DatasetError
from biovita.files import replacing
from biovita.lance_tables import take_vectors
from biovita.modality import Modality
from biovita.retrieval.search_space import SearchSpace

__all__ = ["FEWEST", "Background", "keep_background", "pooled_spread", "read_background"]

FEWEST = 8
"""Rows of a background below which scores of a modality are similarities as they are."""

_LEAST = float(np.finfo(np.float32).tiny)
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
        """Return the mean and the variance of a query's products with the background; 0 and 1 of too few.

        Parameters
        ----------
        query
            ``(dim,)``, of any length.
        """
        if not self.is_enough:
            return 0.0, 1.0
        found = self.vectors @ query
        return float(found.mean()), float(found.var())


def pooled_spread(query: np.ndarray, backgrounds: Iterable[Background]) -> float:
    """Return the standard deviation of a query's products within modalities, each of which counts as much; never 0.

    Parameters
    ----------
    backgrounds
        Of all modalities; those that are too small, or of another space, do not count.
    """
    variances = [
        each.scale(query)[1] for each in backgrounds if each.is_enough and each.vectors.shape[1] == len(query)
    ]
    return max(float(np.sqrt(np.mean(variances))), _LEAST) if variances else 1.0


def keep_background(space: SearchSpace, modality: Modality) -> None:
    """Draw the background of a table where there is none, or the table has grown or shrunk by a tenth since."""
    table = space.table(modality)
    rows, drawn_of = table.count_rows(), space.said_of(modality).background_of
    if space.background_file(modality).is_file() and drawn_of / _GROWN <= rows <= drawn_of * _GROWN:
        return
    numbers = np.random.default_rng(0).permutation(rows)[:_ROWS]
    dim = table.schema.field("vector").type.list_size
    vectors = take_vectors(table, numbers, rows=rows, dim=dim)
    with replacing(space.background_file(modality)) as scratch, scratch.open("wb") as file:
        np.save(file, vectors.astype(np.float32), allow_pickle=False)
    space.say_of(modality, background_of=rows)


def read_background(space: SearchSpace, modality: Modality) -> Background:
    """Return the background of a modality; one that was never drawn is empty.

    Raises
    ------
    DatasetError
        Where its file is damaged, or has vectors of another length than the table.
    """
    file = space.background_file(modality)
    if not file.is_file():
        return Background(np.empty((0, 0), np.float32))
    try:
        vectors = np.load(file, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DatasetError(f"{file} cannot be read: {error}. Remove {space.directory} and refresh") from error
    dim = space.table(modality).schema.field("vector").type.list_size
    if vectors.dtype != np.float32 or vectors.shape[1:] != (dim,):
        raise DatasetError(
            f"{file} holds no rows of {dim} numbers. Remove {space.directory} and refresh the archive"
        )
    return Background(vectors)
