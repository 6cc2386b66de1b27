"""Vectors of texts that were encoded before, in this process or in another of the same run of the tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock


class KnownTexts:
    """Vectors by the texts' word pieces; what is encoded in one call is a file that the other processes read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._vectors: dict[bytes, np.ndarray] = {}

    def encode(
        self, encode: Callable[[Sequence[np.ndarray]], np.ndarray], batch: Sequence[np.ndarray]
    ) -> np.ndarray:
        """Return the vectors of a batch; ``encode`` is called with those texts that are new, if any."""
        new = {tokens.tobytes(): tokens for tokens in batch if tokens.tobytes() not in self._vectors}
        if new:
            file = self._folder / f"{hashlib.sha256(b'|'.join(new)).hexdigest()}.npy"
            with FileLock(f"{file}.lock"):
                if not file.exists():
                    np.save(file, encode(list(new.values())))
            self._vectors.update(zip(new, np.load(file), strict=True))
        return np.stack([self._vectors[tokens.tobytes()] for tokens in batch])
