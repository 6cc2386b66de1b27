"""The rows of a table that are most like a query, among those that a filter leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.lance_tables import no_panic
from biovita.retrieval.searched_rows import SEARCHED
from biovita.sql import sql_text

if TYPE_CHECKING:
    import lance

__all__ = ["Allowed", "NearestRows", "nearest_by_comparing", "nearest_in_index"]

_IN_A_LIST = 20_000  # ids that a condition names; Lance looks up 10,000 in 30 ms
_ROWS_AT_ONCE = 8192
_ANSWER = [name for name in SEARCHED.names if name not in {"state", "taxa"}]


@dataclass(frozen=True, eq=False)
class Allowed:
    """Which rows may be found.

    Attributes
    ----------
    condition
        In SQL, over the columns of `SEARCHED`; None is all rows.
    media_ids
        Of which media alone; None is all.
    media
        How many media there are.
    """

    condition: str | None = None
    media_ids: pa.Array | None = None
    media: int = 0

    @property
    def is_listed(self) -> bool:
        """Whether so few media are meant that a condition can list them."""
        return self.media_ids is not None and len(self.media_ids) <= _IN_A_LIST

    @property
    def is_compared(self) -> bool:
        """Whether so many, but not all, are meant that rows have to be looked through for them."""
        return self.media_ids is not None and not self.is_listed and len(self.media_ids) < self.media

    def as_sql(self) -> str | None:
        """Return the condition, with the media where they are listed."""
        if self.media_ids is None or not self.is_listed:
            return self.condition
        listed = ", ".join(map(sql_text, self.media_ids.to_pylist())) or "NULL"
        own = f"media_id IN ({listed})"
        return own if self.condition is None else f"({self.condition}) AND {own}"


@dataclass(frozen=True, eq=False)
class NearestRows:
    """Rows, the most alike first; of equal ones the first by id.

    Attributes
    ----------
    rows
        The columns of `SEARCHED`, without state and taxa.
    products
        ``(rows,)``: of the query, as it is, with each vector.
    complete
        Whether there are no others that may be found.
    """

    rows: pa.Table
    products: np.ndarray
    complete: bool


def nearest_in_index(
    table: lance.LanceDataset, query: np.ndarray, k: int, condition: str | None, probes: tuple[int, int]
) -> NearestRows:
    """Return the ``k`` rows most like a query by an index; where a condition leaves few, further partitions are read.

    Parameters
    ----------
    query
        ``(dim,)``, of any length but zero.
    probes
        Partitions that are read at least, and at most where fewer than ``k`` rows were found.
    """
    length = float(np.linalg.norm(query))
    nearest = {"column": "vector", "q": (query / length).astype(np.float32), "k": k, "metric": "cosine"}
    nearest |= {"minimum_nprobes": probes[0], "maximum_nprobes": probes[1]}
    with no_panic():
        found = table.scanner(
            columns=[*_ANSWER, "_distance"], nearest=nearest, filter=condition, prefilter=True
        ).to_table()
    likeness = 1.0 - found["_distance"].to_numpy().astype(np.float64)
    rows, order = _in_order(found.drop_columns(["_distance"]), likeness)
    return NearestRows(rows, likeness[order] * length, len(found) < k)


def nearest_by_comparing(table: lance.LanceDataset, query: np.ndarray, k: int, allowed: Allowed) -> NearestRows:
    """Return the ``k`` rows most like a query, having compared all that may be found."""
    numbers, products, total = np.empty(0, np.uint64), np.empty(0, np.float32), 0
    for rows, found in _compared(table, query.astype(np.float32), allowed):
        total += len(rows)
        numbers, products = np.concatenate([numbers, rows]), np.concatenate([products, found])
        if len(numbers) > k:  # those that are as good as the k-th stay, for the id decides among them
            enough = np.partition(products, len(products) - k)[len(products) - k]
            numbers, products = numbers[products >= enough], products[products >= enough]
    with no_panic():
        taken = _with_row_ids(table, numbers)
    rows, order = _in_order(taken, products)
    return NearestRows(rows.slice(0, k), products[order][:k].astype(np.float64), total <= k)


def _compared(
    table: lance.LanceDataset, query: np.ndarray, allowed: Allowed
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield row ids and products, some rows at a time."""
    columns = ["vector", "media_id"] if allowed.is_compared else ["vector"]
    with no_panic():
        scanner = table.scanner(
            columns=columns, filter=allowed.as_sql(), with_row_id=True, batch_size=_ROWS_AT_ONCE
        )
        for batch in scanner.to_batches():
            some = batch
            if allowed.is_compared:
                some = batch.filter(pc.is_in(batch["media_id"], value_set=allowed.media_ids))
            vectors = some["vector"].flatten().to_numpy(zero_copy_only=False).reshape(len(some), len(query))
            yield some["_rowid"].to_numpy(), vectors.astype(np.float32) @ query


def _with_row_ids(table: lance.LanceDataset, numbers: np.ndarray) -> pa.Table:
    """Return rows by their row ids, in that order."""
    listed = ", ".join(map(str, numbers.tolist())) or "NULL"
    found = table.scanner(columns=_ANSWER, filter=f"_rowid IN ({listed})", with_row_id=True).to_table()
    at = pc.index_in(pa.array(numbers, pa.uint64()), value_set=found["_rowid"].combine_chunks())
    return found.drop_columns(["_rowid"]).take(at)


def _in_order(rows: pa.Table, likeness: np.ndarray) -> tuple[pa.Table, np.ndarray]:
    """Return rows by their likeness, the largest first, equal ones by id, and the places that they had."""
    keys = pa.table({"likeness": likeness, "id": rows["id"]})
    order = pc.sort_indices(keys, [("likeness", "descending"), ("id", "ascending")])
    return rows.take(order), order.to_numpy()
