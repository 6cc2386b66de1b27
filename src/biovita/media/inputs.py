"""What a user hands over to be encoded: spans of sound files, samples in memory, photographs and boxes in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from biovita.media.hearing import AS_IT_IS, Hearing
from biovita.media.packed_files import MediaPath

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["AudioItem", "Box", "Clip", "ImageItem", "Picture", "Sound"]

Box: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a sound file; ``end_s`` None means up to its end.

    Attributes
    ----------
    hearing
        What is heard of it: which channel, which band, how fast. Its times are those of the file whatever that is.
    """

    path: MediaPath
    start_s: float = 0.0
    end_s: float | None = None
    hearing: Hearing = AS_IT_IS


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples in memory: float, ``(samples,)`` or ``(samples, channels)``, and their rate in hertz."""

    samples: np.ndarray
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A part of a picture: a box of x, y, width and height, as shares of the picture as it is shown."""

    path: MediaPath
    box: Box


AudioItem: TypeAlias = "Clip | Sound | MediaPath | str"
ImageItem: TypeAlias = "MediaPath | str | Picture | Image.Image"
