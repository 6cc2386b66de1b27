"""Listening to a recording: its fingerprint, and the windows that hold most sound above its background."""

from __future__ import annotations

import numpy as np

from biovita.collect.fingerprint import Fingerprinter

__all__ = ["FRAME_S", "Levels", "Listener", "best_windows"]

FRAME_S = 0.1
_QUIET = 20  # percentile of the frames' levels that counts as the background
_FLOOR_DB = -100.0


class Levels:
    """The levels of a recording's frames of `FRAME_S`, block by block.

    They are those of the differenced signal. Differencing takes away 6 dB an octave: wind and traffic lie low, and
    calls mostly do not.
    """

    def __init__(self, sample_rate: int) -> None:
        self._size = _frame_size(sample_rate)
        self._rest = np.empty(0, np.float32)
        self._levels: list[np.ndarray] = []
        self.frame_s = self._size / sample_rate

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, ``(samples, channels)``."""
        samples = np.concatenate([self._rest, block.mean(axis=1, dtype=np.float32)])
        whole = len(samples) // self._size
        frames, self._rest = (
            samples[: whole * self._size].reshape(whole, self._size),
            samples[whole * self._size :],
        )
        power = np.mean(np.square(np.diff(frames, axis=1)), axis=1, dtype=np.float64)
        self._levels.append(10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10))))

    def all(self) -> np.ndarray:
        """Return the levels of all whole frames, in dB."""
        return np.concatenate([np.empty(0), *self._levels])


def _frame_size(sample_rate: int) -> int:
    return max(2, round(FRAME_S * sample_rate))


def best_windows(
    levels: np.ndarray, seconds: float, count: int, frame_s: float = FRAME_S
) -> list[tuple[float, float]]:
    """Return at most ``count`` windows, in order of time, that do not overlap.

    A window's worth is the sum of what its frames rise above the background, the 20th percentile of all levels. The
    best goes first, of equals the earliest, or the middle one where they follow each other; then the best that does not
    overlap it, and so on. A window that does not rise above the background at all is taken only where it would be the
    first.

    Examples
    --------
    >>> levels = np.full(600, -60.0); levels[300:350] = -20.0
    >>> best_windows(levels, 10.0, 1)
    [(27.5, 37.5)]
    """
    size = max(1, round(seconds / frame_s))
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


class Listener:
    """Hears a recording once, for its windows and its fingerprint."""

    def __init__(self) -> None:
        self._levels: Levels | None = None
        self._fingerprinter: Fingerprinter | None = None

    def hear(self, block: np.ndarray, sample_rate: int) -> None:
        """Take the next samples, ``(samples, channels)``."""
        if self._levels is None or self._fingerprinter is None:
            self._levels, self._fingerprinter = Levels(sample_rate), Fingerprinter(sample_rate)
        self._levels.add(block)
        self._fingerprinter.add(block)

    def windows(self, duration_s: float, seconds: float, count: int) -> list[tuple[float, float]]:
        """Return the windows of a recording; one that is not longer than a window is one clip, whole."""
        if duration_s <= seconds or self._levels is None:
            return [(0.0, duration_s)]
        found = best_windows(self._levels.all(), seconds, count, self._levels.frame_s)
        return [(start, min(end, duration_s)) for start, end in found]

    def fingerprint(self) -> np.ndarray:
        """Return the recording's fingerprint, when all was heard."""
        return np.empty(0, np.uint16) if self._fingerprinter is None else self._fingerprinter.words()
