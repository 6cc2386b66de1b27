"""What BirdNET hears in backgrounds that ought to be quiet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["birdnet_listener"]


def birdnet_listener() -> Callable[[Path], float]:
    """Return what takes a recording to the largest score, from 0 to 1, that BirdNET 2.4 gives to any of its classes.

    Windows of 3 s do not overlap. Sounds that are no taxa count too: an engine is no quiet background either.
    """
    from biovita.towers.birdnet import BirdNET
    from biovita.towers.long_recordings import window_parts

    tower = BirdNET()
    classes = tower.classes()

    def loudest(path: Path) -> float:
        parts = (tower.encode_windows(list(some)) for some in window_parts(tower.load(path)))
        logits = (float((vectors @ classes.weights.T + classes.bias).max()) for vectors in parts)
        return float(1 / (1 + np.exp(-max(logits))))

    return loudest
