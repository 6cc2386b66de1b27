"""What can be scored: models of ours, chance, and any object that embeds recordings, photographs or texts."""

from __future__ import annotations

import logging
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.benchmark.object_encoder import METHODS
from biovita.directions import unit
from biovita.embedding import Vectors
from biovita.errors import ModelError
from biovita.filenames import file_name
from biovita.modality import Modality
from biovita.model import Model
from biovita.model.card import ModelCard
from biovita.model.describe import describe, met_of
from biovita.model.met import Met

__all__ = [
    "MOST_DIMENSIONS",
    "Random",
    "met_by",
    "modalities_of_model",
    "model_name",
    "open_model",
    "safe_name",
    "seen_penalty_of",
]

logger = logging.getLogger(__name__)

_CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*|.*\.(py|ipynb)")  # as others name an object: module:object
_OWN = (
    f"A model of your own is any object with {', '.join(METHODS.values())} or some of them. Give it in Python: "
    "biovita.run_benchmark(bench, model=MyModel()). In the shell, give its vectors: --model vectors:PATH"
)
MOST_DIMENSIONS = 65_536  # of random vectors


def open_model(spec: Any) -> Any:
    """Return the model that a name or path stands for: the card of one of ours, `Random`, or an object of others.

    Parameters
    ----------
    spec
        ``random`` or ``random:DIM``; ``mteb:NAME``, a model of mteb's registry (extra ``mteb``); any other name or
        path as `biovita.describe` takes it. Anything that is not a name or path is returned as it is.

    Raises
    ------
    ModelError
        Where there is no such model, or something that embeds nothing was given in its place.
    """
    if not isinstance(spec, str | Path):
        _check_object(spec)
        return spec
    kind, _, rest = str(spec).partition(":")
    if kind == "random":
        if rest and not (rest.isdecimal() and len(rest) <= 5 and 0 < int(rest) <= MOST_DIMENSIONS):
            raise ModelError(
                f"{spec!r}: the number after random: is that of dimensions, from 1 to {MOST_DIMENSIONS:,}, such as "
                "random:256. It is no seed: another number draws other vectors"
            )
        return Random(int(rest or 256))
    if kind == "mteb":
        from biovita.benchmark.mteb_tasks import MtebModel

        return MtebModel.load(rest)
    if _CODE.fullmatch(str(spec)) and not os.path.isdir(spec):  # noqa: PTH112 - False where it cannot be a path's
        raise ModelError(f"{spec} is no model that biovita can open, and it runs no code of a file. {_OWN}")
    return describe(spec)


def _check_object(model: Any) -> None:
    """Refuse a class in place of an object, and say what a module that is not in evaluation mode does."""
    if isinstance(model, type):
        raise ModelError(f"{model.__name__} is a class. Give an object of it, such as {model.__name__}()")
    if getattr(model, "training", None) is True:
        logger.warning(
            "%s is in training mode: dropout and batch normalisation make its vectors depend on chance and on what "
            "else is in a batch. Call its eval() first",
            type(model).__name__,
        )


def modalities_of_model(model: Any) -> tuple[Modality, ...]:
    """Return what a model that `open_model` gives can embed.

    Raises
    ------
    ModelError
        Where it can embed nothing.
    """
    if isinstance(model, Random):
        return tuple(Modality)
    if isinstance(model, Model | ModelCard):
        return tuple((model.card if isinstance(model, Model) else model).encoders)
    found = tuple(modality for modality, method in METHODS.items() if callable(getattr(model, method, None)))
    if not found:
        raise ModelError(f"{type(model).__name__} has none of the methods that embed. {_OWN}")
    return found


def met_by(model: Any) -> Met | None:
    """Return what a model that `open_model` gives has met: chance has met nothing, models of others do not say."""
    if isinstance(model, Random):
        return Met()
    return met_of(model) if isinstance(model, Model | ModelCard) else None


def seen_penalty_of(model: Any) -> float:
    """Return the ``seen_penalty`` in the record of a model of ours; 0 where there is none.

    Raises
    ------
    ModelError
        Where it is no number.
    """
    found = model.record.get("seen_penalty", 0.0) if isinstance(model, Model | ModelCard) else 0.0
    if type(found) not in {int, float}:
        raise ModelError(f"{model_name(model)}: record.seen_penalty is {found!r}. It has to be a number")
    return float(found)


def model_name(model: Any) -> str:
    """Return what a model to score is called: the name given, the object's ``name``, or that of its class."""
    if isinstance(model, str | Path):
        return str(model)
    name = getattr(model, "name", None)
    return name if isinstance(name, str) and name.strip() else type(model).__name__


def safe_name(name: str) -> str:
    """Return a model's name as a directory may be called.

    Examples
    --------
    >>> safe_name("mteb:risashinoda/BioVITA")
    'mteb-risashinoda-BioVITA'
    """
    return file_name(re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model")


@dataclass(frozen=True)
class Random:
    """Gives every item a random direction, the same one for the same items: what chance looks like."""

    dim: int

    def vectors(self, modality: Modality, ids: pa.Array) -> Vectors:
        """Return unit vectors, float32; no item is looked at."""
        rng = np.random.default_rng([self.dim, zlib.crc32(modality.encode())])
        drawn = rng.standard_normal((len(ids), self.dim), np.float32)
        return Vectors(ids.to_pylist(), unit(drawn))
