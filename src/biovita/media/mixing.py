"""Which channel of a recording is heard where nobody chose one: the mean of all, unless they cancel each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from biovita.errors import MediaError
from biovita.media.decode import SoundReader, open_on_disk

__all__ = ["Mixdown", "mix_of", "mix_of_samples"]

# Energy of the mean times the number of channels, as a share of the strongest channel's: of channels that are as strong
# and have nothing in common it is 1, of a pair with a dead one 1/2. Of one microphone in opposite phases, one of them
# 1 dB louder, it was 1/240 in WAV and MP3, and 1/9 in Vorbis, which writes noise anew for each channel.
_CANCELLED = 0.2
_PLACES, _SAMPLES = 8, 1 << 13  # that are listened to: the same ones whatever part of a recording is read
_NOTHING = 1e-9  # mean square, -90 dB: what says nothing about the channels


@dataclass(frozen=True, slots=True)
class Mixdown:
    """The channel that is heard, from 1, or None for the mean of all; and why, where that is a channel."""

    channel: int | None = None
    note: str | None = None


_MEAN = Mixdown()


def mix_of(reader: SoundReader) -> Mixdown:
    """Return what is heard of an open recording, by a few places spread over it; by all of it where these are silent.

    It opens the file anew and leaves ``reader`` where it is.
    """
    if reader.channels == 1:
        return _MEAN
    stat = reader.path.stat()
    return _of_unchanged(reader.path, stat.st_size, stat.st_mtime_ns)


def mix_of_samples(samples: np.ndarray) -> Mixdown:
    """Return what is heard of samples, ``(samples, channels)``."""
    return _decided(*_energies([samples])) if samples.shape[1] > 1 else _MEAN


@lru_cache(maxsize=1024)
def _of_unchanged(path: Path, _size: int, _mtime_ns: int) -> Mixdown:
    with open_on_disk(path) as reader:
        frames = reader.frames
    if frames > 2 * _PLACES * _SAMPLES:
        starts = [frames * (2 * place + 1) // (2 * _PLACES) for place in range(_PLACES)]
        blocks = [block for start in starts for block in _blocks(path, start, start + _SAMPLES)]
        energies, of_mean = _energies(blocks)
        if energies.max(initial=0.0) > _NOTHING:
            return _decided(energies, of_mean)
    return _decided(*_energies(_blocks(path, 0, frames)))


def _blocks(path: Path, start: int, stop: int) -> Iterable[np.ndarray]:
    """Yield what decodes: what does not is told where it is read."""
    with open_on_disk(path) as reader:
        try:
            yield from reader.blocks(start, stop)
        except MediaError:
            return


def _energies(blocks: Iterable[np.ndarray]) -> tuple[np.ndarray, float]:
    """Return the mean square of each channel and that of their mean, without what is constant in a block."""
    energies, of_mean, count = np.zeros(1), 0.0, 0
    for block in blocks:
        centred = block - block.mean(axis=0, dtype=np.float64).astype(np.float32)
        energies = energies + np.einsum("sc,sc->c", centred, centred, dtype=np.float64)
        mono = centred.mean(axis=1)
        of_mean += float(np.dot(mono, mono))
        count += len(block)
    return energies / max(1, count), of_mean / max(1, count)


def _decided(energies: np.ndarray, of_mean: float) -> Mixdown:
    strongest = int(np.argmax(energies >= 0.99 * energies.max()))  # the first of those that are as strong
    if energies[strongest] <= _NOTHING or not of_mean * len(energies) < _CANCELLED * energies[strongest]:
        return _MEAN
    below = 10 * np.log10(energies[strongest] / max(of_mean, 1e-12))
    note = (
        f"the mean of its channels is {below:.0f} dB below channel {strongest + 1} alone, as where phases are "
        f"opposite: channel {strongest + 1} is heard in its place"
    )
    return Mixdown(strongest + 1, note)
