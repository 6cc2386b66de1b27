"""How much a likeness says: from how near something is to the odds that it is the same, and the weights that ship.

A likeness ``x`` of a question to a taxon is the cosine with the mean direction of its exemplars (all are taken from the
mean of the encoder's vectors), the cosine with its name, or the logarithm of the probability that a classifier of
pictures gives it. What it multiplies the odds of the taxon by is::

    odds(x) = 1 - share + share * exp(weight * x) / other

``share`` is how many questions such evidence can match at all. ``other`` is the mean of ``exp(weight * x)`` over
questions that are not of the taxon, so there the odds are multiplied by 1 on average. A taxon with such evidence is
therefore neither favoured nor punished against one without it, whose odds stay as they are, and a taxon that does not
match loses no more than a factor of ``1 - share``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from biovita.errors import BiovitaError
from biovita.hashing import sha256_of
from biovita.jsonfile import parse_json
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.towers.encoder import EncoderCard

__all__ = ["Likeness", "Weights", "centre_of", "defaults_hash", "shipped", "weights_of"]

_FILE = files("biovita.identification") / "data" / "evidence.json"
_ANY = "any"


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a kind of likeness says; see the module.

    Attributes
    ----------
    other
        Logarithm of the mean over questions that are not of the taxon. None where it was not measured: then it is the
        mean over all that the question is compared with.
    """

    weight: float
    share: float
    other: float | None = None

    def log_odds(self, likenesses: np.ndarray) -> np.ndarray:
        """Return what is added to the log-odds of taxa, ``(rows, taxa)``, float32.

        Parameters
        ----------
        likenesses
            ``(rows, taxa)``; minus infinity where there is nothing to compare with, of which the result is 0.
        """
        there = np.isfinite(likenesses)
        weighted = self.weight * likenesses
        other: float | np.ndarray = self.other if self.other is not None else _mean_of_all(weighted, there)
        with np.errstate(over="ignore"):
            odds = 1.0 - self.share + self.share * np.exp(np.where(there, weighted - other, 0.0))
        return np.where(there, np.log(odds), 0.0).astype(np.float32)


def _mean_of_all(weighted: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the logarithm of the mean of ``exp(weight * x)`` over the taxa of each row, ``(rows, 1)``."""
    top = np.where(there, weighted, -np.inf).max(axis=1, keepdims=True, initial=-1e30)
    total = np.where(there, np.exp(np.where(there, weighted - top, 0.0)), 0.0).sum(axis=1, keepdims=True)
    counts = np.maximum(there.sum(axis=1, keepdims=True), 1)
    found: np.ndarray = top + np.log(np.maximum(total, 1e-30) / counts)
    return found


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each kind of evidence says for an encoder of a model.

    Attributes
    ----------
    prior
        Log-odds of a taxon of which nothing is known yet. A gallery of few candidates has a larger one: see
        `biovita.identification.scorer`.
    bare
        What is added to the prior of a taxon that neither a class of its own nor an exemplar speaks for. A name says
        little, and of many such taxa one would else be named by chance. 0 or less.
    exemplar, name
        Likeness to labelled recordings or photographs, and to names.
    picture_class
        To the classes of an encoder that answers with one class of all (a softmax); None where the classes of the
        encoder are answers in themselves: each with log-odds of its own.
    fitted
        Whether the weights of exemplars and of names were fitted for this model. Others are those for any model.
    """

    prior: float
    bare: float
    exemplar: Likeness
    name: Likeness
    picture_class: Likeness | None
    fitted: bool


def weights_of(model: ModelCard, modality: Modality) -> Weights:
    """Return the weights that ship for a model's encoder of a modality.

    Those of exemplars and classes belong to the encoder, those of names to the model.
    """
    stated, tower = shipped(), model.encoder(modality).name
    exemplar, name = stated["exemplar"], stated["name"].get(model.revision, {})
    picture_class = stated["class"].get(tower)
    return Weights(
        stated["prior"][modality],
        stated["bare"][modality],
        Likeness(**exemplar.get(tower, exemplar[_ANY])),
        Likeness(**name[modality]) if modality in name else _any_name(stated["name"][_ANY], model),
        None if picture_class is None else Likeness(**picture_class),
        tower in exemplar and modality in name,
    )


def _any_name(stated: Mapping[str, Any], model: ModelCard) -> Likeness:
    """Return the weights of names of a model that none were fitted for: as sharp as its recipe states, if it does."""
    recipe = model.record.get("recipe")
    scale = recipe.get("logit_scale") if isinstance(recipe, Mapping) else None
    weight = float(scale) if isinstance(scale, int | float) and 1 < scale <= 100 else stated["weight"]
    return Likeness(weight, stated["share"])


def centre_of(encoder: EncoderCard) -> np.ndarray:
    """Return the mean of an encoder's vectors, ``(dim,)``, float32; zeros where it was not measured."""
    stated = shipped()["centre"].get(encoder.name)
    return np.zeros(encoder.dim, np.float32) if stated is None else np.array(stated, np.float32)


@cache
def shipped() -> Mapping[str, Any]:
    """Return the file of weights that comes with the package; ``scripts/evidence_defaults.py`` makes it.

    It says of what data, when and of how many questions they were made.
    """
    content: Mapping[str, Any] = parse_json(_FILE.read_text(encoding="utf-8"), _FILE.name, BiovitaError)
    return content


@cache
def defaults_hash() -> str:
    """Return the first 16 digits of the SHA-256 of the file of weights."""
    from importlib.resources import as_file

    with as_file(_FILE) as path:
        return sha256_of(path.absolute())[:16]
