"""The vectors of frozen towers, read once for a whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from biovita.dataset import Split
from biovita.embedding import Vectors, embeddings_directory, read_failures, vectors
from biovita.modality import Modality
from biovita.model.describe import describe
from biovita.training.towers.decode_failures import Failures
from biovita.training.towers.training_items import TrainingItems

__all__ = ["FrozenVectors", "frozen_vectors"]


@dataclass(frozen=True, eq=False)
class FrozenVectors:
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
        held = self.items[modality]
        return held[torch.from_numpy(rows).to(held.device)]

    def missing(self) -> dict[Modality, np.ndarray]:
        """Return by modality which rows have no vector, ``(rows,)`` bool."""
        return {modality: held.isnan().any(dim=1).cpu().numpy() for modality, held in self.items.items()}


def frozen_vectors(
    items: TrainingItems,
    model: str,
    failures: Failures,
    *,
    images: bool,
    device: torch.device,
    compute: bool = True,
    progress: bool = False,
) -> FrozenVectors:
    """Return the vectors of the training texts, and where asked of the photographs, from the dataset's tables.

    A photograph that cannot be decoded is counted in ``failures``; its row is NaN.

    Parameters
    ----------
    compute
        Whether to embed what has no vector yet; otherwise that is an error.
    """
    dataset = items.dataset
    read = partial(vectors, dataset, model, space="tower", compute=compute, device=str(device), progress=progress)
    texts = read(Modality.TEXT, ids=dict.fromkeys(text for each in items.prompts for text in each))
    rows = items.media[Modality.IMAGE]
    if not images or not len(rows):
        return FrozenVectors({}, texts)
    found = read(Modality.IMAGE, where=pc.field("split") == Split.TRAIN.value)
    places = pc.index_in(rows["id"], value_set=pa.array(found.ids, pa.string()))
    lacking = set(rows["id"].filter(pc.is_null(places)).to_pylist())
    for failure in read_failures(embeddings_directory(dataset, describe(model).towers.name)):
        if failure.modality == Modality.IMAGE and failure.id in lacking:
            failures.add(Modality.IMAGE, failure.id, failure.detail)
    there = pc.is_valid(places).to_numpy()
    made = np.full((len(rows), found.dim), np.nan, np.float32)
    made[there] = found.vectors[places.drop_null().to_numpy()]
    photographs = torch.nn.functional.normalize(torch.from_numpy(made), dim=1).to(device)
    return FrozenVectors({Modality.IMAGE: photographs}, texts)
