"""Work cut into shards, by content: who does it, and in how many pieces, changes no byte of what comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from biovita.embedding.items import ITEMS
from biovita.embedding.made import Made
from biovita.embedding.pending import Pending
from biovita.modality import Modality

__all__ = ["Shard", "shards"]

_ITEMS = {Modality.AUDIO: 128, Modality.IMAGE: 128, Modality.TEXT: 1024}
_SECONDS = 3600.0  # of sound, about: a killed run has to do no more than that again


@dataclass(frozen=True, eq=False)
class Shard:
    """Items that are embedded together.

    Attributes
    ----------
    key
        The same for the same items and encoder: a hash of both.
    rows
        As `biovita.embedding.items.ITEMS` has them.
    """

    key: str
    rows: pa.Table

    def __len__(self) -> int:
        return len(self.rows)


def shards(plan: Pending, made: Made) -> Iterator[Shard]:
    """Yield what is new in a plan.

    The items are laid in their order on a grid of 128 (texts: 1,024), and what is new in a cell is a shard. So an item
    that fails, or a run that is killed, moves no other item to another shard.
    """
    described = json.dumps([made.tower, made.revision, made.dim, made.preprocessing, made.window_s, made.hop_s])
    for places, rows in _cells(plan):
        content = [rows[name].to_pylist() for name in ("id", "start_s", "end_s")]
        hashes = zip(places.tolist(), rows["sha256"].to_pylist(), strict=True)
        content.append([plan.changed.get(place, sha256) for place, sha256 in hashes])
        text = f"{described}\n{json.dumps(content)}"
        yield Shard(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32], rows)


def _cells(plan: Pending) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """Yield places and rows of what is new in each cell. The items are read once, and one batch of them is held."""
    begin, seconds = 0, 0.0
    places, cells, rows = (
        np.empty(0, np.int64),
        np.empty(0, np.int64),
        pa.RecordBatch.from_pylist([], schema=ITEMS),
    )
    for batch in plan.items.batches():
        grid = np.arange(begin, begin + len(batch)) // _ITEMS[plan.items.modality]
        if plan.items.modality == Modality.AUDIO:
            hours, seconds = _hours(batch, seconds)
            grid += hours
        first, end = np.searchsorted(plan.new, [begin, begin + len(batch)])
        new = plan.new[first:end] - begin
        places, cells = np.concatenate([places, begin + new]), np.concatenate([cells, grid[new]])
        rows = pa.concat_batches([rows, batch.take(pa.array(new))])
        begin += len(batch)
        edges = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist()]
        for start, stop in pairwise(edges):
            yield places[start:stop], _taken(rows, start, stop)
        places, cells, rows = places[edges[-1] :], cells[edges[-1] :], rows.slice(edges[-1])  # may go on
    if len(places):
        yield places, _taken(rows, 0, len(rows))


def _taken(rows: pa.RecordBatch, start: int, stop: int) -> pa.Table:
    """Return some rows by themselves: a slice would be sent to other processes with all the others."""
    return pa.Table.from_batches([rows.take(pa.array(np.arange(start, stop)))])


def _hours(rows: pa.RecordBatch, before: float) -> tuple[np.ndarray, float]:
    """Return after how many hours of sound, about, each recording begins; one of unknown length counts for nothing.

    ``before`` are the seconds of those that come before them; with these recordings' own they are returned too.
    """
    start, end = (rows[name].to_numpy(zero_copy_only=False) for name in ("start_s", "end_s"))
    lengths = np.nan_to_num(np.clip(end - start, 0, None), posinf=0.0)
    ends = np.cumsum(np.concatenate([[before], lengths]))
    return ((ends[1:] - lengths) // _SECONDS).astype(np.int64), float(ends[-1])
