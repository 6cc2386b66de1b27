"""Whether an encoder hears anything of a recording: not silence, a constant, or what lies above its frequencies."""

from __future__ import annotations

import numpy as np

from biovita.limits import limit

__all__ = ["SILENCE", "Audible", "too_short"]

SILENCE = 5e-5  # half of what lies between the extremes, full scale 1: a step and a half of 16-bit sound, -86 dB
_BLOCK = 1 << 16  # samples whose frequencies are looked at together
_MOSTLY = 0.01  # share of the energy below which a band does not count
_CORE = 0.05  # of the energy that lies below, and above, the band that is named


def too_short(seconds: float) -> str | None:
    """Return why a recording or a part of it is too short to be used; None where it is not."""
    least = limit("shortest") / 1000
    if seconds >= least - 1e-6:
        return None
    return (
        f"it lasts {seconds:.3f} s, and at least {least:g} s are accepted (--limit shortest=N sets another limit, in "
        "milliseconds)"
    )


class Audible:
    """Listens to what is heard of a recording, block by block.

    Parameters
    ----------
    sample_rate
        At which the samples count, in hertz.
    encoder_rate
        To which they will be resampled: what lies above half of it is removed. 0: nothing is.
    expand
        How many times slower than the recording they are.
    """

    def __init__(self, sample_rate: int, encoder_rate: int = 0, expand: float = 1.0) -> None:
        self._rate, self._expand = sample_rate, expand
        self._limit = encoder_rate / 2 if 0 < encoder_rate < sample_rate else 0.0
        self._peak = self._low = self._constant = 0.0
        self._loudest: np.ndarray | None = None

    def add(self, samples: np.ndarray) -> None:
        """Listen to the next samples, ``(samples,)``."""
        for start in range(0, len(samples), _BLOCK):
            block = samples[start : start + _BLOCK]
            high, low = float(block.max()), float(block.min())
            peak = (high - low) / 2
            if peak >= self._peak:
                self._peak, self._constant = peak, (high + low) / 2
                self._loudest = block if self._limit else None
            if self._limit and self._low < SILENCE <= peak:
                self._low = max(self._low, _peak_below(block, self._rate, self._limit))

    @property
    def is_loud(self) -> bool:
        """Whether there is sound, be it one that is not heard."""
        return self._peak >= SILENCE

    def why_silent(self) -> str | None:
        """Return why nothing is heard; None where something is."""
        if self._peak < SILENCE:
            if abs(self._constant) < SILENCE:
                return f"no sample reaches {SILENCE:g} of full scale"
            return f"all samples are about {self._constant:.2g}, a constant, as a dead microphone gives it"
        if self._limit and self._low < SILENCE:
            return (
                f"it holds no sound below {self._hertz(self._limit)}, and nothing else is heard at "
                f"{2 * self._limit / 1000:g} kHz: {self._where()}. Time expansion makes it audible "
                "(biovita identify --expand 10)"
            )
        return None

    def why_faint(self) -> str | None:
        """Return what is removed of the loudest sound, where that is nearly all of it; None where it is not."""
        if not self._limit or self._loudest is None:
            return None
        energies, step = _spectrum(self._loudest, self._rate)
        if energies[: round(self._limit / step) + 1].sum() >= _MOSTLY * energies.sum():
            return None
        return (
            f"its loudest sound is not heard at {2 * self._limit / 1000:g} kHz, which ends at "
            f"{self._hertz(self._limit)}: {self._where()}. Time expansion makes it audible "
            "(biovita identify --expand 10)"
        )

    def _hertz(self, hertz: float) -> str:
        return f"{hertz * self._expand / 1000:.3g} kHz"

    def _where(self) -> str:
        """Return which band holds the energy of the loudest sound."""
        assert self._loudest is not None
        energies, step = _spectrum(self._loudest, self._rate)
        shares = np.cumsum(energies) / energies.sum()
        low, high = (float(np.searchsorted(shares, share)) * step for share in (_CORE, 1 - _CORE))
        return f"its energy lies at {low * self._expand / 1000:.3g} to {self._hertz(high)}"


def _spectrum(block: np.ndarray, rate: int) -> tuple[np.ndarray, float]:
    """Return the energy at each frequency, and how far these lie apart in hertz."""
    power = np.abs(np.fft.rfft((block - block.mean()) * np.hanning(len(block)))) ** 2
    return power, rate / len(block)


def _peak_below(block: np.ndarray, rate: int, hertz: float) -> float:
    """Return half of what lies between the extremes of the sound below a frequency."""
    spectrum = np.fft.rfft((block - block.mean()) * np.hanning(len(block)))
    spectrum[round(hertz * len(block) / rate) + 1 :] = 0
    low = np.fft.irfft(spectrum, len(block))
    return float(low.max() - low.min()) / 2
