"""Recordings too long to be held: their windows, some at a time, and the mean of the windows' vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from biovita.media.audio import LongSound

__all__ = ["LongWindows", "cut_windows", "held_windows", "mean_over_windows", "window_parts"]

Resampling = Callable[[Iterable[np.ndarray], int], Iterator[np.ndarray]]


@dataclass(frozen=True, slots=True)
class LongWindows:
    """The windows of a recording that is read anew, block by block, each time they are asked for.

    Attributes
    ----------
    at_rate
        From mono blocks and their rate in hertz to blocks at the tower's rate.
    size, hop
        Of the windows, in samples at the tower's rate.
    shortest
        A last window that would hold fewer samples is left out.
    """

    sound: LongSound
    at_rate: Resampling
    size: int
    hop: int
    shortest: int = 1

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield ``(some windows, size)``, float32.

        Raises
        ------
        MediaError
            As `LongSound.blocks`.
        """
        blocks = self.at_rate(self.sound.blocks(), self.sound.sample_rate)
        return cut_windows(blocks, self.size, self.hop, self.shortest)


def cut_windows(blocks: Iterable[np.ndarray], size: int, hop: int, shortest: int = 1) -> Iterator[np.ndarray]:
    """Yield the windows of blocks that follow each other, some at a time, as `biovita.media.windows` cuts them all.

    Parameters
    ----------
    shortest
        A last window, other than the first, that would hold fewer samples is left out.
    """
    held = np.empty(0, np.float32)
    is_first = True
    for block in blocks:
        held = np.concatenate([held, block])
        count = 1 + (len(held) - size) // hop
        if count > 0:
            yield np.lib.stride_tricks.sliding_window_view(held, size)[::hop][:count].copy()
            held = held[count * hop :].copy()
            is_first = False
    # What is held begins where the next window would; it says something new where the last one ended before its end.
    new = len(held) - (0 if is_first else max(0, size - hop))
    if new > 0 and (is_first or len(held) >= shortest):
        last = np.zeros((1, size), np.float32)
        last[0, : len(held)] = held[:size]
        yield last


def held_windows(samples: np.ndarray, size: int, hop: int, shortest: int = 1) -> np.ndarray:
    """Return the windows of samples that are held, ``(windows, size)``, as `cut_windows` cuts them; a view."""
    windows = np.lib.stride_tricks.sliding_window_view
    full = 1 + (len(samples) - size) // hop if len(samples) >= size else 0
    held = len(samples) - full * hop
    new = held - (max(0, size - hop) if full else 0)
    count = full + (new > 0 and (not full or held >= shortest))
    missing = (count - 1) * hop + size - len(samples)
    filled = samples if missing <= 0 else np.concatenate([samples, np.zeros(missing, samples.dtype)])
    return windows(filled, size)[::hop][:count]


def window_parts(loaded: np.ndarray | LongWindows) -> Iterator[np.ndarray]:
    """Yield the windows of a loaded recording, ``(some windows, size)``: all at once, or of a long one some."""
    if isinstance(loaded, LongWindows):
        yield from loaded
    else:
        yield loaded


def mean_over_windows(
    batch: Sequence[np.ndarray | LongWindows], encode_windows: Callable[[Sequence[np.ndarray]], np.ndarray]
) -> np.ndarray:
    """Return the mean of each recording's window vectors, ``(len(batch), dim)``, float32.

    Windows of recordings that are held are encoded together, those of a long recording as they are read.

    Raises
    ------
    MediaError
        Where a long recording turns out not to decode.
    """
    held = [loaded for loaded in batch if isinstance(loaded, np.ndarray)]
    vectors = encode_windows([window for windows in held for window in windows]) if held else np.empty((0, 0))
    ends = np.cumsum([len(windows) for windows in held])
    means = iter([part.mean(axis=0) for part in np.split(vectors, ends[:-1])] if held else [])
    return np.stack(
        [next(means) if isinstance(loaded, np.ndarray) else _mean(loaded, encode_windows) for loaded in batch]
    )


def _mean(windows: LongWindows, encode_windows: Callable[[Sequence[np.ndarray]], np.ndarray]) -> np.ndarray:
    total: np.ndarray | None = None
    count = 0
    for some in windows:
        vectors = encode_windows(list(some))
        summed = vectors.sum(axis=0, dtype=np.float64)
        total = summed if total is None else total + summed
        count += len(vectors)
    assert total is not None, "a recording has a window at least"
    return (total / count).astype(np.float32)
