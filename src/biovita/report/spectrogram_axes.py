"""Spectrograms with what their axes need: where seconds and kilohertz stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.media.mel_scale import hz_to_mel
from biovita.media.spectrogram import frequency_span, spectrogram_png

__all__ = ["AxisMark", "Spectrogram", "drawn", "round_steps"]

_APART = 0.1  # of an axis: marks that are closer would touch
_KHZ = (0.2, 0.5, 1, 2, 4, 8, 16)


@dataclass(frozen=True)
class AxisMark:
    """A mark on an axis: its place, as a share from the left or from the bottom, and its text."""

    place: float
    text: str


@dataclass(frozen=True)
class Spectrogram:
    """A picture, PNG, with the marks of its axes: seconds within the file, and kilohertz up to ``top_khz``."""

    picture: bytes
    top_khz: float
    seconds: tuple[AxisMark, ...]
    khz: tuple[AxisMark, ...]


def drawn(
    samples: np.ndarray, sample_rate: int, *, start_s: float, slowed: float = 1.0, size: tuple[int, int]
) -> Spectrogram:
    """Return the spectrogram of a piece of a recording.

    Parameters
    ----------
    samples
        ``(samples,)``, as they are in the file.
    sample_rate
        Of the file, in hertz.
    start_s
        Where the piece begins within the file.
    slowed
        The picture is that of the piece slowed down by this, which shows ultrasound; its marks are those of the file.
    size
        Width and height in pixels.
    """
    heard = sample_rate / slowed
    width, height = size
    low, top = frequency_span(heard)
    khz: list[AxisMark] = []
    for mark in _KHZ:
        place = float((hz_to_mel(1000 * mark) - hz_to_mel(low)) / (hz_to_mel(top) - hz_to_mel(low)))
        if 0.02 <= place <= 1 and (not khz or place - khz[-1].place >= _APART):
            khz.append(AxisMark(place, f"{mark * slowed:g}"))
    length = len(samples) / sample_rate
    steps = round_steps(start_s, start_s + length, 7)
    return Spectrogram(
        picture=spectrogram_png(samples, heard, width=width, height=height),
        top_khz=top * slowed / 1000,
        seconds=tuple(AxisMark((step - start_s) / length, f"{step:g}") for step in steps),
        khz=tuple(khz),
    )


def round_steps(low: float, high: float, most: int) -> list[float]:
    """Return round numbers from ``low`` to ``high`` at one distance, which is 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> round_steps(4.2, 9.1, 6)
    [5.0, 6.0, 7.0, 8.0, 9.0]
    """
    rough = (high - low) / most
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [float(f"{number * step:.9g}") for number in range(first, last + 1)]
