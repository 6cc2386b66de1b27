"""Which rows a table may have, by hashes of their keys: asked at each commit, without reading the table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from biovita.embedding.text_hashes import text_hashes

__all__ = ["Keys"]

_FEW = 262_144


class Keys:
    """Hashes of the ids and windows of rows, eight bytes a row.

    Two keys may have one hash, so what it finds may be there; what it does not find is not.
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.uint64)
        self._newer = np.empty(0, np.uint64)  # sorted, and few

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Enter rows."""
        self._newer = _merged(self._newer, np.sort(_hashes(rows)))
        if len(self._newer) > _FEW:
            self._sorted, self._newer = _merged(self._sorted, self._newer), np.empty(0, np.uint64)

    def may_have(self, rows: pa.Table) -> bool:
        """Return whether any of the rows may be there."""
        asked = _hashes(rows)
        return any(_are_among(known, asked) for known in (self._newer, self._sorted))


def _hashes(rows: pa.Table | pa.RecordBatch) -> np.ndarray:
    batches = rows.to_batches() if isinstance(rows, pa.Table) else [rows]
    found = [
        text_hashes(each["id"]) ^ (each["window"].to_numpy().astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        for each in batches
    ]
    return np.concatenate([np.empty(0, np.uint64), *found])


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([one, other]), kind="stable")  # which merges what is sorted already


def _are_among(known: np.ndarray, asked: np.ndarray) -> bool:
    at = np.searchsorted(known, asked)
    there = at < len(known)
    return bool((known[at[there]] == asked[there]).any())
