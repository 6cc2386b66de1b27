"""Linear classifiers that tell a trait label from the vectors of species."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["cross_validated", "linear_probe", "species_means"]

_FOLDS = 5
_INVERSE_PENALTY = 0.5  # scikit-learn's C: the slope's squared length counts as much as the sum of the losses
_AT_ONCE = 8192  # vectors in memory while means are taken


def species_means(
    names: Sequence[str] | pa.Array, vectors: Any, rows: np.ndarray | None = None
) -> tuple[list[str], np.ndarray]:
    """Return the species of items, and the normalised mean of each one's vectors, ``(species, dim)`` float64.

    Parameters
    ----------
    names
        The species of each item.
    vectors
        ``(n, dim)``; an array, or anything that gives some of its rows for their numbers.
    rows
        The row of each item; None where there is one an item, in their order.
    """
    rows = np.arange(len(names)) if rows is None else rows
    column = names if isinstance(names, pa.Array) else pa.array(names, pa.string())
    species = column.unique().sort()
    place = pc.index_in(column, value_set=species).to_numpy(zero_copy_only=False)
    means = np.zeros((len(species), vectors.shape[1]))
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        np.add.at(means, place[part], vectors[rows[part]])
    return species.to_pylist(), means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)


def linear_probe(features: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit a logistic regression with an L2 penalty, classes weighted alike, and return its decision function.

    Parameters
    ----------
    features
        ``(n, dim)``; centred by their own means, and scaled by one spread for all.
    truth
        ``(n,)`` of 0 and 1, both of them there.
    """
    from sklearn.linear_model import LogisticRegression

    centre, spread = features.mean(axis=0), features.std() + 1e-12
    probe = LogisticRegression(C=_INVERSE_PENALTY, class_weight="balanced", tol=1e-8, max_iter=1000)
    probe.fit((features - centre) / spread, truth)
    return lambda new: np.asarray(probe.decision_function((new - centre) / spread))


def cross_validated(features: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the decision on each row by a probe fitted without its fold; classes are spread over the folds."""
    fold = np.empty(len(truth), int)
    for value in (0, 1):
        mine = np.flatnonzero(truth == value)
        fold[mine] = np.arange(len(mine)) % _FOLDS
    values = np.zeros(len(truth))
    for number in np.unique(fold):
        held = fold == number
        values[held] = linear_probe(features[~held], truth[~held])(features[held])
    return values
