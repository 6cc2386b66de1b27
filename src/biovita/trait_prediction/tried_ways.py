"""How well a way tells a label of species that it was not told of, and what its values mean there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biovita.traits.known_labels import enough

__all__ = ["Tried", "log_odds", "sigmoid", "tried_on"]

_ONE_OF_20 = 1.645  # standard deviations
_WEAK_PENALTY = 10.0  # scikit-learn's C of the curve from values to probabilities
_LEAST = 1e-4  # probability whose log-odds are told apart from those of 0


@dataclass(frozen=True, slots=True)
class Tried:
    """How well a way tells a label of species that it was not told of.

    Attributes
    ----------
    auc
        Area under the ROC curve.
    species
        How many were judged.
    share
        Of them, those that have the label.
    slope, intercept
        Of the log-odds of the label by the way's value.
    """

    auc: float
    species: int
    share: float
    slope: float
    intercept: float

    @property
    def is_better_than_chance(self) -> bool:
        """Whether values without a meaning would get such an area in one of 20 cases at most (Mann and Whitney)."""
        having = self.share * self.species
        spread = np.sqrt((self.species + 1) / (12 * having * (self.species - having)))
        return bool(self.auc > 0.5 + _ONE_OF_20 * spread)

    def probability(self, values: np.ndarray) -> np.ndarray:
        """Return the share of species with such values that has the label."""
        return sigmoid(self.slope * values + self.intercept)


def tried_on(values: np.ndarray, labels: np.ndarray) -> Tried | None:
    """Return how well values tell a label; None where too few species have it, or have it not.

    Parameters
    ----------
    values
        ``(species,)``; NaN where nothing is said.
    labels
        ``(species,)``: 1, 0, and NaN where it is unknown.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    known = ~np.isnan(values) & ~np.isnan(labels)
    values, truth = values[known], labels[known]
    if not enough(truth):
        return None
    centre, spread = values.mean(), values.std() + 1e-12
    curve = LogisticRegression(C=_WEAK_PENALTY).fit(((values - centre) / spread)[:, None], truth)
    slope = float(curve.coef_[0, 0] / spread)
    return Tried(
        auc=float(roc_auc_score(truth, values)),
        species=len(truth),
        share=float(truth.mean()),
        slope=slope,
        intercept=float(curve.intercept_[0] - slope * centre),
    )


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithms of odds; those of 0 and 1 are finite."""
    kept = np.clip(probabilities, _LEAST, 1 - _LEAST)
    found: np.ndarray = np.log(kept / (1 - kept))
    return found


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + exp(-values))`` without overflow."""
    found: np.ndarray = 1 / (1 + np.exp(-np.clip(values, -500, 500)))
    return found
