"""Curves from a score to a probability that never fall: logistic or isotonic, fitted by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from biovita.errors import BiovitaError

__all__ = ["Curve", "CurveKind", "IsotonicCurve", "LogisticCurve", "fit_curve"]

CurveKind: TypeAlias = Literal["isotonic", "logistic"]

_LEAST_SCORE = 1e-7  # float32 has no score between this and 0 or 1 that would mean more


@dataclass(frozen=True, slots=True)
class LogisticCurve:
    """``sigmoid(slope * logit(score) + intercept)``: Platt's curve over the log-odds of the score.

    A slope of 1 and an intercept of 0 leave the score as it is.
    """

    slope: float
    intercept: float

    @property
    def kind(self) -> CurveKind:
        """``logistic``."""
        return "logistic"

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities of scores, float64, of the same shape."""
        from scipy.special import expit

        found: np.ndarray = expit(self.slope * _log_odds(scores) + self.intercept)
        return found

    def faults(self) -> str | None:
        """Return what is wrong with a curve that was read; None for nothing."""
        if not (np.isfinite([self.slope, self.intercept]).all() and self.slope >= 0):
            return "its slope and intercept have to be finite numbers, and the slope not below 0"
        return None


@dataclass(frozen=True, slots=True)
class IsotonicCurve:
    """Straight lines between knots, flat beyond them.

    Attributes
    ----------
    scores, probabilities
        Of the knots, both from 0 to 1, ascending.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    @property
    def kind(self) -> CurveKind:
        """``isotonic``."""
        return "isotonic"

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """Return the probabilities of scores, float64, of the same shape."""
        found: np.ndarray = np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities)
        return found

    def faults(self) -> str | None:
        """Return what is wrong with a curve that was read; None for nothing."""
        if not self.scores or len(self.scores) != len(self.probabilities):
            return "its knots have to be as many scores as probabilities, and at least one"
        for name, values, least in (("scores", self.scores, 0.0), ("probabilities", self.probabilities, 0.0)):
            steps = np.diff(values)
            if not (
                np.isfinite(values).all() and min(values) >= least and max(values) <= 1 and (steps >= 0).all()
            ):
                return f"the {name} of its knots have to ascend from 0 to 1"
        return None


Curve: TypeAlias = LogisticCurve | IsotonicCurve


def fit_curve(scores: np.ndarray, right: np.ndarray, kind: CurveKind) -> Curve:
    """Return the curve of labelled scores.

    The logistic one is fitted to Platt's targets ``(right + 1) / (right + 2)`` and ``1 / (wrong + 2)`` (Platt 1999), so
    that scores which tell right from wrong without a fault do not make it infinitely steep; one that would fall is
    flat. The isotonic one stays between ``1 / (n + 2)`` and ``(n + 1) / (n + 2)``: n labels are never proof.

    Parameters
    ----------
    scores, right
        ``(n,)``, from 0 to 1, and true where the answer was right.
    """
    scores, right = np.asarray(scores, np.float64), np.asarray(right, bool)
    if kind == "isotonic":
        return _isotonic(scores, right)
    if kind == "logistic":
        return _logistic(scores, right)
    raise BiovitaError(f"there is no calibration of the kind {kind!r}. The kinds are auto, isotonic and logistic")


def _log_odds(scores: np.ndarray) -> np.ndarray:
    from scipy.special import logit

    return logit(np.clip(np.asarray(scores, np.float64), _LEAST_SCORE, 1 - _LEAST_SCORE))


def _isotonic(scores: np.ndarray, right: np.ndarray) -> IsotonicCurve:
    from sklearn.isotonic import IsotonicRegression

    n = len(scores)
    solver = IsotonicRegression(y_min=1 / (n + 2), y_max=(n + 1) / (n + 2), out_of_bounds="clip")
    solver.fit(scores, right.astype(np.float64))
    return IsotonicCurve(tuple(map(float, solver.X_thresholds_)), tuple(map(float, solver.y_thresholds_)))


def _logistic(scores: np.ndarray, right: np.ndarray) -> LogisticCurve:
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression

    n_right, n_wrong = int(right.sum()), int((~right).sum())
    high, low = (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2)
    targets = np.where(right, high, low)
    flat = LogisticCurve(0.0, float(logit(targets.mean())))
    log_odds = _log_odds(scores)
    if np.ptp(log_odds) == 0:
        return flat
    # A target between 0 and 1 is a weighted pair of labels: scikit-learn takes labels alone.
    solver = LogisticRegression(C=1e8, solver="newton-cholesky", tol=1e-8, max_iter=200)
    solver.fit(
        np.concatenate([log_odds, log_odds])[:, None],
        np.repeat([1, 0], len(scores)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    slope, intercept = float(solver.coef_[0, 0]), float(solver.intercept_[0])
    return LogisticCurve(slope, intercept) if slope > 0 else flat
