"""A classifier of a user's own: regularised logistic regression on the vectors of a frozen encoder.

Each class has a model of its own against all others, the background among them, so that a score is the log-odds that
the class is there and classes do not exclude each other. All classes weigh the same, however many examples they have:
a score of 0.5 is where a class is as likely as not, if each class is met as often as any other.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from biovita.archive.archive_tables import Kind
from biovita.errors import BiovitaError, ModelError
from biovita.files import new_directory, open_regular, write_whole
from biovita.identification.evidence import Candidate
from biovita.towers.encoder import Classes, EncoderCard
from biovita.weights.state_dicts import read_json

__all__ = ["LEAST_EXAMPLES", "Probe", "ProbeTraining", "read_probe"]

LEAST_EXAMPLES = 2  # of a class
REGULARISATIONS = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C on standardised vectors: small is strong
_DEFAULT = 1e-2  # where examples are too few to choose by
_FOLDS = 4
_FORMAT = "biovita-probe-1"
_CONFIG, _WEIGHTS = "probe.json", "probe.safetensors"
_MOST_NUMBERS = 1 << 28  # of the weights of a probe that is read
_ORDER = {Kind.TAXON: 0, Kind.CLASS: 1, Kind.SOUND: 2, Kind.BACKGROUND: 3}


@dataclass(frozen=True, slots=True)
class ProbeTraining:
    """How a probe was trained, and how well it does on recordings that were left out.

    Attributes
    ----------
    encoder, revision, preprocessing
        Of the encoder that made the vectors.
    examples
        By class, how many it has.
    groups
        Of how many recordings or photographs the examples are.
    regularisation
        scikit-learn's ``C``.
    log_loss
        By regularisation, the cross-validated logarithmic loss by recording, each class weighing the same; empty where
        there were too few recordings to choose by.
    accuracy
        The cross-validated share of examples whose class has the largest score, the mean over classes; None likewise.
    seed
        Of the parts of the cross-validation.
    """

    encoder: str
    revision: str
    preprocessing: str
    examples: tuple[int, ...]
    groups: int
    regularisation: float
    log_loss: tuple[tuple[float, float], ...]
    accuracy: float | None
    seed: int


@dataclass(frozen=True, eq=False)
class Probe:
    """A classifier: ``weights @ vector + bias`` is the log-odds of each class.

    Attributes
    ----------
    candidates
        What the classes are of: taxa first, then other classes, the background last.
    weights, bias
        ``(classes, dim)`` and ``(classes,)``, float32, for vectors as the encoder makes them.
    training
        How it was trained.
    """

    candidates: tuple[Candidate, ...]
    weights: np.ndarray
    bias: np.ndarray
    training: ProbeTraining

    @classmethod
    def fit(
        cls,
        vectors: np.ndarray,
        labels: ArrayLike,
        groups: ArrayLike,
        *,
        candidates: Sequence[Candidate],
        encoder: EncoderCard,
        seed: int = 0,
    ) -> Probe:
        """Return the probe of labelled vectors; scikit-learn is the solver.

        Vectors are standardised by the examples. How strongly weights are held small is chosen by cross-validation, in
        which all examples of a recording are left out together.

        Parameters
        ----------
        vectors
            ``(n, dim)``, of the encoder, not normalised.
        labels
            ``(n,)``, the number of the candidate that each is of.
        groups
            ``(n,)``, the recording or photograph that each is of.
        candidates
            What labels are numbers of. Those without an example are no class of the probe.
        encoder
            What made the vectors.

        Raises
        ------
        BiovitaError
            Where there are fewer than two classes, a class has a single example, or vectors are not finite numbers.
        """
        numbers, targets = _checked(vectors, labels, groups, candidates)
        recordings = np.unique(np.asarray(groups), return_inverse=True)[1]
        kept = tuple(candidates[number] for number in numbers)
        losses, accuracy = _cross_validated(vectors, targets, recordings, seed)
        best = min(losses, key=losses.__getitem__) if losses else _DEFAULT
        weights, bias = next(_solved(vectors, targets, len(kept), (best,)))
        training = ProbeTraining(
            encoder=encoder.name,
            revision=encoder.revision,
            preprocessing=encoder.preprocessing,
            examples=tuple(map(int, np.bincount(targets))),
            groups=int(recordings.max()) + 1,
            regularisation=best,
            log_loss=tuple(losses.items()),
            accuracy=accuracy.get(best),
            seed=seed,
        )
        return cls(kept, weights, bias, training)

    @property
    def version(self) -> str:
        """The first 16 digits of a SHA-256 of its classes and weights."""
        found = hashlib.sha256(_config_text(self).encode())
        for array in (self.weights, self.bias):
            found.update(np.ascontiguousarray(array, "<f4").tobytes())
        return found.hexdigest()[:16]

    def logits(self, vectors: np.ndarray) -> np.ndarray:
        """Return the log-odds of each class, ``(n, classes)``, float32, of vectors ``(n, dim)``."""
        found: np.ndarray = np.asarray(vectors, np.float32) @ self.weights.T + self.bias
        return found

    def classes(self) -> Classes:
        """Return it as the classifier of an encoder."""
        names = tuple(
            (each.taxon.scientific_name, each.taxon.common_name or each.taxon.scientific_name)
            for each in self.candidates
        )
        animals = sum(each.kind == Kind.TAXON for each in self.candidates)
        return Classes(names, self.weights, self.bias, animals, scientific=True)

    def fits(self, encoder: EncoderCard) -> str | None:
        """Return why vectors of an encoder are none for this probe, as a sentence; None where they are."""
        for name, own, its in (
            ("name", self.training.encoder, encoder.name),
            ("revision", self.training.revision, encoder.revision),
            ("preprocessing", self.training.preprocessing, encoder.preprocessing),
        ):
            if own != its:
                return (
                    f"The probe was trained on vectors of another encoder: its {name} was {own}, and here is {its}"
                )
        return None

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write it as a directory of ``probe.json`` and ``probe.safetensors``, and return the directory.

        Raises
        ------
        DatasetError
            Where there is something already, and it is not to be overwritten or is no probe.
        """
        from safetensors.numpy import save_file

        directory = Path(path)
        with new_directory(directory, replace=overwrite, marker=_CONFIG) as scratch:
            save_file({"weights": self.weights, "bias": self.bias}, scratch / _WEIGHTS)
            write_whole(scratch / _CONFIG, _config_text(self))
        return directory


def read_probe(path: str | Path) -> Probe:
    """Return the probe in a directory that `Probe.save` wrote.

    Raises
    ------
    ModelError
        Where there is none, or its files are not as they were written.
    """
    from pydantic import TypeAdapter, ValidationError

    directory = Path(path)
    config = read_json(directory / _CONFIG)
    if config.pop("format", None) != _FORMAT:
        raise ModelError(f"{directory / _CONFIG} is no probe: its format is not {_FORMAT}")
    try:
        candidates = TypeAdapter(tuple[Candidate, ...]).validate_python(config.get("candidates"))
        training = TypeAdapter(ProbeTraining).validate_python(config.get("training"))
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(
            f"{directory / _CONFIG}: {'.'.join(map(str, first['loc']))[:100]}: {first['msg']}"
        ) from error
    tensors = _read_tensors(directory / _WEIGHTS)
    weights, bias = tensors["weights"], tensors["bias"]
    if weights.ndim != 2 or bias.shape != (len(candidates),) or len(weights) != len(candidates):
        raise ModelError(
            f"{directory}: {len(candidates)} classes, weights of {weights.shape}, bias of {bias.shape}"
        )
    return Probe(candidates, weights, bias, training)


def _read_tensors(file: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not file.is_file():
        raise ModelError(f"{file} is missing. Copy the probe's directory whole")
    if file.stat().st_size > 4 * _MOST_NUMBERS:
        raise ModelError(f"{file} is too large to be the weights of a probe")
    try:
        with open_regular(file) as raw:
            tensors: dict[str, np.ndarray] = load(raw.read())
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{file} cannot be read as safetensors: {str(error)[:200]}") from error
    if set(tensors) != {"weights", "bias"}:
        raise ModelError(f"{file} holds {', '.join(sorted(tensors))[:200]}. A probe has weights and bias")
    for name, values in tensors.items():
        if values.dtype != np.float32 or not np.isfinite(values).all():
            raise ModelError(f"{file}: {name} has to be finite numbers in float32")
    return tensors


def _config_text(probe: Probe) -> str:
    content: dict[str, Any] = {
        "format": _FORMAT,
        "candidates": [asdict(each) for each in probe.candidates],
        "training": asdict(probe.training),
    }
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _checked(
    vectors: np.ndarray, labels: ArrayLike, groups: ArrayLike, candidates: Sequence[Candidate]
) -> tuple[list[int], np.ndarray]:
    """Return the candidates that have examples, in the order of a probe, and the class of each example."""
    given = np.asarray(labels)
    if not (vectors.ndim == 2 and given.shape == np.asarray(groups).shape == (len(vectors),)):
        raise BiovitaError("vectors, labels and recordings have to be as many of each")
    if not np.isfinite(vectors).all():
        raise BiovitaError("a vector holds numbers that are not finite. Embed its recording or photograph again")
    found, counts = np.unique(given, return_counts=True)
    if few := [candidates[n].taxon.scientific_name for n in found[counts < LEAST_EXAMPLES]]:
        raise BiovitaError(
            f"a class needs {LEAST_EXAMPLES} examples, and these have one: {', '.join(few[:20])}. "
            "Add examples, or leave them out"
        )
    if len(found) < 2:
        raise BiovitaError("a classifier needs two classes. Add another one, or examples of the background")
    numbers = sorted(map(int, found), key=lambda number: (_ORDER[candidates[number].kind], number))
    place = {number: at for at, number in enumerate(numbers)}
    return numbers, np.array([place[int(number)] for number in given])


def _cross_validated(
    vectors: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[dict[float, float], dict[float, float]]:
    """Return loss and accuracy by regularisation; none where no recording can be left out.

    An example counts where the other recordings have its class.
    """
    found: dict[float, list[np.ndarray]] = {c: [] for c in REGULARISATIONS}
    judged: list[np.ndarray] = []
    for others, own in _parts(targets, groups, seed):
        there = np.unique(targets[others])
        own = own[np.isin(targets[own], there)]
        if len(there) < 2 or not len(own):
            continue
        judged.append(own)
        solved = _solved(vectors[others], np.searchsorted(there, targets[others]), len(there), REGULARISATIONS)
        for rows, (weights, bias) in zip(found.values(), solved, strict=True):
            logits = np.full((len(own), int(targets.max()) + 1), -np.inf)
            logits[:, there] = vectors[own] @ weights.T + bias
            rows.append(logits)
    if not judged:
        return {}, {}
    truth = targets[np.concatenate(judged)]
    scores = {c: np.concatenate(rows) for c, rows in found.items()}
    return (
        {c: _balanced(_losses(logits, truth), truth) for c, logits in scores.items()},
        {c: _balanced(logits.argmax(axis=1) == truth, truth) for c, logits in scores.items()},
    )


def _parts(targets: np.ndarray, groups: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return examples to train on and to judge by, several times; nothing where all are of one recording."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(_FOLDS, len(np.unique(groups)), int(np.bincount(targets).max()))
    if folds < 2:
        return []
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # of classes with fewer examples than parts: they count where they can
        return list(splitter.split(targets, targets, groups))


def _losses(logits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return of each example the logarithmic loss of all its classes, those that a part did not have left out."""
    signs = np.where(np.arange(logits.shape[1]) == truth[:, None], -1.0, 1.0)
    with np.errstate(invalid="ignore"):
        return np.logaddexp(0, signs * logits).sum(axis=1)


def _balanced(values: np.ndarray, truth: np.ndarray) -> float:
    counts = np.bincount(truth)
    sums = np.bincount(truth, weights=values.astype(np.float64))
    return float(np.mean(sums[counts > 0] / counts[counts > 0]))


def _solved(
    vectors: np.ndarray, targets: np.ndarray, classes: int, regularisations: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each regularisation, weights and bias, float32, of one model a class against all others."""
    from sklearn.linear_model import LogisticRegression

    inputs = np.asarray(vectors, np.float64)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    scale[scale == 0] = 1.0
    inputs = (inputs - mean) / scale
    basis = None
    if len(inputs) < inputs.shape[1]:  # the solution lies in the span of the examples: there are fewer of them
        left, values, basis = np.linalg.svd(inputs, full_matrices=False)
        inputs = left * values
    shares = len(targets) / (classes * np.bincount(targets, minlength=classes))
    for regularisation in regularisations:
        weights, bias = np.empty((classes, inputs.shape[1])), np.empty(classes)
        for number in range(classes):
            solver = LogisticRegression(C=regularisation, tol=1e-6, max_iter=1000)
            solver.fit(inputs, targets == number, sample_weight=shares[targets])
            weights[number], bias[number] = solver.coef_[0], solver.intercept_[0]
        whole = (weights if basis is None else weights @ basis) / scale
        yield whole.astype(np.float32), (bias - whole @ mean).astype(np.float32)
