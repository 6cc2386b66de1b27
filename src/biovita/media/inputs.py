"""What a user hands over to be encoded: spans of sound files, samples in memory, photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from biovita.media.packed_files import MediaPath

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["AudioItem", "Clip", "ImageItem", "Sound"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a sound file; ``end_s`` None means up to its end."""

    path: MediaPath
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples in memory: float, ``(samples,)`` or ``(samples, channels)``, and their rate in hertz."""

    samples: np.ndarray
    sample_rate: int


AudioItem: TypeAlias = "Clip | Sound | MediaPath | str"
ImageItem: TypeAlias = "MediaPath | str | Image.Image"
