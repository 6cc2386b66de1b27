"""The nearest candidates of a query: what a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from biovita.benchmark.task import Task
from biovita.embedding import Vectors
from biovita.modality import Modality, modalities_of

__all__ = ["Neighbour", "nearest"]


@dataclass(frozen=True)
class Neighbour:
    """A candidate taxon near a query.

    Attributes
    ----------
    taxon
        Its position in ``task.taxa``.
    sample
        The row of its sample that is most similar, in the items of the target modality.
    similarity
        Of that sample to the query.
    """

    taxon: int
    sample: int
    similarity: float
    correct: bool


def nearest(
    task: Task,
    vectors: Mapping[Modality, Vectors],
    rows: Mapping[Modality, np.ndarray],
    query: int,
    *,
    count: int = 5,
) -> list[Neighbour]:
    """Return the first-ranked candidates of one query, best first, in the order that it was scored by.

    Parameters
    ----------
    rows
        Where the vectors of the benchmark's items lie, as `biovita.benchmark.vector_rows.vector_rows` has it.
    query
        Position in ``task.queries``.

    Returns
    -------
    At most ``count``; none where the query has no vector. Candidates without a vector are left out.
    """
    asked, answered = modalities_of(task.direction)
    asks = task.asking[query]
    at = rows[asked][asks[asks >= 0]]
    if not (at >= 0).any():
        return []
    asking = vectors[asked].vectors[at[at >= 0]].astype(np.float64)
    found = []
    for column, taxon in enumerate(task.candidates[query]):
        if taxon < 0:
            break
        samples = task.samples[task.offsets[taxon] : task.offsets[taxon + 1]]
        known = samples[rows[answered][samples] >= 0]
        if not len(known):
            continue
        own = vectors[answered].vectors[rows[answered][known]].astype(np.float64)
        similar = np.max([(own * vector).sum(axis=1) for vector in asking], axis=0)
        best = int(similar.argmax())
        correct = column == task.correct[query]
        found.append(Neighbour(int(taxon), int(known[best]), float(similar[best]), bool(correct)))
    return sorted(found, key=lambda neighbour: -neighbour.similarity)[:count]
