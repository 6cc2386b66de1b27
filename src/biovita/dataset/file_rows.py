"""Rows of a dataset's tables that stand for something once: the first row of each file, the values of a column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.dataset.repeated_keys import later_places

__all__ = ["file_rows", "value_counts"]


def file_rows(
    dataset: Dataset, name: str, columns: Sequence[str], where: pc.Expression | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield columns of a table of media in its order, of each file only the first row.

    Raises
    ------
    DatasetError
        Where the table cannot be read.
    """
    later = later_places(dataset.batches(name, ["path"], where), ["path"], dataset.rows(name))
    start = 0
    for batch in dataset.batches(name, columns, where):
        first = np.ones(batch.num_rows, bool)
        low, high = np.searchsorted(later, (start, start + batch.num_rows))
        first[later[low:high] - start] = False
        yield batch.filter(pa.array(first))
        start += batch.num_rows


def value_counts(dataset: Dataset, name: str, column: str) -> Counter[str | None]:
    """Return how many rows of a table have each value of a column of text, in the order in which they first occur."""
    counts: Counter[str | None] = Counter()
    for batch in dataset.batches(name, [column]):
        for each in batch.column(0).value_counts().to_pylist():
            counts[each["values"]] += each["counts"]
    return counts
