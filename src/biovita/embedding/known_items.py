"""What a table holds of whole items, as numbers: found by their ids, and compared with the items as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.embedding.store import WHOLE
from biovita.embedding.text_hashes import NO_TEXT, text_hashes

__all__ = ["ROW_BYTES", "KnownItems", "numbers_of"]

ROW_BYTES = 64  # that an item takes with all columns that `pending.plan` asks for


@dataclass(frozen=True, eq=False)
class KnownItems:
    """Whole items of a table, in the order of the hashes of their ids.

    Two ids have one hash by chance once in 2^64. Then one of the items is found in place of the other, and has other
    content.

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
        parts: dict[str, list[np.ndarray]] = {name: [] for name in ("id", "rows", *columns)}
        begin = 0
        for batch in state:
            whole = batch["window"].to_numpy() == WHOLE
            parts["rows"].append(begin + np.flatnonzero(whole))
            for name in ("id", *columns):
                parts[name].append(numbers_of(batch[name])[whole])
            begin += len(batch)
        keys = _joined(parts.pop("id"), np.uint64)
        order = np.argsort(keys)
        ordered = {name: _joined(parts.pop(name))[order] for name in ("rows", *columns)}
        return cls(keys[order], ordered.pop("rows").astype(np.int64), ordered)

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


def _joined(parts: list[np.ndarray], kind: type[np.generic] = np.int64) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, kind)
