"""What every tower offers, and what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from biovita.dataset.schema import Modality
from biovita.media.packed import MediaPath

if TYPE_CHECKING:
    from PIL import Image

    from biovita.towers.long import LongWindows

__all__ = ["AudioItem", "Clip", "ImageItem", "Loaded", "Sound", "Tower", "TowerInfo"]


@dataclass(frozen=True, slots=True)
class Clip:
    """A span of a sound file; ``end_s`` None means up to its end."""

    path: MediaPath
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples in memory: float, ``(samples,)`` or ``(samples, channels)``, and their rate in hertz."""

    samples: np.ndarray
    sample_rate: int


AudioItem: TypeAlias = "Clip | Sound | MediaPath | str"
ImageItem: TypeAlias = "MediaPath | str | Image.Image"
Loaded: TypeAlias = "np.ndarray | LongWindows"  # the second of a recording too long to be held


@dataclass(frozen=True, slots=True)
class TowerInfo:
    """A registry row: what a tower is, where its weights are from, and on what terms they may be used.

    Attributes
    ----------
    name
        As the registry and ``embeddings/<model>/`` know it.
    dim
        Length of the vectors.
    source
        Package or hub repository that the weights come from, with the file in it.
    revision
        Hub revision, or ``sha256:`` and the hash of the weights file.
    license
        Of the weights; ``notice`` is what a user has to be told, where there is something.
    preprocessing
        What `Tower.load` does to an item. Vectors made under another text are not compared with these.
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


@runtime_checkable
class Tower(Protocol):
    """An encoder of one modality. ``load`` works on the CPU and may run in worker threads or processes.

    Attributes
    ----------
    info
        Its registry row.
    batch_size
        How many items to give `encode` at a time, chosen for the device it is on.
    """

    info: TowerInfo
    batch_size: int

    def load(self, item: Any) -> Loaded:
        """Return one item decoded and prepared for `encode`.

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
