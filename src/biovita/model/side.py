"""One side of a model as an encoder: what a tower gives, in the shared space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from biovita.modality import Modality
from biovita.model.card import ModelCard, numbers_in_words
from biovita.towers.encoder import Encoder, EncoderCard, EncoderDefaults, Loaded, Windowing

__all__ = ["Side", "side_card", "sides_in_words"]


class Side(EncoderDefaults):
    """A tower, the model's projection where it has one, and length 1; no classifier, which would take other vectors.

    Parameters
    ----------
    tower
        Encodes.
    card_of
        From the tower's card to that of the side: its name, dimension and revision.
    project
        From the tower's vectors, and the items they are of, to those of the side, of length 1. Of texts an item is the
        text, of all else None.
    """

    def __init__(
        self,
        tower: Encoder,
        card_of: Callable[[EncoderCard], EncoderCard],
        project: Callable[[np.ndarray, Sequence[Any]], np.ndarray],
    ) -> None:
        self._tower = tower
        self._card_of = card_of
        self._project = project
        self.card = card_of(tower.card)
        self.device = tower.device
        self.batch_size = tower.batch_size
        self.tolerance = max(tower.tolerance, 1e-6)  # one rounding more, of the projection and the length

    @property
    def loader(self) -> Callable[[Any], Loaded] | None:
        """The tower's; None of texts, which go on beside what is loaded of them."""
        return None if self._reads else self._tower.loader

    @property
    def windows(self) -> Windowing | None:
        """The tower's."""
        return self._tower.windows

    @property
    def _reads(self) -> bool:
        return self.card.modality == Modality.TEXT

    def load(self, item: Any) -> Any:
        """Return what the tower makes of an item; of a text with the text before it."""
        loaded = self._tower.load(item)
        return (item, loaded) if self._reads else loaded

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``, of length 1."""
        if not self._reads:
            return self._project(self._tower.encode(batch), ())
        return self._project(self._tower.encode([loaded for _, loaded in batch]), [text for text, _ in batch])

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return one vector a window, ``(len(windows), dim)``, of length 1."""
        return self._project(self._tower.encode_windows(windows), ())

    def cutting(self, overlap: float = 0.0) -> Encoder:
        """Return the side as it reads all windows of a recording."""
        return Side(self._tower.cutting(overlap), self._card_of, self._project)


def side_card(model: ModelCard | None, dim: int, card: EncoderCard) -> EncoderCard:
    """Return the card of a side from its tower's.

    Parameters
    ----------
    model
        Of the model whose projection the side has, which gives it its revision; None where it has none.
    dim
        Length of the side's vectors.
    """
    if model is None:
        return replace(card, preprocessing=f"{card.preprocessing}; L2-normalised")
    return replace(
        card,
        name=f"{model.name}-{card.modality}",
        dim=dim,
        source=model.place or card.source,
        revision=model.revision,
        preprocessing=f"{card.preprocessing}; projected, L2-normalised",
    )


def sides_in_words(sides: Sequence[Encoder]) -> str:
    """Return in words what a model's sides are of, how long their vectors are, and where they run."""
    devices = dict.fromkeys(side.device.name for side in sides)
    numbers = numbers_in_words({side.card.modality: side.card.dim for side in sides})
    return f"{numbers}, on {', '.join(devices) or 'no device'}"
