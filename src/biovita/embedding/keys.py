"""Which rows a table may have, by hashes of their keys: asked at each commit, without reading the table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["Keys"]

_FEW = 262_144


class Keys:
    """Hashes of the ids and windows of rows, eight bytes a row.

    Two keys may have one hash, so what it finds may be there; what it does not find is not.
    """

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.int64)
        self._newer: set[int] = set()

    def add(self, rows: pa.Table) -> None:
        """Enter rows."""
        self._newer.update(_hashes(rows))
        if len(self._newer) > _FEW:
            newer = np.sort(np.fromiter(self._newer, np.int64, len(self._newer)))
            self._sorted = np.sort(np.concatenate([self._sorted, newer]), kind="stable")  # which merges the two
            self._newer = set()

    def may_have(self, rows: pa.Table) -> bool:
        """Return whether any of the rows may be there."""
        hashes = _hashes(rows)
        if not self._newer.isdisjoint(hashes):
            return True
        if not len(self._sorted):
            return False
        asked = np.array(hashes, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, asked), len(self._sorted) - 1)
        return bool((self._sorted[at] == asked).any())


def _hashes(rows: pa.Table) -> list[int]:
    return [hash(key) for key in zip(rows["id"].to_pylist(), rows["window"].to_pylist(), strict=True)]
