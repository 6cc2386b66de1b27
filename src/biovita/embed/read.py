"""Embeddings from disk, in the order of the dataset."""

from __future__ import annotations

from biovita.dataset.store import Dataset
from biovita.embed.container import Vectors
from biovita.embed.vectors import vectors
from biovita.modality import Modality

__all__ = ["read_vectors"]


def read_vectors(dataset: Dataset, model: str, modality: Modality) -> Vectors:
    """Return a modality's vectors as `embed` wrote them; it goes once nothing calls it."""
    return vectors(dataset, model, modality, space="tower", compute=False)
