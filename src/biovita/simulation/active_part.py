"""Where in a labelled clip the animal calls, in time and in frequency, by the energy over the clip's own noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["ActivePart", "active_part", "band_level"]

_FRAME_S, _STEP_S = 0.02, 0.01
_LOWEST_HZ = 200.0  # below lie wind and handling
_QUIET, _LOUD = 10, 99  # percentiles of the levels of frames: the clip's noise, and its call
_BELOW_LOUD_DB = 20.0
_GAP_S = 0.5  # notes that are no further apart are one call
_MARGIN_S = 0.05  # kept before and after
_BAND = (0.05, 0.95)  # shares of the energy that lie below its edges
_HALF_BAND = 2 ** (1 / 6)  # a third of an octave at least: of a pure tone's own few hertz no noise would be heard


@dataclass(frozen=True, slots=True)
class ActivePart:
    """A call within a clip.

    Attributes
    ----------
    start, stop
        Samples.
    low_hz, high_hz
        Between which the middle 90 % of its energy lies, above 200 Hz; a third of an octave apart at least.
    level
        Root mean square in that band, full scale 1.
    """

    start: int
    stop: int
    low_hz: float
    high_hz: float
    level: float


def active_part(samples: np.ndarray, rate: int, longest_s: float) -> ActivePart | None:
    """Return the call that has most of a clip's energy; None where all is silent.

    Frames of 20 ms count as call whose level, above 200 Hz, is nearer to the loudest than to the quietest (the 99th and
    the 10th percentile, in dB) and within 20 dB of the loudest. Frames at most 0.5 s apart are one call. Of one that is
    longer than ``longest_s`` the loudest stretch of that length is taken.

    Parameters
    ----------
    samples
        ``(samples,)`` float.
    """
    from scipy.signal import butter, sosfilt

    filtered = sosfilt(butter(4, _LOWEST_HZ, "highpass", fs=rate, output="sos"), samples)
    step = max(1, round(_STEP_S * rate))
    powers = _powers(filtered, max(1, round(_FRAME_S * rate)), step)
    if not powers.max(initial=0.0) > 0:
        return None
    levels = 10 * np.log10(np.maximum(powers, powers.max() * 1e-12))
    quiet, loud = np.percentile(levels, [_QUIET, _LOUD])
    active = np.flatnonzero(levels >= max((quiet + loud) / 2, loud - _BELOW_LOUD_DB))
    groups = np.split(active, np.flatnonzero(np.diff(active) * _STEP_S > _GAP_S) + 1)
    mine = max(groups, key=lambda frames: float(powers[frames].sum()))
    first, last = int(mine[0]), int(mine[-1]) + 1
    most = max(1, int(longest_s / _STEP_S))
    if last - first > most:
        sums = np.convolve(powers[first:last], np.ones(most), "valid")
        first += int(sums.argmax())
        last = first + most
    margin = round(_MARGIN_S * rate)
    start = max(0, first * step - margin)
    stop = min(len(samples), last * step + margin, start + round(longest_s * rate))
    low, high = _band(filtered[start:stop], rate)
    return ActivePart(start, stop, low, high, band_level(samples[start:stop], rate, low, high))


def band_level(samples: np.ndarray, rate: int, low_hz: float, high_hz: float) -> float:
    """Return the root mean square of what lies between two frequencies, by Parseval's theorem."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    inside = power[(frequencies >= low_hz) & (frequencies <= high_hz)].sum()
    return float(np.sqrt(2 * inside) / len(samples))


def _powers(samples: np.ndarray, frame: int, step: int) -> np.ndarray:
    """Return the mean power of frames that begin every ``step`` samples."""
    sums = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    begins = np.arange(0, max(1, len(samples) - frame + 1), step)
    ends = np.minimum(begins + frame, len(samples))
    return (sums[ends] - sums[begins]) / frame


def _band(samples: np.ndarray, rate: int) -> tuple[float, float]:
    energy = np.cumsum(np.abs(np.fft.rfft(samples)) ** 2)
    frequencies = np.fft.rfftfreq(len(samples), 1 / rate)
    edges = np.searchsorted(energy, np.array(_BAND) * energy[-1]).clip(1, len(frequencies) - 1)
    low, high = frequencies[edges].tolist()
    centre = float(np.sqrt(low * high))
    return min(low, centre / _HALF_BAND), min(max(high, centre * _HALF_BAND), rate / 2)
