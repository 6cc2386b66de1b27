"""Spectrogram pictures for reports: small, on a logarithmic frequency axis, drawn with Pillow alone."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np

from biovita.media.mel_scale import hz_to_mel, mel_to_hz

__all__ = ["frequency_span", "spectrogram_png"]

_LOW_HZ, _TOP_HZ = 150.0, 16_000.0
_RANGE_DB = 55.0  # below the loudest point everything is drawn as background
_FLOOR_PERCENTILE = 45.0  # of a picture's levels: taken for its background
_STEADY_SHARE = 0.6  # how much of a row's own median is taken off it: hum and wind are not what one looks for
_SHADES = 40  # of the 256 colours; noise in more of them makes the file large

# Night blue over teal to a warm white: lightness rises evenly. Points of our own, as (position, R, G, B).
_POINTS = (
    (0.00, 9, 12, 30),
    (0.20, 22, 36, 78),
    (0.40, 20, 84, 116),
    (0.60, 34, 139, 128),
    (0.80, 133, 190, 110),
    (1.00, 253, 240, 190),
)


def spectrogram_png(
    samples: np.ndarray, sample_rate: float, *, width: int, height: int, max_hz: float | None = None
) -> bytes:
    """Return a spectrogram as a PNG picture: time to the right, frequency upwards.

    The frequency axis is Slaney's mel scale, linear below 1 kHz and logarithmic above, from 150 Hz to ``max_hz``.
    Levels are in decibels, relative to the loudest point and to a part of each frequency's own median. The same
    samples give the same bytes.

    Parameters
    ----------
    samples
        ``(samples,)``.
    sample_rate
        In hertz.
    width, height
        Of the picture, in pixels.
    max_hz
        Top of the picture; by default half the sample rate, at most 16 kHz.
    """
    from PIL import Image

    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"the samples have the shape {samples.shape}; it has to be (samples,) with 1 or more")
    if width < 1 or height < 1:
        raise ValueError(f"width is {width} and height is {height}; both have to be 1 pixel or more")
    bottom, top = frequency_span(sample_rate, max_hz)
    power = _power_columns(samples, sample_rate, width)
    rows = _rows(power, sample_rate, bottom, top, height)
    levels = 10 * np.log10(np.maximum(rows, 1e-12))
    median = np.median(levels, axis=1, keepdims=True)
    levels = levels - _STEADY_SHARE * (median - median.min())
    high = float(levels.max())
    low = max(high - _RANGE_DB, float(np.percentile(levels, _FLOOR_PERCENTILE)))
    shade = np.clip((levels - low) / max(high - low, 1e-6), 0, 1) if high > -119 else np.zeros_like(levels)
    indices = np.rint(np.rint(shade[::-1] * (_SHADES - 1)) * 255 / (_SHADES - 1)).astype(
        np.uint8
    )  # row 0 of a picture is its top
    image = Image.fromarray(indices, "P")
    image.putpalette(_palette().tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _palette() -> np.ndarray:
    """Return the 256 colours ``(256, 3)``, uint8."""
    points = np.array(_POINTS)
    at = np.linspace(0, 1, 256)
    colours = [np.interp(at, points[:, 0], points[:, channel]) for channel in (1, 2, 3)]
    return np.rint(np.stack(colours, axis=1)).astype(np.uint8)


def _power_columns(samples: np.ndarray, sample_rate: float, width: int) -> np.ndarray:
    """Return the power spectrum ``(columns, bins)``, a column a pixel, each the mean of the frames within it."""
    size = 1 << max(6, round(np.log2(0.023 * sample_rate)))  # about 23 ms
    hop = max(1, min(size // 2, len(samples) // (2 * width)))
    padded = np.pad(samples, (size // 2, size // 2 + hop))
    window = np.hanning(size).astype(np.float32)
    starts = np.arange(0, len(samples), hop)
    column_of = np.minimum(starts * width // len(samples), width - 1)
    power = np.zeros((width, size // 2 + 1), np.float64)
    for first in range(0, len(starts), 512):
        part = starts[first : first + 512]
        frames = padded[part[:, None] + np.arange(size)] * window
        columns = column_of[first : first + 512]  # ascending
        begins = np.flatnonzero(np.diff(columns, prepend=-1))
        power[columns[begins]] += np.add.reduceat(np.abs(np.fft.rfft(frames, axis=1)) ** 2, begins)
    counts = np.bincount(column_of, minlength=width)
    filled = np.flatnonzero(counts)
    nearest = filled[np.abs(np.arange(width)[:, None] - filled[None, :]).argmin(axis=1)]
    return (power / np.maximum(counts, 1)[:, None])[nearest] / window.sum() ** 2


def _rows(power: np.ndarray, sample_rate: float, low: float, high: float, height: int) -> np.ndarray:
    """Return ``(height, columns)``: the largest bin within each row's band, or the spectrum at its centre."""
    edges = mel_to_hz(np.linspace(hz_to_mel(low), hz_to_mel(high), height + 1))
    bins = power.shape[1]
    positions = edges / (sample_rate / 2) * (bins - 1)
    rows = np.empty((height, len(power)))
    for row, (left, right) in enumerate(pairwise(positions)):
        inside = np.arange(np.ceil(left), np.floor(right) + 1).astype(int)
        if len(inside) > 1:
            rows[row] = power[:, inside].max(axis=1)
        else:
            centre = min((left + right) / 2, bins - 1)
            below = min(int(centre), bins - 2)
            share = centre - below
            rows[row] = (1 - share) * power[:, below] + share * power[:, below + 1]
    return rows


def frequency_span(sample_rate: float, max_hz: float | None = None) -> tuple[float, float]:
    """Return the lowest and the highest frequency of a picture, in hertz; see `spectrogram_png`."""
    top = min(sample_rate / 2, max_hz or _TOP_HZ)
    return min(_LOW_HZ, top / 4), top
