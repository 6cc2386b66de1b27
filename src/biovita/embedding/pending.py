"""What a run has to embed: items against those that have a vector already. The one rule of what is out of date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.embedding.items import NO_FILE, Items, file_state
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.hashing import sha256_of
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality

__all__ = ["Pending", "plan", "up_to_date"]

_ROWS_AT_ONCE = 8192
_LOOKED_AT = ["taxon_id", "sha256", "file_size", "file_mtime_ns"]
_REFRESHED = pa.schema([COLUMNS.field(name) for name in ("id", "taxon_id", "file_size", "file_mtime_ns")])


@dataclass(frozen=True, eq=False)
class Pending:
    """Items, by what there is to do about them.

    Attributes
    ----------
    items
        All that were asked for.
    new
        Places of those to embed, ``(n,)``, int64, ascending.
    refresh
        New columns of those whose vector stays, but not all beside it: another taxon, a copied file.
    replaced
        Which of ``new`` have rows that are out of date, ``(n,)``, bool.
    content
        By item, the hash of its file as it is now, as far as it is known.
    """

    items: Items
    new: np.ndarray
    refresh: pa.Table
    replaced: np.ndarray
    content: pa.Array

    @property
    def kept(self) -> int:
        """How many items keep their vector."""
        return len(self.items) - len(self.new)


def up_to_date(items: Items, state: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return for each item its row in a table (-1 for none), and whether the vector there is of the same content.

    The same: the span, and the hash of the file, where the items state one. Size and time of a file, which
    `plan` goes by, only save hashing.
    """
    whole = np.flatnonzero(pc.equal(state["window"], WHOLE).to_numpy())
    there = state["id"].combine_chunks().take(pa.array(whole))
    found = pc.fill_null(pc.index_in(items.ids, value_set=there), -1).to_numpy(zero_copy_only=False)
    if not len(whole):
        return np.full(len(items), -1), np.zeros(len(items), bool)
    places = np.where(found >= 0, whole[found], -1)
    same = places >= 0
    if items.modality != Modality.TEXT:
        at = pa.array(np.maximum(places, 0))
        for name in ("sha256", "start_s", "end_s"):
            now, before = items.rows[name].combine_chunks(), state[name].combine_chunks().take(at)
            equal = pc.fill_null(pc.equal(now, before), fill_value=False).to_numpy(zero_copy_only=False)
            unknown = pc.is_null(now).to_numpy(zero_copy_only=False)
            if name != "sha256":  # an item without a span is the whole file
                unknown &= pc.is_null(before).to_numpy(zero_copy_only=False)
            same &= equal | unknown
    return places, same


def plan(items: Items, state: pa.Table) -> Pending:
    """Return what there is to do, where a table holds ``state``.

    A file whose size or time of change is not the one recorded is hashed: other bytes are embedded again, the same
    bytes are not. Of a file that is not there the vector stays.
    """
    places, same = up_to_date(items, state)
    content, refresh = items.rows["sha256"].combine_chunks(), _REFRESHED.empty_table()
    if items.modality != Modality.TEXT and same.any():
        stored = state.select(_LOOKED_AT).combine_chunks().take(pa.array(np.maximum(places, 0)))
        seen, changed = _looked_at(items, stored, np.flatnonzero(same))
        mask = np.zeros(len(items), bool)
        mask[list(changed)] = True
        same &= ~mask
        content = pc.replace_with_mask(content, pa.array(mask), pa.array(list(changed.values()), pa.string()))
        refresh = _refreshed(items, stored, same, seen)
    new = np.flatnonzero(~same)
    return Pending(items, new, refresh, places[new] >= 0, content)


def _looked_at(
    items: Items, stored: pa.Table, looked: np.ndarray
) -> tuple[dict[int, tuple[int, int]], dict[int, str]]:
    """Return the size and time of the files that are not as stored, and the hash of those that are other bytes.

    Parameters
    ----------
    stored
        A row an item.
    looked
        Places of the items whose files are looked at, ascending.
    """
    seen: dict[int, tuple[int, int]] = {}
    changed: dict[int, str] = {}
    paths, hashes = items.rows["path"].combine_chunks(), stored["sha256"].combine_chunks()
    sizes, times = (pc.fill_null(stored[name], -1).to_numpy() for name in ("file_size", "file_mtime_ns"))
    for start in range(0, len(looked), _ROWS_AT_ONCE):
        some = looked[start : start + _ROWS_AT_ONCE]
        for place, path in zip(some.tolist(), paths.take(pa.array(some)).to_pylist(), strict=True):
            file = items.locate(path or "")
            now = file_state(file)
            if now in {NO_FILE, (sizes[place], times[place])} or isinstance(file, PackedFile):
                continue
            seen[place] = now
            if (found := sha256_of(file)) != hashes[place].as_py():
                changed[place] = found
    return seen, changed


def _refreshed(items: Items, stored: pa.Table, same: np.ndarray, seen: dict[int, tuple[int, int]]) -> pa.Table:
    """Return the new columns of the items whose vector stays, and whose taxon or file is not as stored."""
    touched = np.zeros(len(items), bool)
    touched[list(seen)] = True
    renamed = ~_equal(items.rows["taxon_id"].combine_chunks(), stored["taxon_id"].combine_chunks())
    at = np.flatnonzero(same & (touched | renamed))
    rows = items.rows.select(["id", "taxon_id"]).take(pa.array(at))
    before = [stored[name].take(pa.array(at)).to_pylist() for name in ("file_size", "file_mtime_ns")]
    states = [seen.get(place, state) for place, *state in zip(at.tolist(), *before, strict=True)]
    columns = [pa.array([state[number] for state in states], pa.int64()) for number in (0, 1)]
    return pa.table([rows["id"], rows["taxon_id"], *columns], schema=_REFRESHED)


def _equal(one: pa.Array, other: pa.Array) -> np.ndarray:
    """Return where two columns have the same value, or both none."""
    equal = pc.fill_null(pc.equal(one, other), fill_value=False)
    return pc.or_(equal, pc.and_(pc.is_null(one), pc.is_null(other))).to_numpy(zero_copy_only=False)
