"""Slaney's mel scale (Auditory Toolbox, 1998): linear to 1 kHz, then 27 steps to a factor of 6.4."""

from __future__ import annotations

import numpy as np

__all__ = ["hz_to_mel", "mel_to_hz"]


def hz_to_mel(hz: float) -> float:
    """Return where a frequency lies on the scale.

    Examples
    --------
    >>> hz_to_mel(1000.0), round(hz_to_mel(6400.0), 9)
    (15.0, 42.0)
    """
    return hz * 3 / 200 if hz < 1000 else 15 + 27 * float(np.log(hz / 1000)) / float(np.log(6.4))


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Return the frequencies, in hertz, of places on the scale."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
