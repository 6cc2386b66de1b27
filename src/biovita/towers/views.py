"""A photograph seen in several views: its vector is the mean of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.errors import ModelError
from biovita.media.boxes import boxed
from biovita.media.inputs import Box, ImageItem
from biovita.towers.encoder import Classes, Encoder, EncoderDefaults
from biovita.towers.input_arrays import rgb_image

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MOST_VIEWS", "Views"]

# The whole, the middle, and the four corners, each of them three quarters wide and high; then the whole as a mirror
# shows it. The encoder takes of each what it takes of any picture.
_BOXES: tuple[Box, ...] = (
    (0.0, 0.0, 1.0, 1.0),
    (0.125, 0.125, 0.75, 0.75),
    (0.0, 0.0, 0.75, 0.75),
    (0.25, 0.0, 0.75, 0.75),
    (0.0, 0.25, 0.75, 0.75),
    (0.25, 0.25, 0.75, 0.75),
)
MOST_VIEWS = len(_BOXES) + 1


class Views(EncoderDefaults):
    """An encoder of photographs that looks at each of them several times; a picture is decoded once."""

    def __init__(self, encoder: Encoder, views: int) -> None:
        if not 1 <= views <= MOST_VIEWS:
            raise ModelError(f"{views} views are asked for. It has to be 1 to {MOST_VIEWS}")
        self._encoder = encoder
        self._views = views
        self.device = encoder.device
        self.tolerance = encoder.tolerance
        self.batch_size = max(1, encoder.batch_size // views)
        said = encoder.card.preprocessing
        seen = said if views == 1 else f"{said}; mean of {views} views"
        self.card = replace(encoder.card, preprocessing=seen)

    @property
    def loader(self) -> Callable[[Any], np.ndarray] | None:
        """`load` without the weights, where the encoder has such a one."""
        load = self._encoder.loader
        return None if load is None else partial(_load, load, self._views)

    def load(self, item: ImageItem) -> np.ndarray:
        """Return what the encoder makes of each view, ``(views, ...)``."""
        return _load(self._encoder.load, self._views, item)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean over the views of each photograph, ``(len(batch), dim)``, float32."""
        if not len(batch):
            return np.empty((0, self.card.dim), np.float32)
        vectors = self._encoder.encode([view for views in batch for view in views])
        return vectors.reshape(len(batch), self._views, -1).mean(axis=1)

    def classes(self) -> Classes | None:
        """Return what the encoder's own classifier names."""
        return self._encoder.classes()


def _load(load: Callable[[Any], Any], views: int, item: ImageItem) -> np.ndarray:
    return np.stack([load(view) for view in islice(_views(rgb_image(item)), views)])


def _views(image: Image.Image) -> Iterator[Image.Image]:
    from PIL.ImageOps import mirror

    yield image
    for box in _BOXES[1:]:
        yield boxed(image, box)
    yield mirror(image)
