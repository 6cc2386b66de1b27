"""The index of a table that has many rows: IVF_FLAT over our own centroids, and how many partitions a search reads.

A search reads whole partitions, those first whose centroids are most like the query. How many give which recall is
measured when the index is made, on the archive's own vectors: those of each modality as queries, for queries of another
modality lie elsewhere in the space.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from biovita.console import status
from biovita.lance_tables import no_panic
from biovita.modality import Modality
from biovita.retrieval.background import read_background
from biovita.retrieval.nearest_rows import NearestRows, nearest_in_index
from biovita.retrieval.partitions import PER_PARTITION, partition_count, spherical_means
from biovita.retrieval.search_space import IndexRecord, SearchSpace
from biovita.retrieval.searched_rows import FILTERED

if TYPE_CHECKING:
    import lance

__all__ = ["EXACT_BELOW", "keep_index", "probes_among", "probes_for"]

EXACT_BELOW = 100_000
"""Rows below which a table has no index: all of its vectors are compared."""

_VECTOR = "vector_idx"
_STALE = 10_000  # rows that an index does not have and that are looked through one by one
_GROWN = 2.0  # times its rows when it was made: a new index
_QUERIES = 100
_AT = 10  # of the recall
_SAMPLE = 65_536  # vectors at most that centroids are drawn from, beside `PER_PARTITION`


def keep_index(space: SearchSpace, modality: Modality, *, progress: bool = False) -> None:
    """Make the index of a table where it has many rows, or bring it up to date with what was added.

    Parameters
    ----------
    progress
        Show what is done on standard error where that is a terminal.
    """
    table = space.table(modality)
    rows = table.count_rows()
    if rows < EXACT_BELOW:
        return
    indexed = space.said_of(modality).index
    there = {each["name"] for each in table.list_indices()}
    if indexed is None or _VECTOR not in there or rows > _GROWN * indexed.rows:
        with status(f"indexing {rows:,} {modality.plural}", shown=progress):
            _make(space, modality, table, rows)
        return
    with no_panic():
        stale = table.stats.index_stats("media_id_idx")["num_unindexed_rows"] if "media_id_idx" in there else 0
        if stale > _STALE:
            with status(f"indexing {stale:,} more {modality.plural}", shown=progress):
                table.optimize.optimize_indices()


def probes_for(space: SearchSpace, modality: Modality, asked: Sequence[Modality], recall: float) -> int | None:
    """Return how many partitions have to be read at least for a recall; None is all of them.

    Parameters
    ----------
    asked
        The modalities that a query is made of.
    recall
        Share of the ten nearest that is found, on average.
    """
    indexed = space.said_of(modality).index
    curves = {} if indexed is None else indexed.recall
    needed = []
    for each in dict.fromkeys(asked):
        enough = [probes for probes, found in curves.get(each, ()) if found >= recall]
        if not enough:
            return None
        needed.append(min(enough))
    return max(needed, default=None)


def probes_among(table: lance.LanceDataset, probes: int, most: int, condition: str | None) -> int:
    """Return how many partitions have to be read where a condition leaves some of the rows.

    The nearest that are left lie as much farther away as they are fewer, so as many times more partitions are read.
    """
    if condition is None or probes == most:
        return probes
    with no_panic():
        rows, left = table.count_rows(), table.count_rows(condition)
    return min(most, math.ceil(probes * rows / max(left, 1)))


def _make(space: SearchSpace, modality: Modality, table: lance.LanceDataset, rows: int) -> None:
    count = partition_count(rows)
    generator = np.random.default_rng(rows)
    sample = generator.choice(rows, min(rows, max(PER_PARTITION * count, min(_SAMPLE, rows))), replace=False)
    vectors = _vectors(table, np.sort(sample))
    means = spherical_means(vectors, count)
    kind = table.schema.field("vector").type
    flat = pa.array(means.astype(np.float16).ravel())
    centroids = pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
    with no_panic():
        table.create_index(
            "vector", "IVF_FLAT", metric="cosine", num_partitions=count, ivf_centroids=centroids, replace=True
        )
        for column, index in FILTERED.items():
            table.create_scalar_index(column, index, replace=True)
    table = space.table(modality)
    curves = {asked: _curve(table, queries, count) for asked, queries in _queries(space, modality).items()}
    space.say_of(modality, index=IndexRecord(rows=rows, partitions=count, recall=curves))


def _queries(space: SearchSpace, modality: Modality) -> dict[Modality, np.ndarray]:
    """Return vectors of each modality that lies in one space with a table's, by which its recall is measured."""
    own = read_background(space, modality)
    found = {asked: read_background(space, asked) for asked in Modality}
    return {
        asked: each.vectors[:_QUERIES]
        for asked, each in found.items()
        if len(each.vectors) and each.vectors.shape[1] == own.vectors.shape[1]
    }


def _curve(table: lance.LanceDataset, queries: np.ndarray, count: int) -> tuple[tuple[int, float], ...]:
    """Return pairs of probes and recall at ten, the mean over queries; all partitions are the truth."""
    truth = [set(_ids(nearest_in_index(table, query, _AT, None, (count, count)))) for query in queries]
    steps = [step for step in _steps(count) if step < count]
    curve = []
    for probes in steps:
        found = [_ids(nearest_in_index(table, query, _AT, None, (probes, probes))) for query in queries]
        hits = [len(true & set(each)) / len(true) for true, each in zip(truth, found, strict=True)]
        curve.append((probes, round(float(np.mean(hits)), 4)))
        if curve[-1][1] == 1.0:
            return tuple(curve)
    return (*curve, (count, 1.0))


def _steps(count: int) -> list[int]:
    return sorted({round(2 ** (step / 2)) for step in range(2 * int(np.log2(count)) + 1)})


def _ids(found: NearestRows) -> list[str]:
    ids: list[str] = found.rows["id"].to_pylist()
    return ids


def _vectors(table: lance.LanceDataset, numbers: np.ndarray) -> np.ndarray:
    from biovita.lance_tables import take_vectors

    dim = table.schema.field("vector").type.list_size
    return take_vectors(table, numbers, rows=table.count_rows(), dim=dim)
