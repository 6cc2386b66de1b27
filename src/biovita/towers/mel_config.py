"""The numbers of the mel front end that CLAP's audio tower reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MelConfig"]


@dataclass(frozen=True, slots=True)
class MelConfig:
    """The numbers of a mel front end; the defaults are those of the unfused CLAP.

    Attributes
    ----------
    sample_rate
        Hertz.
    window, hop
        Length of a frame and the step from one to the next, samples.
    bands
        Number of mel bands.
    low_hz, high_hz
        Where the lowest band begins and the highest ends.
    scale
        ``slaney``: linear below 1 kHz, bands of unit area. ``htk``: logarithmic throughout, bands of unit height.
    """

    sample_rate: int = 48_000
    window: int = 1024
    hop: int = 480
    bands: int = 64
    low_hz: float = 50.0
    high_hz: float = 14_000.0
    scale: Literal["slaney", "htk"] = "slaney"
