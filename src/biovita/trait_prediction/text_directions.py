"""Where the texts of the vocabulary's labels point in the space that a model's media and texts share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from biovita.dataset.dataset import Dataset
from biovita.embedding import vectors
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.trait_labels import LABELS
from biovita.traits.label_texts import label_directions, label_text

__all__ = ["text_directions"]


def text_directions(
    dataset: Dataset, model: ModelCard, *, device: str = "auto", progress: bool = False
) -> Mapping[str, np.ndarray]:
    """Return by label the vector of its text less the mean of its group's; nothing where texts are in another space.

    The vectors of the texts are kept in the dataset, as those of `biovita bench traits` are.
    """
    if model.dim is None or Modality.TEXT not in model.encoders:
        return {}
    texts = [label_text(label) for label in LABELS]
    found = vectors(dataset, model, Modality.TEXT, ids=texts, device=device, progress=progress)
    return label_directions(LABELS, lambda named: found.vectors[found.places(named)])
