"""Random streams that depend on the seed and on what they are for, and on nothing else."""

from __future__ import annotations

from zlib import crc32

import numpy as np

__all__ = ["stream"]


def stream(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """Return the generator for one purpose of one thing, the same whatever else is drawn and in what order."""
    return np.random.default_rng([seed, crc32(purpose.encode()), *index])
