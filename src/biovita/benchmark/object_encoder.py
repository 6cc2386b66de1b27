"""Models of others as encoders: any object with a method that embeds recordings, photographs or texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import numpy as np

from biovita.benchmark.returned_vectors import returned_rows
from biovita.compute.device import Device
from biovita.errors import MediaError, ModelError
from biovita.modality import Modality
from biovita.towers.encoder import EncoderCard, EncoderDefaults
from biovita.towers.input_arrays import native_mono, rgb_image

__all__ = ["METHODS", "ObjectEncoder", "encoder_name", "stated_revision"]

METHODS: dict[Modality, str] = {
    Modality.AUDIO: "embed_audio",
    Modality.IMAGE: "embed_images",
    Modality.TEXT: "embed_texts",
}
_BATCH = 16
_MOST_HERTZ = 1_000_000


def encoder_name(name: str, modality: Modality) -> str:
    """Return what one of an object's methods is called as an encoder."""
    return f"{name} {modality}"


def stated_revision(model: Any) -> str | None:
    """Return an object's ``revision``, by which its vectors are used again; None where it states none.

    Raises
    ------
    ModelError
        Where it is neither a text nor a number.
    """
    revision = getattr(model, "revision", None)
    if revision is not None and not isinstance(revision, str | int | float):
        raise ModelError(
            f"revision of {type(model).__name__} is a {type(revision).__name__}. It has to be a text or a number"
        )
    return None if revision is None else str(revision)


@dataclass(frozen=True, eq=False)
class _Encoded:
    """The vector of an item that is not encoded again."""

    vector: np.ndarray


@dataclass(frozen=True, eq=False)
class _Given:
    """What a method is given of an item, and how many bytes it holds."""

    content: Any
    nbytes: int


class ObjectEncoder(EncoderDefaults):
    """One of the methods of an object, as an encoder.

    Its method is given a list of up to 16 items, all of one form: recordings as ``(samples, rate)``, of which samples
    are float32 ``(n,)`` and the rate is that of the file in hertz, or the object's ``sample_rate`` where it has one;
    photographs as PIL pictures, RGB and upright; texts as strings.

    Parameters
    ----------
    name
        What the object's vectors are known by.
    dim
        Length of the vectors; 0 where `learn_dim` has to find it out.

    Raises
    ------
    ModelError
        Where the object's ``sample_rate`` or ``revision`` cannot be used.
    """

    tolerance = 1e-3  # what others promise is not known
    batch_size = _BATCH
    device = Device("cpu", "the object itself decides where it runs")

    def __init__(self, model: Any, modality: Modality, name: str, dim: int = 0) -> None:
        self._first: tuple[Any, _Encoded] | None = None
        self._embed: Callable[[list[Any]], Any] = getattr(model, METHODS[modality])
        self._method = f"{METHODS[modality]} of {type(model).__name__}"
        self._rate = _sample_rate(model) if modality == Modality.AUDIO else None
        self.card = EncoderCard(
            encoder_name(name, modality),
            modality,
            dim,
            source="a model of others",
            revision=stated_revision(model) or f"not stated, {uuid4().hex[:12]}",  # nothing is used again
            license="unknown",
            preprocessing=_preprocessing(modality, self._rate),
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
        """Return what the method takes of an item, decoded.

        Raises
        ------
        MediaError
            Where it cannot be decoded.
        """
        if self._first is not None and item == self._first[0]:
            return self._first[1]
        if self.card.modality == Modality.TEXT:
            return item
        if self.card.modality == Modality.IMAGE:
            picture = rgb_image(item)
            return _Given(picture, 3 * picture.width * picture.height)
        samples, rate = native_mono(item)
        if self._rate not in {None, rate}:
            from biovita.media import resample

            samples, rate = resample(samples, rate, self._rate), self._rate
        return _Given((samples, rate), samples.nbytes)

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``, float32, as the object gives them; NaN for one of zeros.

        Raises
        ------
        MediaError
            Where the object says so of an item.
        ModelError
            Where it does not return a vector an item, or vectors of another length than before.
        """
        new = [entry for entry in batch if not isinstance(entry, _Encoded)]
        vectors = iter(self._encode(new) if new else ())
        found = [entry.vector if isinstance(entry, _Encoded) else next(vectors) for entry in batch]
        return np.stack(found) if found else np.empty((0, self.card.dim), np.float32)

    def _encode(self, batch: Sequence[Any]) -> np.ndarray:
        given = [entry.content if isinstance(entry, _Given) else entry for entry in batch]
        try:
            returned = self._embed(given)
        except MediaError:
            raise
        except Exception as error:
            error.add_note(f"biovita gave {self._method} a list of {_in_words(self.card.modality, given)}")
            raise
        vectors = returned_rows(returned, len(given), self._method)
        if self.card.dim not in {0, vectors.shape[1]}:
            raise ModelError(
                f"{self._method} returned vectors of {vectors.shape[1]} numbers after vectors of {self.card.dim}. All "
                "vectors of a model have to be of one length. If the model has changed, change its revision"
            )
        vectors[~vectors.any(axis=1)] = np.nan  # it has no direction: no vector, as one that is not finite
        return vectors


def _preprocessing(modality: Modality, rate: int | None) -> str:
    given = {
        Modality.AUDIO: f"samples at {f'{rate} Hz' if rate else 'the rate of their file'}",
        Modality.IMAGE: "RGB pictures",
        Modality.TEXT: "texts",
    }
    return f"its own, of {given[modality]}"


def _sample_rate(model: Any) -> int | None:
    """Return the rate in hertz that an object asks for; None where it asks for none."""
    rate = getattr(model, "sample_rate", None)
    if rate is None:
        return None
    number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
    if not number or not float(rate).is_integer() or not 0 < rate <= _MOST_HERTZ:
        raise ModelError(
            f"sample_rate of {type(model).__name__} is {rate!r}. It has to be a whole number of hertz, such as 48000; "
            "without it, recordings come at the rates of their files"
        )
    return int(rate)


def _in_words(modality: Modality, given: Sequence[Any]) -> str:
    """Return how many items of which form were given, and what the first was."""
    if modality == Modality.AUDIO:
        samples, rate = given[0]
        return f"{len(given)} recordings as (samples, rate), the first float32 {samples.shape} at {rate} Hz"
    if modality == Modality.IMAGE:
        return f"{len(given)} PIL pictures, the first RGB of {given[0].width} x {given[0].height} pixels"
    return f"{len(given)} texts, the first {given[0]!r:.80}"
