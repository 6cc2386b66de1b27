"""Work cut into shards, by content: who does it, and in how many pieces, changes no byte of what comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

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
    rows = plan.items.rows
    cells = np.arange(len(rows)) // _ITEMS[plan.items.modality]
    if plan.items.modality == Modality.AUDIO:
        cells += _hours(rows)
    edges = np.flatnonzero(np.diff(cells[plan.new], prepend=-1, append=-1))
    described = json.dumps([made.tower, made.revision, made.dim, made.preprocessing, made.window_s, made.hop_s])
    for start, end in pairwise(edges.tolist()):
        places = pa.array(plan.new[start:end])
        some = rows.take(places)
        content = [some[name].to_pylist() for name in ("id", "start_s", "end_s")]
        content.append(plan.content.take(places).to_pylist())
        text = f"{described}\n{json.dumps(content)}"
        yield Shard(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32], some)


def _hours(rows: pa.Table) -> np.ndarray:
    """Return after how many hours of sound, about, each recording begins; one of unknown length counts for nothing."""
    start, end = (rows[name].to_numpy().astype(float) for name in ("start_s", "end_s"))
    lengths = np.nan_to_num(np.clip(end - start, 0, None), posinf=0.0)
    return ((np.cumsum(lengths) - lengths) // _SECONDS).astype(np.int64)
