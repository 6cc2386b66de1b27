"""What the classifier of a tower answers, for some of its classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from biovita.errors import ModelError
from biovita.towers.encoder import Encoder

__all__ = ["answers_of"]


def answers_of(tower: Encoder, numbers: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes a tower's vectors ``(N, dim)`` to the logits of classes, ``(N, len(numbers))``.

    Parameters
    ----------
    numbers
        Of the classes in the tower's classifier.

    Raises
    ------
    ModelError
        Where the tower has no such classes.
    """
    classes = tower.classes()
    if classes is None or len(classes.weights) <= numbers.max(initial=-1):
        raise ModelError(f"{tower.card.name} lacks classes that the model's landmarks are of")
    weights, bias = classes.weights[numbers], classes.bias[numbers]

    def logits(vectors: np.ndarray) -> np.ndarray:
        found: np.ndarray = vectors @ weights.T + bias
        return found

    return logits
