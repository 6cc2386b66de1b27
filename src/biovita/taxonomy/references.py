"""Rows of a list of taxa that refer to each other by ids: synonyms to accepted names, taxa to their parents."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.errors import DatasetError
from biovita.taxonomy.backbone import LINEAGE

__all__ = ["RowOfId", "accepted_rows", "climbed"]

_DEEPEST = 60  # steps from a taxon to its kingdom: more than any classification has


class RowOfId:
    """Which row an id stands in: sorted numbers, which take a tenth of the room of a hash table of strings."""

    def __init__(self, ids: pa.Array, where: str) -> None:
        numbers = _numbers(ids)
        self._order = np.argsort(numbers, kind="stable").astype(np.int32)
        self._sorted = numbers[self._order]
        twice = np.flatnonzero(self._sorted[1:] == self._sorted[:-1])
        if len(twice):
            first = ids[int(self._order[twice[0]])].as_py()
            raise DatasetError(
                f"{where}: a taxonID occurs in more than one row: {first!r}, and {len(twice) - 1:,} more. "
                "Each may occur once"
            )
        self.ids = ids

    def __len__(self) -> int:
        return len(self._order)

    def of(self, ids: pa.Array) -> np.ndarray:
        """Return the rows of ids; -1 where there is none, or it stands nowhere."""
        rows = np.full(len(ids), -1, dtype=np.int32)
        if not len(self):
            return rows
        given = np.flatnonzero(pc.is_valid(ids).to_numpy(zero_copy_only=False))
        numbers = _numbers(ids.drop_null())
        places = np.minimum(np.searchsorted(self._sorted, numbers), len(self) - 1)
        found = self._sorted[places] == numbers
        rows[given[found]] = self._order[places[found]]
        return rows


def _numbers(ids: pa.Array) -> np.ndarray:
    """Return a 64-bit number for each id, the same for the same id: its hash."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 2")
        connection.register("given", pa.table({"id": ids}))
        return connection.sql("SELECT hash(id) AS number FROM given").to_arrow_table()["number"].to_numpy()


def accepted_rows(table: pa.Table, rows: RowOfId) -> np.ndarray:
    """Return the row of each name's accepted name, through chains of synonyms; -1 where there is none.

    Parameters
    ----------
    table
        Its column ``acceptedNameUsageID`` has the id of another name; ``synonym`` says which names are no taxa of
        their own even where that is empty. Either may be absent.
    """
    own = np.arange(len(rows), dtype=np.int32)
    if "acceptedNameUsageID" not in table.column_names:
        return own
    stated = table["acceptedNameUsageID"].combine_chunks()
    absent = pc.is_null(stated).to_numpy(zero_copy_only=False)
    accepted = np.where(absent, own, rows.of(stated))
    if "synonym" in table.column_names:
        orphan = absent & table["synonym"].to_numpy()
        accepted[orphan] = -1
    for _ in range(5):
        accepted = np.where(accepted >= 0, accepted[np.maximum(accepted, 0)], -1)
    settled = (accepted >= 0) & (accepted[np.maximum(accepted, 0)] == accepted)
    return np.where(settled, accepted, -1).astype(np.int32)


def climbed(
    rows: RowOfId, parents: pa.Array, ranks: pa.DictionaryArray, accepted: np.ndarray, where: str
) -> tuple[dict[str, np.ndarray], int]:
    """Return the row of each name's ancestor, or of itself, at each rank; -1 where there is none.

    A synonym has the ancestors of its accepted name. The second value counts the names whose parent is not there.

    Raises
    ------
    DatasetError
        Where parents lead back to themselves.
    """
    own = np.arange(len(rows), dtype=np.int32)
    parent = np.append(rows.of(parents), np.int32(-1))
    missing = int(np.count_nonzero(pc.is_valid(parents).to_numpy(zero_copy_only=False) & (parent[:-1] < 0)))
    parent[:-1][parent[:-1] == own] = -1  # some lists write so that a taxon has none
    code = np.append(pc.fill_null(ranks.indices, -1).to_numpy(), -1)
    words = ranks.dictionary.to_pylist()
    above = {rank: np.full(len(rows), -1, dtype=np.int32) for rank in LINEAGE}
    climbing, at = np.arange(len(rows)), np.where(accepted >= 0, accepted, own)
    for _ in range(_DEEPEST):
        for rank in LINEAGE:
            if rank in words:
                here = (code[at] == words.index(rank)) & (above[rank][climbing] < 0)
                above[rank][climbing[here]] = at[here]
        at = parent[at]
        climbing, at = climbing[at >= 0], at[at >= 0]
        if not len(climbing):
            return above, missing
    first = rows.ids[int(at[0])].as_py()
    raise DatasetError(
        f"{where}: the parents of {len(climbing):,} taxa lead round in a circle, that of {first!r} among them. "
        "Mend its parent"
    )
