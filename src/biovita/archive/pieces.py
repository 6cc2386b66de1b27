"""Recordings and photographs as what is embedded: long recordings in pieces, so that a run goes on within one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.embedding.items import Items
from biovita.filenames import path_from
from biovita.media.hearing import Hearing
from biovita.media.packed_files import MediaPath
from biovita.modality import Modality
from biovita.towers.encoder import Windowing

__all__ = ["Pieces", "located", "media_items", "photograph_items", "pieces"]

_ALL = np.iinfo(np.int64).max
_SECONDS = 300.0  # of a piece, as it is heard: at 48 kHz it is held, and loaded while another is encoded


@dataclass(frozen=True, eq=False)
class Pieces:
    """Recordings cut into spans that are embedded one by one.

    Attributes
    ----------
    items
        A span each; windows that begin in it end in it.
    recording
        By item, the place of its recording, ``(items,)``, int64.
    windows
        By item, how many of its windows count, ``(items,)``, int64. A span that ends between two samples may be heard
        to hold one more, which is the first of the next span.
    windowing
        Of the encoder, in seconds of the file.
    """

    items: Items
    recording: np.ndarray
    windows: np.ndarray
    windowing: Windowing


def pieces(recordings: pa.Table, heard: Windowing, hearing: Hearing) -> Pieces:
    """Return recordings in pieces of about five minutes, as they are heard.

    Parameters
    ----------
    recordings
        As `biovita.archive.archive_tables.RECORDINGS` has them.
    heard
        How the encoder cuts what it hears.
    """
    cut = replace(
        heard,
        size_s=heard.size_s / hearing.expand,
        hop_s=heard.hop_s / hearing.expand,
        shortest_s=heard.shortest_s / hearing.expand,
    )
    begin = recordings["start_s"].fill_null(0.0).to_numpy()
    end = np.where(
        recordings["end_s"].is_valid().to_numpy(),
        recordings["end_s"].fill_null(0.0).to_numpy(),
        recordings["duration_s"].to_numpy(),
    )
    in_piece = max(1, int(_SECONDS // heard.hop_s))
    windows = np.array([cut.count(length) for length in (end - begin).tolist()], np.int64)
    counts = -(-windows // in_piece)
    recording = np.repeat(np.arange(len(windows)), counts)
    number = np.arange(len(recording)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = number * in_piece
    last = np.minimum(first + in_piece, windows[recording]) - 1
    start_s = begin[recording] + first * cut.hop_s
    end_s = np.minimum(begin[recording] + last * cut.hop_s + cut.size_s, end[recording])
    to_the_end = _to_the_end(recordings, recording, last, windows)
    at = pa.array(recording)
    ids = recordings["id"].combine_chunks().take(at).to_pylist()
    rows = pa.table(
        {
            "id": pa.array(
                [f"{media}/{place}" for media, place in zip(ids, first.tolist(), strict=True)], pa.string()
            ),
            "sha256": recordings["sha256"].combine_chunks().take(at),
            "start_s": start_s,
            # What reaches the end of the file ends where it ends, whatever its header says.
            "end_s": pa.array(end_s, mask=to_the_end),
            "path": recordings["path"].combine_chunks().take(at),
            "channel": recordings["channel"].combine_chunks().take(at),
        }
    )
    items = Items.of(Modality.AUDIO, rows, located(recordings), hearing)
    return Pieces(items, recording, np.where(to_the_end, _ALL, last - first + 1), cut)


def _to_the_end(recordings: pa.Table, recording: np.ndarray, last: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Return which pieces are the last ones of recordings that are listened to up to their end."""
    whole = recordings["end_s"].is_null().to_numpy()
    reaches: np.ndarray = whole[recording] & (last + 1 == windows[recording])
    return reaches


def media_items(media: pa.Table, heard: Windowing | None, hearing: Hearing) -> Pieces | Items:
    """Return media as what is embedded: recordings in pieces, or photographs where ``heard`` is None."""
    return photograph_items(media) if heard is None else pieces(media, heard, hearing)


def photograph_items(photographs: pa.Table) -> Items:
    """Return photographs, or their boxes, as items."""
    return Items.of(Modality.IMAGE, photographs, located(photographs))


class _Located:
    """Where media lie of which some are packed in datasets; a path of those begins with the dataset's directory."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = homes
        self._open: dict[str, Dataset] = {}

    def __call__(self, path: str) -> MediaPath:
        home = self._homes.get(path)
        if home is None:
            return Path(path)
        if home not in self._open:
            self._open[home] = Dataset.open(home)
        return self._open[home].locate(path_from(Path(home), Path(path)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Located, (self._homes,)


def located(media: pa.Table) -> Callable[[str], MediaPath]:
    """Return what finds the files of recordings or photographs by their paths; it can be sent elsewhere."""
    inside = media.select(["path", "dataset"]).filter(media["dataset"].is_valid())
    return _Located(dict(zip(inside["path"].to_pylist(), inside["dataset"].to_pylist(), strict=True)))
