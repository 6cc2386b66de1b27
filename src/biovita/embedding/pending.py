"""What a run has to embed: items against those that have a vector already. The one rule of what is out of date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.embedding.file_looks import FileLooks, file_looks
from biovita.embedding.items import Items
from biovita.embedding.known_items import KnownItems, numbers_of
from biovita.embedding.store import COLUMNS
from biovita.modality import Modality

__all__ = ["LOOKED_AT", "Pending", "plan", "up_to_date"]

_CONTENT = ("sha256", "start_s", "end_s")
_BESIDE = ("taxon_id", "file_size", "file_mtime_ns")
LOOKED_AT = ("id", "window", *_CONTENT, *_BESIDE)
"""What `plan` has to know of a table."""
_REFRESHED = pa.schema([COLUMNS.field(name) for name in ("id", *_BESIDE)])


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
    changed
        By place, the hash of a file that has other bytes than its row in the table says.
    """

    items: Items
    new: np.ndarray
    refresh: pa.Table
    replaced: np.ndarray
    changed: Mapping[int, str]

    @property
    def kept(self) -> int:
        """How many items keep their vector."""
        return len(self.items) - len(self.new)

    def replaced_ids(self) -> list[str]:
        """Return the ids of the items whose rows are out of date."""
        places, found, begin = self.new[self.replaced], list[str](), 0
        for batch in self.items.batches() if len(places) else ():
            first, end = np.searchsorted(places, [begin, begin + len(batch)])
            found += batch["id"].take(pa.array(places[first:end] - begin)).to_pylist()
            begin += len(batch)
        return found


def up_to_date(items: Items, state: pa.Table | Iterable[pa.RecordBatch]) -> tuple[np.ndarray, np.ndarray]:
    """Return for each item its row in a table (-1 for none), and whether the vector there is of the same content.

    The same: the span, and the hash of the file, where the items state one. Size and time of a file, which
    `plan` goes by, only save hashing.

    Parameters
    ----------
    state
        ``id`` and ``window`` of the table's rows; of recordings and photographs ``sha256``, ``start_s`` and ``end_s``
        too.
    """
    is_media = items.modality != Modality.TEXT
    known = KnownItems.of(
        state.to_batches() if isinstance(state, pa.Table) else state, _CONTENT if is_media else ()
    )
    places, same = np.full(len(items), -1), np.zeros(len(items), bool)
    begin = 0
    for batch in items.batches():
        at, end = known.find(batch["id"]), begin + len(batch)
        if len(known):
            places[begin:end] = np.where(at >= 0, known.rows[at], -1)
        same[begin:end] = known.same_content(batch, at) if is_media else at >= 0
        begin = end
    return places, same


def plan(items: Items, state: Iterable[pa.RecordBatch]) -> Pending:
    """Return what there is to do, where a table holds ``state``, rows with `LOOKED_AT`.

    A file whose size or time of change is not the one recorded is hashed: other bytes are embedded again, the same
    bytes are not. Of a file that is not there the vector stays.
    """
    is_media = items.modality != Modality.TEXT
    known = KnownItems.of(state, (*_CONTENT, *_BESIDE) if is_media else ())
    new, replaced, refresh = [np.empty(0, np.int64)], [np.empty(0, bool)], [_REFRESHED.empty_table()]
    changed: dict[int, str] = {}
    begin = 0
    with file_looks(items.locate) as looks:
        for batch in items.batches():
            at = known.find(batch["id"])
            same = known.same_content(batch, at) if is_media else at >= 0
            if is_media and same.any():
                found = _Found(batch, known, at)
                changed |= {begin + place: sha256 for place, sha256 in found.look(looks, same).items()}
                refresh.append(found.refreshed(same))
            fresh = np.flatnonzero(~same)
            new.append(begin + fresh)
            replaced.append(at[fresh] >= 0)
            begin += len(batch)
    return Pending(items, np.concatenate(new), pa.concat_tables(refresh), np.concatenate(replaced), changed)


class _Found:
    """Some items, of which a table knows some, and their files as they are now."""

    def __init__(self, batch: pa.RecordBatch, known: KnownItems, at: np.ndarray) -> None:
        self._batch = batch
        self._stored = {name: known.columns[name][at] for name in ("sha256", *_BESIDE)}
        self._sizes, self._times = self._stored["file_size"].copy(), self._stored["file_mtime_ns"].copy()
        self._touched = np.zeros(len(batch), bool)

    def look(self, looks: FileLooks, same: np.ndarray) -> dict[int, str]:
        """Look at the files of the items that seem to be the same; take out of ``same`` those of other bytes.

        Returns their places and hashes.
        """
        places = np.flatnonzero(same)
        paths = self._batch["path"].take(pa.array(places))
        seen = looks.changed(paths, self._sizes[places], self._times[places])
        changed: dict[int, str] = {}
        if not seen:
            return changed
        hashes = numbers_of(pa.array([look.sha256 for look in seen.values()], pa.string()))
        for (number, look), now in zip(seen.items(), hashes.tolist(), strict=True):
            place = int(places[number])
            self._sizes[place], self._times[place], self._touched[place] = look.size, look.mtime_ns, True
            if now != self._stored["sha256"][place]:
                changed[place], same[place] = look.sha256, False
        return changed

    def refreshed(self, same: np.ndarray) -> pa.Table:
        """Return the new columns of the items whose vector stays, and whose taxon or file is not as stored."""
        renamed = numbers_of(self._batch["taxon_id"]) != self._stored["taxon_id"]
        at = np.flatnonzero(same & (self._touched | renamed))
        rows = pa.Table.from_batches([self._batch]).select(["id", "taxon_id"]).take(pa.array(at))
        states = [pa.array(column[at]) for column in (self._sizes, self._times)]
        return pa.table([*rows.columns, *states], schema=_REFRESHED)
