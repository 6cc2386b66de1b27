"""Perceptual hashes of photographs: nearly equal for pictures that look the same."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["NEAR", "distance", "perceptual_hash"]

NEAR = 4  # bits of 64 in which the hashes of near-duplicates differ at most
_SIDE, _KEPT = 32, 8


@cache
def _basis() -> np.ndarray:
    """Return the lowest rows of the discrete cosine transform (type II) of 32 values: ``(8, 32)``."""
    positions = (2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
    return np.cos(np.pi * np.arange(_KEPT)[:, None] * positions[None, :])


def perceptual_hash(image: Image.Image) -> int:
    """Return a hash of 64 bits: which of the 64 lowest frequencies of the grey picture lie above their median.

    The recipe is that of pHash (Zauner 2010, Implementation and Benchmarking of Perceptual Image Hash Functions).
    """
    grey = image.convert("L").resize((_SIDE, _SIDE), 1)  # Lanczos, as `PIL.Image.Resampling` numbers it
    frequencies = (_basis() @ np.asarray(grey, dtype=np.float64) @ _basis().T).ravel()
    bits = frequencies > np.median(frequencies[1:])  # the first is the mean brightness
    return int(np.packbits(bits).view(">u8")[0])


def distance(one: int, other: int) -> int:
    """Return in how many bits two hashes differ."""
    return (one ^ other).bit_count()
