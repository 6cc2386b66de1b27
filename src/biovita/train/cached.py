"""Vectors of frozen towers, read once for a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from biovita.embed import Vectors, embed, read_failures, read_vectors
from biovita.embed.table import embeddings_directory
from biovita.modality import Modality
from biovita.towers import model_row
from biovita.train.failures import Failures
from biovita.train.rows import TrainingItems

__all__ = ["Cached", "cached_vectors"]


@dataclass(frozen=True, eq=False)
class Cached:
    """Unit vectors of frozen towers.

    Attributes
    ----------
    items
        By modality ``(rows, dim)`` on the device; a row is NaN where what it is of cannot be decoded.
    texts
        None where texts are encoded at every step.
    """

    items: Mapping[Modality, torch.Tensor]
    texts: Vectors | None

    def rows(self, modality: Modality, rows: np.ndarray) -> torch.Tensor:
        """Return the vectors of some rows."""
        vectors = self.items[modality]
        return vectors[torch.from_numpy(rows).to(vectors.device)]

    def missing(self) -> dict[Modality, np.ndarray]:
        """Return by modality which rows have no vector, ``(rows,)`` bool."""
        return {modality: vectors.isnan().any(dim=1).cpu().numpy() for modality, vectors in self.items.items()}


def cached_vectors(
    items: TrainingItems,
    model: str,
    failures: Failures,
    *,
    images: bool,
    device: torch.device,
    progress: bool = False,
    made: bool = False,
) -> Cached:
    """Return the vectors of photographs, where asked, and texts from the dataset's tables; what is missing is made.

    A photograph that cannot be decoded is counted in ``failures``; its row is NaN. ``made``: another
    process has made the tables just now.
    """
    dataset = items.dataset
    wanted = [Modality.IMAGE, Modality.TEXT] if images else [Modality.TEXT]
    if made:
        failed = read_failures(embeddings_directory(dataset, model_row(model).name))
    else:
        failed = embed(dataset, model, wanted, device=str(device), progress=progress).failed
    texts = read_vectors(dataset, model, Modality.TEXT)
    if not images:
        return Cached({}, texts)
    ids = items.media[Modality.IMAGE]["id"].to_pylist()
    training = set(ids)
    for failure in failed:
        if failure.modality == Modality.IMAGE and failure.id in training:
            failures.add(Modality.IMAGE, failure.id, failure.detail)
    table = read_vectors(dataset, model, Modality.IMAGE)
    vectors = np.full((len(ids), table.dim), np.nan, np.float32)
    there = [place for place, item in enumerate(ids) if item in table]
    vectors[there] = table.subset([ids[place] for place in there]).vectors
    return Cached(
        {Modality.IMAGE: torch.nn.functional.normalize(torch.from_numpy(vectors), dim=1).to(device)}, texts
    )
