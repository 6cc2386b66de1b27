"""From scores to probabilities: a curve fitted to labelled scores, judged on recordings that it did not see."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from biovita.errors import BiovitaError, ModelError
from biovita.files import write_whole
from biovita.identification.calibration_curves import Curve, CurveKind, IsotonicCurve, LogisticCurve, fit_curve
from biovita.identification.question import Question
from biovita.identification.reliability_bins import ReliabilityBin, expected_calibration_error, reliability_bins
from biovita.jsonfile import read_json

__all__ = ["LEAST_GROUPS", "LEAST_LABELS", "Calibration", "read_calibration"]

LEAST_LABELS = 20  # right ones, and wrong ones: fewer fit a curve to chance
LEAST_GROUPS = 5  # recordings with right ones
_FOLDS = 5
_FORMAT = "biovita-calibration-1"
_LEAST = 1e-12  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class Calibration:
    """A curve from score to probability, what it is of, and how well it holds on recordings that it was not fitted to.

    Attributes
    ----------
    question
        What the scores were answers to.
    curve
        Fitted to all labelled scores.
    n, right, groups
        How many there were, how many of them right, and of how many recordings.
    log_loss
        By kind of curve the cross-validated logarithmic loss, by recording.
    reliability
        The cross-validated probabilities against what was right.
    raw_reliability
        The scores against it, taken for probabilities as they are.
    seed
        Of the parts of the cross-validation.
    """

    question: Question
    curve: Curve
    n: int
    right: int
    groups: int
    log_loss: tuple[tuple[CurveKind, float], ...]
    reliability: tuple[ReliabilityBin, ...]
    raw_reliability: tuple[ReliabilityBin, ...]
    seed: int = 0

    @classmethod
    def fit(
        cls,
        scores: ArrayLike,
        right: ArrayLike,
        groups: ArrayLike,
        question: Question,
        *,
        kind: Literal["auto", "isotonic", "logistic"] = "auto",
        seed: int = 0,
    ) -> Calibration:
        """Return the calibration of labelled scores.

        Parameters
        ----------
        scores
            ``(n,)``, from 0 to 1.
        right
            ``(n,)``, whether the taxon was there.
        groups
            ``(n,)``, the recording that a score is of. All scores of one are left out together.
        kind
            ``auto`` takes the curve with the smaller cross-validated logarithmic loss.

        Raises
        ------
        BiovitaError
            Where scores are not from 0 to 1, or there are too few labels or recordings; it says how many are needed.
        """
        values, labels, numbers = _checked(scores, right, groups)
        kinds: tuple[CurveKind, ...] = ("logistic", "isotonic") if kind == "auto" else (kind,)
        left_out = {each: _cross_validated(values, labels, numbers, each, seed) for each in kinds}
        losses = {each: _log_loss(found, labels) for each, found in left_out.items()}
        best = min(losses, key=losses.__getitem__)
        return cls(
            question=question,
            curve=fit_curve(values, labels, best),
            n=len(values),
            right=int(labels.sum()),
            groups=int(numbers.max()) + 1,
            log_loss=tuple(sorted(losses.items())),
            reliability=reliability_bins(left_out[best], labels, numbers),
            raw_reliability=reliability_bins(values, labels, numbers),
            seed=seed,
        )

    @property
    def kind(self) -> CurveKind:
        """``isotonic`` or ``logistic``."""
        return self.curve.kind

    @property
    def ece(self) -> float:
        """The cross-validated expected calibration error."""
        return expected_calibration_error(self.reliability)

    @property
    def raw_ece(self) -> float:
        """The expected calibration error of the scores."""
        return expected_calibration_error(self.raw_reliability)

    @property
    def likely_ece(self) -> float:
        """`ece` over the answers with a probability of 0.1 and more: most answers about most taxa are near 0."""
        return expected_calibration_error([each for each in self.reliability if each.low > 0])

    @property
    def raw_likely_ece(self) -> float:
        """`raw_ece` over the answers with a score of 0.1 and more."""
        return expected_calibration_error([each for each in self.raw_reliability if each.low > 0])

    @property
    def version(self) -> str:
        """The first 16 digits of a SHA-256 of all that it is."""
        return hashlib.sha256(self._text().encode()).hexdigest()[:16]

    def probability(self, scores: ArrayLike) -> np.ndarray:
        """Return the probabilities that taxa with these scores are there, float64, of the same shape.

        A larger score never has a smaller probability.

        Raises
        ------
        BiovitaError
            Where a score is not from 0 to 1.
        """
        return self.curve.probability(_scores(scores))

    def fits(self, question: Question) -> str | None:
        """Return why the calibration does not fit a question, as a sentence; None where it does."""
        difference = self.question.difference(question)
        if difference is None:
            return None
        return f"The calibration {self.version} is of another question: {difference}. What is printed is a score"

    def save(self, path: str | Path) -> Path:
        """Write it as a JSON file, whole or not at all, and return the file."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, self._text())
        return file

    def _text(self) -> str:
        content = {"format": _FORMAT, **asdict(self)}
        content["curve"] = {"kind": self.kind, **asdict(self.curve)}
        content["log_loss"] = dict(self.log_loss)
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read_calibration(path: str | Path) -> Calibration:
    """Return the calibration in a file that `Calibration.save` wrote.

    Raises
    ------
    ModelError
        Where there is no such file, or it is no calibration, or not one that never falls.
    """
    from pydantic import TypeAdapter, ValidationError

    file = Path(path)
    content = read_json(file, ModelError)
    if not isinstance(content, dict) or content.pop("format", None) != _FORMAT:
        raise ModelError(f"{file} is no calibration: its format is not {_FORMAT}. Give what calibrate wrote")
    curve, losses = content.get("curve"), content.get("log_loss")
    if not isinstance(curve, dict) or not isinstance(losses, dict):
        raise ModelError(f"{file}: curve and log_loss have to be JSON objects")
    content["log_loss"] = tuple(sorted(losses.items()))
    kinds = {"logistic": LogisticCurve, "isotonic": IsotonicCurve}
    kind = curve.pop("kind", None)
    if kind not in kinds:
        raise ModelError(f"{file}: curve.kind is {str(kind)[:100]!r}. It has to be logistic or isotonic")
    try:
        content["curve"] = TypeAdapter(kinds[kind]).validate_python(curve)
        found: Calibration = TypeAdapter(Calibration).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{file}: {'.'.join(map(str, first['loc']))[:100]}: {first['msg']}") from error
    if fault := found.curve.faults():
        raise ModelError(f"{file} is no calibration: {fault}")
    return found


def _scores(scores: ArrayLike) -> np.ndarray:
    values = np.asarray(scores, np.float64)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise BiovitaError("a calibration takes scores from 0 to 1, and there are others. Give sigmoids of logits")
    return values


def _checked(scores: ArrayLike, right: ArrayLike, groups: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, labels and numbers of groups, where there are enough of each."""
    values, labels, names = _scores(scores), np.asarray(right, bool), np.asarray(groups)
    if not (values.ndim == 1 and values.shape == labels.shape == names.shape):
        raise BiovitaError("scores, labels and recordings have to be as many of each")
    n_right, n_wrong = int(labels.sum()), int((~labels).sum())
    numbers = np.unique(names, return_inverse=True)[1]
    recordings = len(np.unique(numbers[labels]))
    if min(n_right, n_wrong) < LEAST_LABELS or recordings < LEAST_GROUPS:
        raise BiovitaError(
            f"too few labels to calibrate on: {n_right:,} right answers of {recordings:,} recordings, and {n_wrong:,} "
            f"wrong ones. Label at least {LEAST_LABELS} of each, the right ones in {LEAST_GROUPS} recordings or more"
        )
    return values, labels, numbers


def _cross_validated(
    scores: np.ndarray, right: np.ndarray, groups: np.ndarray, kind: CurveKind, seed: int
) -> np.ndarray:
    """Return the probability of each score by the curve of the recordings that it is not of."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.empty(len(scores))
    parts = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    for others, own in parts.split(scores, right, groups):
        found[own] = fit_curve(scores[others], right[others], kind).probability(scores[own])
    return found


def _log_loss(probabilities: np.ndarray, right: np.ndarray) -> float:
    of_truth = np.where(right, probabilities, 1 - probabilities)
    return float(-np.log(np.maximum(of_truth, _LEAST)).mean())
