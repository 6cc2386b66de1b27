"""Vectors as directions: their lengths, and vectors of length 1."""

from __future__ import annotations

import numpy as np

from biovita.errors import ModelError

__all__ = ["lengths", "unit"]

_SQUARES = 1e-20, 1e30  # sums of squares that single precision holds without underflow or overflow


def lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the lengths of vectors ``(..., dim)``, ``(...)``; where single precision does not hold them, in double."""
    squared = np.einsum("...d,...d->...", vectors, vectors)
    if not ((squared > _SQUARES[0]) & (squared < _SQUARES[1])).all():
        squared = np.einsum("...d,...d->...", vectors, vectors, dtype=np.float64)
    found: np.ndarray = np.sqrt(squared)
    return found


def unit(vectors: np.ndarray, what: str = "vectors") -> np.ndarray:
    """Return vectors ``(rows, dim)`` L2-normalised, float32.

    Raises
    ------
    ModelError
        Where a vector is zero or not finite, and so has no direction.
    """
    length = lengths(vectors)
    bad = np.flatnonzero(~np.isfinite(length) | (length == 0))
    if bad.size:
        raise ModelError(
            f"{bad.size} {what} are zero or not finite, the first in row {bad[0]}. They have no direction"
        )
    return np.asarray(vectors / length[:, None], np.float32)
