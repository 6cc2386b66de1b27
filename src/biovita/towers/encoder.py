"""What every encoder offers, and what is known of it before it is opened."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from biovita.errors import ModelError
from biovita.modality import Modality
from biovita.one_line import OneLine

if TYPE_CHECKING:
    from biovita.compute.device import Device
    from biovita.towers.long_recordings import LongWindows

__all__ = ["Classes", "Encoder", "EncoderCard", "EncoderDefaults", "Loaded", "Windowing"]


_ROUNDING = 1e-6  # far less than a sample

Loaded: TypeAlias = "np.ndarray | LongWindows"  # the second of a recording too long to be held


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """What an encoder is, where its weights are from, and on what terms they may be used.

    Attributes
    ----------
    name
        As `biovita models` lists it, or of a model of others the model's name with the modality.
    dim
        Length of the vectors.
    source
        Package or hub repository that the weights come from, with the file in it.
    revision
        Hub revision, or ``sha256:`` and the hash of the weights.
    license
        Of the weights; ``notice`` is what a user has to be told, where there is something.
    preprocessing
        What `Encoder.load` does to an item. Vectors made under another text are not compared with these.
    size_bytes
        Of the files that hold the weights; None where it is not known before they are fetched.
    """

    name: str
    modality: Modality
    dim: int
    source: str
    revision: str
    license: str
    notice: str | None = None
    preprocessing: str = ""
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Windowing:
    """How an encoder cuts a recording, in seconds as it hears it.

    Attributes
    ----------
    size_s, hop_s
        Length of a window, and how far the next one begins.
    shortest_s
        A last window, other than the first, that would hold less is left out.
    """

    size_s: float
    hop_s: float
    shortest_s: float = 0.0

    def count(self, duration_s: float) -> int:
        """Return into how many windows a recording is cut, whose last one may reach past its end.

        Examples
        --------
        >>> Windowing(3.0, 1.5, 1.5).count(10.0)  # from 0, 1.5, 3, 4.5, 6 and 7.5 s
        6
        """
        if duration_s <= self.size_s:
            return 1
        full = 1 + math.floor((duration_s - self.size_s) / self.hop_s + _ROUNDING)
        held = duration_s - full * self.hop_s
        new = held - max(0.0, self.size_s - self.hop_s)
        return full + (new > _ROUNDING and held >= self.shortest_s - _ROUNDING)


@dataclass(frozen=True, eq=False, repr=False)
class Classes(OneLine):
    """What an encoder's own classifier names: ``weights @ vector + bias`` is the logit of each class.

    Attributes
    ----------
    names
        By class, its names: scientific and common, or synonyms.
    weights, bias
        ``(classes, dim)`` and ``(classes,)``, float32.
    animals
        How many of them are kinds of animals; they come first.
    scientific
        Whether a class's first name is its scientific name, and the second its common name.
    """

    names: tuple[tuple[str, ...], ...]
    weights: np.ndarray
    bias: np.ndarray
    animals: int
    scientific: bool


@runtime_checkable
class Encoder(Protocol):
    """An encoder of one modality: a tower, one side of an aligned model, or an adapter of a model of others.

    Attributes
    ----------
    card
        What it is.
    device
        Where it runs.
    batch_size
        How many items to give `encode` at a time, chosen for the device.
    loader
        `load` without the weights, small enough to be sent to worker processes; None where there is none.
    windows
        How it cuts recordings; None where it does not.
    tolerance
        How far a vector may be from what it is in another batch, as a share of its length.
    """

    card: EncoderCard
    device: Device
    batch_size: int
    tolerance: float

    @property
    def loader(self) -> Callable[[Any], Loaded] | None:
        """`load` without the weights."""
        ...

    @property
    def windows(self) -> Windowing | None:
        """How it cuts recordings."""
        ...

    def load(self, item: Any) -> Loaded:
        """Return one item decoded and prepared for `encode`, on the CPU; threads may call it side by side.

        Raises
        ------
        MediaError
            Where the item cannot be decoded; it is never replaced by silence or a black image.
        """
        ...

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``, float32, of loaded items, in their order; not normalised.

        Raises
        ------
        MediaError
            Where a long recording, which is read only now, turns out not to decode.
        """
        ...

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return one vector a window, ``(len(windows), dim)``, of the windows of loaded recordings.

        Raises
        ------
        ModelError
            Where it does not cut recordings.
        """
        ...

    def cutting(self, overlap: float = 0.0) -> Encoder:
        """Return the encoder as it reads all windows of a recording; its weights are shared.

        Parameters
        ----------
        overlap
            Share of a window that the next one repeats, from 0 up to 1.

        Raises
        ------
        ModelError
            Where it does not cut recordings, or not with such an overlap.
        """
        ...

    def classes(self) -> Classes | None:
        """Return what its own classifier names; None where it has none."""
        ...


class EncoderDefaults:
    """The answers of an encoder that neither cuts recordings nor has a classifier; others override some of them."""

    card: EncoderCard
    device: Device

    def __repr__(self) -> str:
        card = self.card
        return f"<{type(self).__name__} {card.name!r}: {card.modality} in {card.dim:,} numbers, on {self.device.name}>"

    @property
    def loader(self) -> Callable[[Any], Loaded] | None:
        """None: it loads in threads alone."""
        return None

    @property
    def windows(self) -> Windowing | None:
        """None: it cuts nothing."""
        return None

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:  # noqa: ARG002
        """Raise a `ModelError`."""
        raise ModelError(f"{self.card.name} encodes {self.card.modality} and does not cut recordings into windows")

    def cutting(self, overlap: float = 0.0) -> Encoder:  # noqa: ARG002
        """Raise a `ModelError`."""
        raise ModelError(f"{self.card.name} encodes {self.card.modality} and does not cut recordings into windows")

    def classes(self) -> Classes | None:
        """Return None: it has no classifier."""
        return None
