"""The landmarks of a model that was trained: where its taxa's names, media and classes lie in its space."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import normalize

from biovita.modality import MEDIA, Modality
from biovita.model.knowledge import Knowledge, Pull, known_of
from biovita.model.landmarks import Landmarks
from biovita.training.projections.align import Aligned
from biovita.training.projections.pool import Pool
from biovita.training.projections.training_set import TrainingSet
from biovita.training.recipe import FrozenRecipe

__all__ = ["knowledge_of"]


def knowledge_of(aligned: Aligned, data: TrainingSet, recipe: FrozenRecipe) -> Knowledge | None:
    """Return what a trained model knows of taxa; None where its recipe asks for nothing of that.

    The place of a name is the mean over its prompts. That of a taxon's media is the mean over the modalities that the
    stage trains of the mean over its items; that of a class is the direction of its row.
    """
    pull = Pull(**recipe.pull.model_dump())
    if not data.features and not (pull.classes or pull.items or pull.names or pull.answers):
        return None

    @torch.inference_mode()
    def means(pool: Pool, modality: Modality) -> torch.Tensor:
        """Return the mean direction of each species' vectors; zeros where it has none."""
        return normalize(pool.means(lambda x: normalize(aligned.projections[modality](x), dim=1)), dim=1)

    there = [modality for modality in MEDIA if modality in data.items]
    trained_on = [modality for modality in there if recipe.stage == 2 or modality == Modality.AUDIO] or there
    media = [means(data.items[modality], modality) for modality in trained_on]
    names = [means(data.items[Modality.TEXT], Modality.TEXT)]
    places = [normalize(torch.stack(media).sum(0), dim=1)]
    trained = [known_of(taxon.scientific_name, (data.book,)) or (taxon, {}) for taxon in data.taxa]
    taxa = [taxon for taxon, _ in trained]
    rows = data.classes.get(Modality.AUDIO)
    numbers = np.empty(0, np.int64)
    if rows is not None:
        kept = [row for row, taxon in enumerate(data.class_taxa[Modality.AUDIO]) if taxon is not None]
        numbers = np.array(data.class_numbers[Modality.AUDIO], np.int64)[kept]
        taxa += [taxon for taxon in data.class_taxa[Modality.AUDIO] if taxon is not None]
        names.append(means(data.class_names[Modality.AUDIO], Modality.TEXT)[kept])
        with torch.inference_mode():
            places.append(normalize(aligned.projections[Modality.AUDIO].linear(rows[kept]), dim=1))
    landmarks = Landmarks(
        tuple(taxa),
        len(data.taxa),
        {taxon.id: labels for taxon, labels in trained},
        torch.cat(names).numpy().astype(np.float16),
        torch.cat(places).numpy().astype(np.float16),
        numbers,
    )
    return Knowledge(data.features, pull, landmarks)
