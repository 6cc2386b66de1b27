"""The nearest candidates of a query: what a report shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from biovita.benchmark.task import Benchmark, Task
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
    benchmark: Benchmark, task: Task, vectors: Mapping[Modality, Vectors], query: int, *, count: int = 5
) -> list[Neighbour]:
    """Return the first-ranked candidates of one query, best first, in the order that it was scored by.

    Parameters
    ----------
    query
        Position in ``task.queries``.

    Returns
    -------
    At most ``count``; none where the query has no vector. Candidates without a vector are left out.
    """
    asked, answered = modalities_of(task.direction)
    queries, samples = vectors[asked], vectors[answered]
    texts = benchmark.items[asked]["id"]
    keys = [key for row in task.asking[query] if row >= 0 and (key := texts[int(row)].as_py()) in queries]
    if not keys:
        return []
    asking = queries.vectors[queries.places(keys)].astype(np.float64)
    ids = benchmark.items[answered]["id"]
    found = []
    for column, taxon in enumerate(task.candidates[query]):
        if taxon < 0:
            break
        rows = task.samples[task.offsets[taxon] : task.offsets[taxon + 1]]
        known = {int(row): key for row in rows if (key := ids[int(row)].as_py()) in samples}
        if not known:
            continue
        own = samples.vectors[samples.places(known.values())].astype(np.float64)
        similar = np.max([(own * vector).sum(axis=1) for vector in asking], axis=0)
        best = int(similar.argmax())
        correct = column == task.correct[query]
        found.append(Neighbour(int(taxon), list(known)[best], float(similar[best]), bool(correct)))
    return sorted(found, key=lambda neighbour: -neighbour.similarity)[:count]
