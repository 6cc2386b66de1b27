"""The windows of a long recording that hold most sound above its background."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

__all__ = ["FRAME_S", "best_windows", "frame_levels", "sound_windows"]

FRAME_S = 0.1
_QUIET = 20  # percentile of the frames' levels that counts as the background
_FLOOR_DB = -100.0


def frame_levels(blocks: Iterable[np.ndarray], sample_rate: int) -> np.ndarray:
    """Return the level in dB of each frame of `FRAME_S`, of the differenced signal.

    Differencing takes away 6 dB an octave: wind and traffic lie low, and calls mostly do not.

    Parameters
    ----------
    blocks
        Float arrays ``(samples, channels)``, one after the other.
    """
    size = _frame_size(sample_rate)
    rest = np.empty(0, np.float32)
    levels = []
    for block in blocks:
        rest = np.concatenate([rest, block.mean(axis=1, dtype=np.float32)])
        whole = len(rest) // size
        if whole:
            frames, rest = rest[: whole * size].reshape(whole, size), rest[whole * size :]
            power = np.mean(np.square(np.diff(frames, axis=1)), axis=1, dtype=np.float64)
            levels.append(10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10))))
    return np.concatenate(levels) if levels else np.empty(0)


def _frame_size(sample_rate: int) -> int:
    return max(2, round(FRAME_S * sample_rate))


def best_windows(
    levels: np.ndarray, seconds: float, count: int, frame_s: float = FRAME_S
) -> list[tuple[float, float]]:
    """Return at most ``count`` windows, in order of time, that do not overlap.

    A window's worth is the sum of what its frames rise above the background, the 20th percentile of all levels. The
    best goes first, of equals the earliest, then the best that does not overlap it, and so on; a window that does not
    rise above the background at all is taken only where it would be the first.

    Examples
    --------
    >>> levels = np.full(600, -60.0); levels[300:350] = -20.0
    >>> best_windows(levels, 10.0, 1)
    [(25.0, 35.0)]
    """
    size = round(seconds / frame_s)
    if len(levels) <= size:
        return [(0.0, seconds)]
    above = np.maximum(levels - np.percentile(levels, _QUIET), 0.0)
    sums = np.concatenate([[0.0], np.cumsum(above)])
    worth = np.round(sums[size:] - sums[:-size], 6)
    taken: list[int] = []
    while len(taken) < count:
        best = int(np.argmax(worth))
        if taken and worth[best] <= 0:
            break
        start = _centred(worth, best)
        taken.append(start)
        worth[max(0, start - size + 1) : start + size] = -1.0
    return [(round(start * frame_s, 3), round(start * frame_s + seconds, 3)) for start in sorted(taken)]


def _centred(worth: np.ndarray, first: int) -> int:
    """Return the middle of the run of equally good windows that begins at ``first``: the sound lies in its middle."""
    last = first
    while last + 1 < len(worth) and worth[last + 1] == worth[first]:
        last += 1
    return (first + last) // 2


def sound_windows(path: Path, duration_s: float, seconds: float, count: int) -> list[tuple[float, float]]:
    """Return the windows of a recording; one that is not longer than a window is one clip, whole."""
    from biovita.media.decode import open_sound

    if duration_s <= seconds:
        return [(0.0, duration_s)]
    with open_sound(path) as reader:
        rate = reader.sample_rate
        levels = frame_levels(reader.blocks(), rate)
    found = best_windows(levels, seconds, count, _frame_size(rate) / rate)
    return [(start, min(end, duration_s)) for start, end in found]
