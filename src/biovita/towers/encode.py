"""The one encode loop: it loads items ahead, encodes them in batches, and says which ones fail and why."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing, nullcontext
from functools import partial
from typing import Any, TypeAlias, TypeVar

import numpy as np

from biovita.compute.cores import cpu_count
from biovita.compute.pipeline import encode_ahead, in_batches, in_processes, load_ahead
from biovita.errors import MediaError
from biovita.towers.encoder import Encoder, Loaded
from biovita.towers.long_recordings import LongWindows, window_parts

__all__ = ["encode_items"]

Row = TypeVar("Row")
_Encode: TypeAlias = "Callable[[list[Any]], list[np.ndarray]]"


def encode_items(
    encoder: Encoder,
    entries: Iterable[tuple[Row, Any]],
    *,
    group: Callable[[Row], object] | None = None,
    each_window: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    many: bool = False,
) -> Generator[tuple[Row, np.ndarray | MediaError]]:
    """Give each row with the vectors of its item, or with why it has none, in the order of the entries.

    While one batch is encoded, the next ones are loaded.

    Parameters
    ----------
    entries
        Rows, whatever they are, with the items that the encoder loads.
    group
        What a row belongs to; items of different groups are not encoded together.
    each_window
        Whether to give the vectors of a recording's windows, after that of the whole: ``(1 + windows, dim)``, float32.
        Otherwise they are ``(1, dim)``.
    batch_size
        Items encoded together; None is the encoder's own choice.
    workers
        Threads that load, or for a GPU processes; None is the number of cores.
    many
        Whether there are so many items that processes are worth the seconds that they take to begin.
    """
    size, workers = batch_size or encoder.batch_size, workers or cpu_count()
    on_device = encoder.device.kind != "cpu"
    loader = encoder.loader if on_device and many else None
    encode = partial(_encoded, partial(_windows if each_window else _wholes, encoder))
    with (
        in_processes(loader, workers) if loader else nullcontext(encoder.load) as load,
        closing(load_ahead(entries, load, workers=workers, ahead=max(2 * size, workers))) as loaded,
        closing(encode_ahead(in_batches(loaded, size, group), encode, depth=2 if on_device else 1)) as encoded,
    ):
        for batch, found in encoded:
            yield from zip((row for row, _ in batch), found, strict=True)


def _encoded(encode: _Encode, batch: list[tuple[Any, Loaded | MediaError]]) -> list[np.ndarray | MediaError]:
    """Return for each item of a batch its vectors, or why it has none."""
    items = [loaded for _, loaded in batch if not isinstance(loaded, MediaError)]
    try:
        made = iter(encode(items) if items else [])
    except MediaError:  # of a long recording, which is read while it is encoded
        return [_alone(encode, loaded) for _, loaded in batch]
    return [loaded if isinstance(loaded, MediaError) else next(made) for _, loaded in batch]


def _alone(encode: _Encode, loaded: Loaded | MediaError) -> np.ndarray | MediaError:
    if isinstance(loaded, MediaError):
        return loaded
    try:
        return encode([loaded])[0]
    except MediaError as error:
        return error


def _wholes(encoder: Encoder, batch: list[Any]) -> list[np.ndarray]:
    """Return one vector an item, each ``(1, dim)``."""
    vectors = encoder.encode(batch)
    assert vectors.shape == (len(batch), encoder.card.dim)
    return list(vectors[:, None])


def _windows(encoder: Encoder, batch: list[Any]) -> list[np.ndarray]:
    """Return for each item its mean and then its windows, ``(1 + windows, dim)``.

    Windows of recordings that are held are encoded together, those of a long recording as they are read.
    """
    held = [loaded for loaded in batch if not isinstance(loaded, LongWindows)]
    vectors = (
        encoder.encode_windows([window for windows in held for window in windows]) if held else np.empty((0, 0))
    )
    ends = np.cumsum([len(windows) for windows in held])
    parts = iter(np.split(vectors, ends[:-1]) if held else [])
    found = []
    for loaded in batch:
        if isinstance(loaded, LongWindows):
            windows = np.concatenate([encoder.encode_windows(list(some)) for some in window_parts(loaded)])
            whole = windows.mean(axis=0, dtype=np.float64).astype(np.float32)
        else:
            windows = next(parts)
            whole = windows.mean(axis=0)
        found.append(np.concatenate([whole[None], windows]))
    return found
