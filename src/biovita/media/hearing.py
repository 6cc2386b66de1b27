"""What is heard of a recording: one channel or all, a band of frequencies, as fast as it is or slowed down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from biovita.errors import BiovitaError, MediaError

__all__ = ["AS_IT_IS", "Hearing", "heard"]

_ORDER = 8  # of the Butterworth filter: 48 dB an octave on each side


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is heard of a recording.

    Attributes
    ----------
    channel
        From 1; None is the mean of all.
    low_hz, high_hz
        Band of frequencies, of the recording as it is; None is no limit on that side.
    expand
        How many times slower it is heard: 10 brings a bat's 40 kHz down to 4 kHz.
    """

    channel: int | None = None
    low_hz: float | None = None
    high_hz: float | None = None
    expand: float = 1.0

    def __post_init__(self) -> None:
        if self.channel is not None and self.channel < 1:
            raise BiovitaError(f"the channel is {self.channel}. Channels are counted from 1")
        low, high = self.low_hz or 0.0, self.high_hz or np.inf
        if not 0 <= low < high:
            raise BiovitaError(
                f"the band is {low:g} to {high:g} Hz. It has to begin at 0 or more and end above that"
            )
        if not 0.01 <= self.expand <= 100:
            raise BiovitaError(f"the time is expanded by {self.expand:g}. It has to be 0.01 to 100")

    def describe(self) -> str:
        """Return what it changes, in words, and nothing where it changes nothing. The channel is no part of it.

        Examples
        --------
        >>> Hearing(low_hz=10_000, expand=10).describe()
        'from 10000 Hz, time expanded by 10'
        """
        parts = []
        if self.low_hz is not None:
            parts.append(f"from {self.low_hz:g} Hz" + (f" to {self.high_hz:g} Hz" if self.high_hz else ""))
        elif self.high_hz is not None:
            parts.append(f"up to {self.high_hz:g} Hz")
        if self.expand != 1:
            parts.append(f"time expanded by {self.expand:g}")
        return ", ".join(parts)

    def rate(self, sample_rate: int) -> int:
        """Return the rate at which samples of a file count, in hertz, to a whole number."""
        return max(1, round(sample_rate / self.expand))


AS_IT_IS = Hearing()


def heard(blocks: Iterable[np.ndarray], sample_rate: int, hearing: Hearing, where: object) -> Iterator[np.ndarray]:
    """Yield what is heard of blocks that follow each other, float32 ``(samples,)``.

    The band is cut out by a Butterworth filter of eighth order, which runs on from block to block.

    Parameters
    ----------
    blocks
        Float32 ``(samples, channels)``.
    sample_rate
        Of the file, in hertz.
    where
        Names the recording in an error.

    Raises
    ------
    MediaError
        ``no-channel`` where there is no such channel; ``no-band`` where the band begins above what the recording holds.
    """
    sections = state = None
    if hearing.low_hz or hearing.high_hz:
        sections = _band(hearing, sample_rate, where)
        state = None if sections is None else np.zeros((len(sections), 2))
    for block in blocks:
        mono = _channel(block, hearing.channel, where)
        if sections is not None:
            from scipy.signal import sosfilt

            filtered, state = sosfilt(sections, mono, zi=state)
            mono = filtered.astype(np.float32)
        yield mono


def _channel(block: np.ndarray, channel: int | None, where: object) -> np.ndarray:
    if channel is None:
        mean: np.ndarray = block.mean(axis=1, dtype=np.float32)
        return mean
    if channel > block.shape[1]:
        raise MediaError(
            "no-channel", f"{where}: it has {block.shape[1]} channel(s), and channel {channel} was asked"
        )
    return np.ascontiguousarray(block[:, channel - 1])


def _band(hearing: Hearing, sample_rate: int, where: object) -> np.ndarray | None:
    """Return the sections of the filter; None where the band is all that the recording holds."""
    from scipy.signal import butter

    low, high, most = hearing.low_hz or 0.0, hearing.high_hz or np.inf, sample_rate / 2
    if low >= most:
        raise MediaError(
            "no-band", f"{where}: it holds frequencies up to {most:g} Hz, and the band begins at {low:g} Hz"
        )
    if high >= most:
        if not low:
            return None
        return np.asarray(butter(_ORDER, low, "highpass", fs=sample_rate, output="sos"))
    if not low:
        return np.asarray(butter(_ORDER, high, "lowpass", fs=sample_rate, output="sos"))
    return np.asarray(butter(_ORDER // 2, (low, high), "bandpass", fs=sample_rate, output="sos"))
