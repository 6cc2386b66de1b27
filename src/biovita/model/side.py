"""One side of a model as an encoder: what a tower gives, in the shared space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from biovita.modality import Modality
from biovita.towers.base import Encoder, Loaded, Simple, Windowing

if TYPE_CHECKING:
    from biovita.model.model import Model

__all__ = ["Side"]


class Side(Simple):
    """A tower, the model's projection where it has one, and length 1; no classifier, which would take other vectors.

    Its card's revision is the model's where there is a projection: it is that of its weights too.
    """

    def __init__(self, model: Model, modality: Modality, tower: Encoder | None = None) -> None:
        self._model = model
        self._modality = modality
        self._tower = tower or model.tower(modality)
        info = self._tower.card
        self.device = self._tower.device
        self.batch_size = self._tower.batch_size
        self.tolerance = max(self._tower.tolerance, 1e-6)  # one rounding more, of the projection and the length
        self.card = replace(info, preprocessing=f"{info.preprocessing}; L2-normalised")
        if modality in model.projections:
            self.card = replace(
                info,
                name=f"{model.card.name}-{modality}",
                dim=model.dim(modality),
                source=model.card.place or info.source,
                revision=model.card.revision,
                preprocessing=f"{info.preprocessing}; projected, L2-normalised",
            )

    @property
    def loader(self) -> Callable[[Any], Loaded] | None:
        """The tower's."""
        return self._tower.loader

    @property
    def windows(self) -> Windowing | None:
        """The tower's."""
        return self._tower.windows

    def load(self, item: Any) -> Loaded:
        """Return what the tower makes of an item."""
        return self._tower.load(item)

    def encode(self, batch: Sequence[Any]) -> np.ndarray:
        """Return the vectors ``(len(batch), dim)``, of length 1."""
        return self._projected(self._tower.encode(batch))

    def encode_windows(self, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return one vector a window, ``(len(windows), dim)``, of length 1."""
        return self._projected(self._tower.encode_windows(windows))

    def cutting(self, overlap: float = 0.0) -> Encoder:
        """Return the side as it reads all windows of a recording."""
        return Side(self._model, self._modality, self._tower.cutting(overlap))

    def _projected(self, vectors: np.ndarray) -> np.ndarray:
        return self._model.project(self._modality, vectors)
