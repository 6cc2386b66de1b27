"""Acoustic fingerprints: nearly equal for recordings that sound the same, however they are encoded.

After Haitsma and Kalker (2002), A highly robust audio fingerprinting system: a bit says whether the energy difference
of two neighbouring bands has grown or shrunk. Gain falls out of it, encoders leave most of the bits as they are, and a
part of a recording has the bits of that part. In place of their bands of speech and music up to 2 kHz, and words every
11.6 ms, there are bands up to 7 kHz, where animals call, and words every 32 ms that compare energies further apart.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = ["FORMAT", "SAME", "Fingerprinter", "Fingerprints", "decoded", "distance", "encoded"]

FORMAT = 1  # raised when fingerprints can no longer be compared with older ones
SAME = 0.6  # distance up to which recordings count as the same; see `Fingerprints`
RATE = 16_000  # Hz; all sound is brought to it
LONGEST_S = 120.0  # of a recording, from its start on, that is listened to
_BANDS = 17
_LOWEST, _HIGHEST = 300.0, 7000.0  # Hz
_FFT, _HOP = 512, 256
_MEAN = 16  # hops that an energy is the mean of: 256 ms
_STEP = 2  # hops from one word to the next: 32 ms
_LAG = 4  # words between the energies that are compared: 128 ms
_FLOOR_DB = -80.0  # below the loudest band; what is weaker counts as this
_LEAST_WORDS = 50  # those of 2 s of sound, that two recordings have to have in common
_VARIED = 0.2  # share of bits that would differ by chance, under which a passage says too little
_LOOKED_UP = 300  # words of a recording, evenly spread
_KEY_BITS = 12  # of a word, those of the lowest bands, by which it is looked up
_TRIED, _LEAST_VOTES = 24, 2  # places that most words point to


@cache
def _weights() -> np.ndarray:
    """Return how much of each bin of the power spectrum belongs to each band: ``(257, 17)``."""
    edges = np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1) / (RATE / _FFT)
    bins = np.arange(_FFT // 2 + 1)[:, None]
    upper = np.minimum(bins + 0.5, edges[1:])
    return np.maximum(upper - np.maximum(bins - 0.5, edges[:-1]), 0.0).astype(np.float32)


class Fingerprinter:
    """Listens to a recording block by block."""

    def __init__(self, sample_rate: int) -> None:
        import soxr

        self._resampler = soxr.ResampleStream(sample_rate, RATE, 1, dtype="float32", quality="MQ")
        self._left = round(LONGEST_S * sample_rate)
        self._rest = np.empty(0, np.float32)
        self._energies: list[np.ndarray] = []

    def add(self, block: np.ndarray) -> None:
        """Listen to the next samples, ``(samples, channels)``."""
        if self._left > 0:
            mono = block[: self._left].mean(axis=1, dtype=np.float32)
            self._left -= len(mono)
            self._take(self._resampler.resample_chunk(mono))

    def _take(self, samples: np.ndarray) -> None:
        samples = np.concatenate([self._rest, samples])
        count = 1 + (len(samples) - _FFT) // _HOP
        if count < 1:
            self._rest = samples
            return
        self._rest = samples[count * _HOP :]
        frames = np.lib.stride_tricks.sliding_window_view(samples, _FFT)[::_HOP][:count]
        spectra = np.fft.rfft(frames * np.hanning(_FFT).astype(np.float32))
        self._energies.append((spectra.real**2 + spectra.imag**2) @ _weights())

    def words(self) -> np.ndarray:
        """Return the fingerprint, uint16 ``(words,)``; of what is shorter than a third of a second, an empty one."""
        self._take(self._resampler.resample_chunk(np.empty(0, np.float32), last=True))
        energies = np.concatenate([np.zeros((1, _BANDS)), *self._energies])
        if len(energies) <= _MEAN:
            return np.empty(0, np.uint16)
        sums = np.cumsum(energies, axis=0, dtype=np.float64)
        means = (sums[_MEAN:] - sums[:-_MEAN])[::_STEP]
        levels = 10 * np.log10(np.maximum(means, max(means.max(), 1e-30) * 10 ** (_FLOOR_DB / 10)))
        contrast = np.diff(levels, axis=1)
        bits = contrast[_LAG:] > contrast[:-_LAG]
        return np.ascontiguousarray(np.packbits(bits, axis=1)).view(">u2").astype(np.uint16).ravel()


def encoded(words: np.ndarray) -> str:
    """Return a fingerprint as text."""
    return base64.b64encode(words.astype("<u2").tobytes()).decode()


def decoded(text: str) -> np.ndarray:
    """Return the fingerprint that a text stands for."""
    return np.frombuffer(base64.b64decode(text), "<u2")


class Fingerprints:
    """Fingerprints of recordings, among which one that sounds the same is found.

    Equal words of two recordings point to how they would lie on each other. There the distance is the share of bits
    that differ, divided by the share that would differ if the two had nothing in common, given how often each bit is
    set in each: near 0 for the same sound, near 1 for different ones. They have to have 2 s in common and half of
    the shorter one.

    Measured on the 402 recordings of the field sample (1 to 10 s, 180 species): of 201 of them, encoded anew and cut
    in seven ways, all 1,407 were found among the 402, and none was taken for another one. Their distances are, in the
    median and at most: MP3 at 64 kbit/s 0.12, 0.40, at 32 kbit/s 0.20, 0.47; AAC at 64 kbit/s 0.14, 0.42; resampled
    to 22.05 kHz and softer by 12 dB 0.00, 0.00; six tenths of it 0.27, 0.44, these as MP3 at 64 kbit/s 0.30, 0.48, as
    AAC at 96 kbit/s and 44.1 kHz 0.28, 0.54. Of the 80,447 pairs of different recordings the least distance at any
    lag is 0.77 (of the 240 of one species 0.82), the median 0.91.
    """

    def __init__(self) -> None:
        self._known: list[np.ndarray] = []
        self._starts: list[int] = []
        self._end = 0
        self._levels: list[_Level] = []

    def find(self, words: np.ndarray) -> int | None:
        """Return the number of the first recording that one sounds the same as; None where there is none."""
        if len(words) < _LEAST_WORDS or not self._known:
            return None
        found = []
        for start in self._places(words):
            number = bisect_right(self._starts, start + len(words)) - 1
            if number >= 0 and distance(self._known[number], words, start - self._starts[number], SAME) <= SAME:
                found.append(number)
        return min(found, default=None)

    def _places(self, words: np.ndarray) -> list[int]:
        """Return where the recording would lie among the known ones, by the words that say so, the most first."""
        keys = words >> (16 - _KEY_BITS)
        asked = np.arange(0, len(words), max(1, len(words) // _LOOKED_UP))
        asked = asked[(keys[asked] != 0) & (keys[asked] != (1 << _KEY_BITS) - 1)]  # as silence has
        hits = [level.hits(keys[asked], asked) for level in self._levels]
        starts, votes = np.unique(np.concatenate(hits), return_counts=True)
        starts, votes = starts[votes >= _LEAST_VOTES], votes[votes >= _LEAST_VOTES]
        return [int(start) for start in starts[np.lexsort((starts, -votes))[:_TRIED]]]

    def add(self, words: np.ndarray) -> None:
        """Remember a recording, by the next number."""
        self._known.append(words)
        self._starts.append(self._end)
        level = _Level.of(words >> (16 - _KEY_BITS), np.arange(self._end, self._end + len(words)))
        self._end += len(words) + round(LONGEST_S * RATE / (_HOP * _STEP))  # so that no two claim the same place
        while self._levels and self._levels[-1].recordings == level.recordings:
            level = level.merged(self._levels.pop())
        self._levels.append(level)


@dataclass(frozen=True, slots=True)
class _Level:
    """An index of keys; levels of equal size are merged, so that there are few, and adding stays cheap."""

    recordings: int
    keys: np.ndarray  # sorted
    places: np.ndarray

    @classmethod
    def of(cls, keys: np.ndarray, places: np.ndarray, recordings: int = 1) -> _Level:
        order = np.argsort(keys, kind="stable")
        return cls(recordings, keys[order], places[order])

    def merged(self, other: _Level) -> _Level:
        keys, places = (np.concatenate(pair) for pair in ((self.keys, other.keys), (self.places, other.places)))
        return self.of(keys, places, self.recordings + other.recordings)

    def hits(self, keys: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return where a recording would start for each known key that equals one of its keys ``at`` a place."""
        first, last = (np.searchsorted(self.keys, keys, side) for side in ("left", "right"))
        counts = last - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.places[np.repeat(first, counts) + within] - np.repeat(at, counts)


def distance(one: np.ndarray, other: np.ndarray, start: int, most: float = 2.0) -> float:
    """Return how different two fingerprints are where the second starts at a word of the first, or before it.

    Parameters
    ----------
    most
        Distances above this need not be told apart.

    Returns
    -------
    float
        0 for equal ones, about 1 for such that have nothing in common; infinite where they overlap too little, or in
        a passage without variety, or where it is above ``most``.
    """
    first, last = max(start, 0), min(start + len(other), len(one))
    count = last - first
    if count < max(_LEAST_WORDS, min(len(one), len(other)) / 2):
        return float("inf")
    here, there = one[first:last], other[first - start : last - start]
    differing = float(np.bitwise_count(here ^ there).mean()) / 16
    if differing > 0.5 * most:  # by chance at most half of the bits differ
        return float("inf")
    here, there = _bits(here), _bits(there)
    often, as_often = here.mean(axis=0), there.mean(axis=0)
    by_chance = float(np.mean(often * (1 - as_often) + as_often * (1 - often)))
    return differing / by_chance if by_chance > _VARIED else float("inf")


def _bits(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(words.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
