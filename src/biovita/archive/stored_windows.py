"""The windows of recordings, and the photographs, that have a vector in an archive: in order, some at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.pieces import Pieces
from biovita.embedding.items import Items
from biovita.embedding.pending import up_to_date
from biovita.embedding.store import WHOLE, Snapshot

__all__ = [
    "SomeVectors",
    "media_vectors",
    "photograph_places",
    "photograph_vectors",
    "window_places",
    "window_vectors",
]

_AT_ONCE = 4096
_SAME_S = 1e-3  # begins of windows that differ by less are one


@dataclass(frozen=True, eq=False)
class SomeVectors:
    """Vectors, and what they are of.

    Attributes
    ----------
    media
        By row, the place of its recording or photograph in their table, int64.
    start_s, end_s
        In seconds of the file; NaN for photographs.
    vectors
        ``(rows, dim)``, float32, as the tower gives them.
    """

    media: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    vectors: np.ndarray


def media_vectors(items: Pieces | Items, media: pa.Table, snapshot: Snapshot) -> Iterator[SomeVectors]:
    """Yield the windows of recordings in pieces, or the photographs, that have a vector."""
    if isinstance(items, Pieces):
        return window_vectors(items, media, snapshot)
    return photograph_vectors(items, snapshot)


def window_vectors(pieces: Pieces, recordings: pa.Table, snapshot: Snapshot) -> Iterator[SomeVectors]:
    """Yield the windows of recordings that have a vector, by recording and time; a window ends with its file."""
    state = snapshot.state(("id", "window", "sha256", "start_s", "end_s"))
    there = _places(pieces, state)
    item = there[:, 0]
    begins = pieces.items.rows["start_s"].to_numpy()
    ends = pieces.items.rows["end_s"].fill_null(np.inf).to_numpy()
    lengths = recordings["duration_s"].to_numpy()
    for start in range(0, len(there), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        of = item[some]
        begin = begins[of] + there[some, 1] * pieces.windowing.hop_s
        media = pieces.recording[of]
        last = np.maximum(np.minimum(ends[of], lengths[media]), begin)
        end = np.minimum(begin + pieces.windowing.size_s, last)
        yield SomeVectors(media, begin, end, snapshot.take(there[some, 2]))


def photograph_vectors(items: Items, snapshot: Snapshot) -> Iterator[SomeVectors]:
    """Yield the photographs that have a vector, in their order."""
    places = photograph_places(items, snapshot)
    media = np.flatnonzero(places >= 0)
    for start in range(0, len(media), _AT_ONCE):
        some = media[start : start + _AT_ONCE]
        none = np.full(len(some), np.nan)
        yield SomeVectors(some, none, none, snapshot.take(places[some]))


def photograph_places(items: Items, snapshot: Snapshot) -> np.ndarray:
    """Return the row of each photograph in the table of vectors, int64; -1 where it has no vector."""
    places, same = up_to_date(items, snapshot.state(("id", "window", "sha256", "start_s", "end_s")))
    return np.where(same, places, -1)


def window_places(pieces: Pieces, snapshot: Snapshot, recording: np.ndarray, start_s: np.ndarray) -> np.ndarray:
    """Return the rows of some windows in the table of vectors, int64; -1 where a window has no vector.

    Parameters
    ----------
    recording
        ``(windows,)``, int64: places of their recordings; -1 is none.
    start_s
        ``(windows,)``: where they begin, in seconds of the file.
    """
    state = snapshot.state(("id", "window", "sha256", "start_s", "end_s"))
    there = _places(pieces, state)
    if not len(there):
        return np.full(len(recording), -1)
    begins = pieces.items.rows["start_s"].to_numpy()[there[:, 0]] + there[:, 1] * pieces.windowing.hop_s
    media = pieces.recording[there[:, 0]]
    first, last = np.searchsorted(media, recording, "left"), np.searchsorted(media, recording, "right")
    found = np.full(len(recording), -1)
    for row, (low, high, start) in enumerate(zip(first.tolist(), last.tolist(), start_s.tolist(), strict=True)):
        at = low + int(np.searchsorted(begins[low:high], start - _SAME_S))
        if at < high and abs(begins[at] - start) < _SAME_S:
            found[row] = there[at, 2]
    return found


def _places(pieces: Pieces, state: pa.Table) -> np.ndarray:
    """Return item, window and row of all windows that count and are of the same content, sorted; int64."""
    _, same = up_to_date(pieces.items, state)
    found = pc.fill_null(pc.index_in(state["id"].combine_chunks(), value_set=pieces.items.ids), -1).to_numpy()
    window = state["window"].to_numpy()
    rows = np.flatnonzero((found >= 0) & (window != WHOLE))
    rows = rows[same[found[rows]] & (window[rows] < pieces.windows[found[rows]])]
    order = rows[np.lexsort((window[rows], found[rows]))]
    return np.stack([found[order], window[order], order], axis=1).astype(np.int64)
