"""What a table holds of whole items, as numbers: found by their ids, and compared with the items as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.embedding.store import WHOLE
from biovita.embedding.text_hashes import NO_TEXT, text_hashes

__all__ = ["ROW_BYTES", "KnownItems", "numbers_of"]

ROW_BYTES = 80  # that an item takes with all columns that `pending.plan` asks for, while they are sorted


@dataclass(frozen=True, eq=False)
class KnownItems:
    """Whole items of a table, in the order of the hashes of their ids.

    Two ids have one hash by chance once in 2^64; among 30 million ids, two of them in one of 40,000 cases. Then one
    item is found in place of the other.

    Attributes
    ----------
    keys
        The hashes, ``(items,)``, uint64, ascending.
    rows
        The number of each one's row in the table, ``(items,)``, int64.
    columns
        What else is known of them, as `numbers_of` gives it.
    """

    keys: np.ndarray
    rows: np.ndarray
    columns: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, state: Iterable[pa.RecordBatch], columns: Sequence[str]) -> KnownItems:
        """Return the whole items among all rows of a table, which come in its order with ``id`` and ``window``."""
        parts = {name: _Numbers() for name in ("id", "rows", *columns)}
        begin = 0
        for batch in state:
            whole = np.flatnonzero(batch["window"].to_numpy() == WHOLE)
            parts["rows"].add(begin + whole)
            for name in ("id", *columns):
                parts[name].add(numbers_of(batch[name])[whole])
            begin += len(batch)
        keys = parts.pop("id").joined().astype(np.uint64, copy=False)
        order = np.argsort(keys)
        keys = keys[order]
        ordered = {name: parts.pop(name).joined()[order] for name in ("rows", *columns)}
        return cls(keys, ordered.pop("rows"), ordered)

    def __len__(self) -> int:
        return len(self.keys)

    def find(self, ids: pa.Array) -> np.ndarray:
        """Return the place of each id among the known ones, ``(len(ids),)``, int64; -1 where it is not known."""
        asked = text_hashes(ids)
        if not len(self):
            return np.full(len(asked), -1)
        order = np.argsort(asked)  # one after the other, so that little memory is looked at
        at = np.empty(len(asked), np.int64)
        at[order] = np.minimum(np.searchsorted(self.keys, asked[order]), len(self) - 1)
        return np.where(self.keys[at] == asked, at, -1)

    def same_content(self, items: pa.RecordBatch, at: np.ndarray) -> np.ndarray:
        """Return which items are of the span that is known, and of the file's hash where they state one, bool.

        Parameters
        ----------
        at
            Their places among the known ones, as `find` gives them.
        """
        same = at >= 0
        if not same.any():
            return same
        now, before = numbers_of(items["sha256"]), self.columns["sha256"][at]
        same &= (now == before) | (now == NO_TEXT)
        for name in ("start_s", "end_s"):
            now, before = numbers_of(items[name]), self.columns[name][at]
            same &= (now == before) | (
                np.isnan(now) & np.isnan(before)
            )  # an item without a span is the whole file
        return same


def numbers_of(column: pa.Array) -> np.ndarray:
    """Return a column as numbers: texts as their hashes; what is missing as `NO_TEXT`, NaN or -1."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return text_hashes(column)
    if pa.types.is_floating(column.type):
        return column.to_numpy(zero_copy_only=False)
    found: np.ndarray = column.fill_null(-1).to_numpy(zero_copy_only=False)
    return found


class _Numbers:
    """Numbers that come some at a time, in an array that grows in its place: pieces would leave holes in memory."""

    def __init__(self) -> None:
        self._held, self._count = np.empty(0, np.int64), 0

    def add(self, numbers: np.ndarray) -> None:
        if not self._count:
            self._held = np.empty(0, numbers.dtype)
        end = self._count + len(numbers)
        if end > len(self._held):
            self._held.resize(end + end // 8, refcheck=False)
        self._held[self._count : end] = numbers
        self._count = end

    def joined(self) -> np.ndarray:
        """Return all of them."""
        self._held.resize(self._count, refcheck=False)
        return self._held
