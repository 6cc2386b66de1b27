"""What can be scored: models of ours, chance, and any object that embeds recordings, photographs or texts."""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.compute.device import Device
from biovita.directions import unit
from biovita.embedding import Vectors
from biovita.errors import MediaError, ModelError
from biovita.filenames import file_name
from biovita.media.inputs import Clip
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality
from biovita.model import Model
from biovita.model.card import ModelCard
from biovita.model.describe import describe, met_of
from biovita.model.met import Met
from biovita.towers.encoder import EncoderCard, EncoderDefaults

__all__ = [
    "METHODS",
    "MOST_DIMENSIONS",
    "ObjectEncoder",
    "Random",
    "encoder_name",
    "met_by",
    "modalities_of_model",
    "model_name",
    "open_model",
    "safe_name",
    "seen_penalty_of",
]

METHODS: dict[Modality, str] = {
    Modality.AUDIO: "embed_audio",
    Modality.IMAGE: "embed_images",
    Modality.TEXT: "embed_texts",
}
_BATCH = 16
MOST_DIMENSIONS = 65_536  # of random vectors


def open_model(spec: Any) -> Any:
    """Return the model that a name or path stands for: the card of one of ours, `Random`, or an object of others.

    Parameters
    ----------
    spec
        ``random`` or ``random:DIM``; ``mteb:NAME``, a model of mteb's registry (extra ``mteb``); any other name or
        path as `biovita.describe` takes it. Anything that is not a name or path is returned as it is.
    """
    if not isinstance(spec, str | Path):
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
    return describe(spec)


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
        raise ModelError(
            f"{model!r} has none of the methods {', '.join(METHODS.values())}. It needs at least one of them"
        )
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
    """Return what a model to score is called: the name given, or the object's ``name``."""
    return str(model) if isinstance(model, str | Path) else str(getattr(model, "name", type(model).__name__))


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


def encoder_name(name: str, modality: Modality) -> str:
    """Return what one of an object's methods is called as an encoder."""
    return f"{name} {modality}"


@dataclass(frozen=True, eq=False)
class _Encoded:
    """The vector of an item that is not encoded again."""

    vector: np.ndarray


class ObjectEncoder(EncoderDefaults):
    """One of the methods of an object, as an encoder.

    Its method is given texts as they are, of media files their paths, and of spans of recordings their samples with
    the rate of the file, ``(samples, rate)``.

    Parameters
    ----------
    name
        What the object's vectors are known by.
    dim
        Length of the vectors; 0 where `learn_dim` has to find it out.
    """

    tolerance = 1e-3  # what others promise is not known
    batch_size = _BATCH
    device = Device("cpu", "the object itself decides where it runs")

    def __init__(self, model: Any, modality: Modality, name: str, dim: int = 0) -> None:
        self._first: tuple[Any, _Encoded] | None = None
        self._embed: Callable[[Sequence[Any]], np.ndarray] = getattr(model, METHODS[modality])
        self.card = EncoderCard(
            encoder_name(name, modality),
            modality,
            dim,
            source="a model of others",
            revision=str(getattr(model, "revision", "not stated")),
            license="unknown",
            preprocessing="its own",
        )

    def learn_dim(self, item: Any) -> None:
        """Encode an item, and take the length of its vector for that of all. Its vector is kept until it is asked for.

        Raises
        ------
        MediaError
            Where the item cannot be encoded.
        """
        (vector,) = self.encode([self.load(item)])
        self._first = item, _Encoded(vector)
        self.card = replace(self.card, dim=len(vector))

    def load(self, item: Any) -> Any:
        """Return what the method takes."""
        from biovita.media import read_clip

        if self._first is not None and item == self._first[0]:
            return self._first[1]
        if isinstance(item, str):
            return item
        clip = item if isinstance(item, Clip) else Clip(item)
        if not clip.path.is_file():
            raise MediaError("missing", f"{clip.path}: there is no such file")
        whole = clip.end_s is None and not clip.start_s
        return clip.path if whole else read_clip(clip.path, clip.start_s, clip.end_s)

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``, float32, as the object gives them.

        Raises
        ------
        MediaError
            Where the object cannot read one.
        ModelError
            Where it gives vectors of another length than before.
        """
        new = [entry for entry in batch if not isinstance(entry, _Encoded)]
        vectors = iter(self._encode(new) if new else ())
        found = [entry.vector if isinstance(entry, _Encoded) else next(vectors) for entry in batch]
        return np.stack(found) if found else np.empty((0, self.card.dim), np.float32)

    def _encode(self, batch: Sequence[Any]) -> np.ndarray:
        with tempfile.TemporaryDirectory(prefix="biovita-") as folder:
            given = [_unpacked(entry, Path(folder, str(place))) for place, entry in enumerate(batch)]
            vectors = np.asarray(self._embed(given), np.float32).reshape(len(batch), -1)
        if self.card.dim not in {0, vectors.shape[1]}:
            raise ModelError(
                f"{self.card.name} gave a vector of {vectors.shape[1]} numbers after vectors of {self.card.dim}. All "
                "vectors of a model have to be of one length"
            )
        vectors[~vectors.any(axis=1)] = np.nan  # it has no direction: no vector, as one that is not finite
        return vectors


def _unpacked(content: Any, folder: Path) -> Any:
    """Return a packed file as a file of its own name in a new folder, and anything else as it is."""
    if not isinstance(content, PackedFile):
        return content
    folder.mkdir()
    place = folder / file_name(content.name)
    place.write_bytes(content.read_bytes())
    return place
