"""What a run that trains towers knows of taxa beside the words of their texts."""

from __future__ import annotations

import numpy as np
import torch

from biovita.model.knowledge import Knowledge, Pull, known_of
from biovita.model.landmarks import Landmarks
from biovita.taxonomy.taxon_features import Feature
from biovita.training.towers.training_items import TrainingItems
from biovita.traits.book import book_of

__all__ = ["facts_of_species", "taxon_knowledge"]


def taxon_knowledge(items: TrainingItems, features: tuple[Feature, ...]) -> Knowledge | None:
    """Return what is known of a dataset's taxa; None where no ``features`` are asked for.

    A taxon is looked up among all of the dataset first. The model that is written keeps those that it was trained on.
    """
    if not features:
        return None
    book = book_of(items.dataset)
    known = [known_of(taxon.scientific_name, (book,)) or (taxon, {}) for taxon in items.taxa]
    nowhere = np.empty((len(known), 0), np.float16)
    landmarks = Landmarks(
        tuple(taxon for taxon, _ in known),
        len(known),
        {taxon.id: labels for taxon, labels in known},
        names=nowhere,
        media=nowhere,
    )
    return Knowledge(features, Pull(), landmarks, (book,))


def facts_of_species(items: TrainingItems, knowledge: Knowledge | None) -> torch.Tensor | None:
    """Return what is known of the training species, ``(species, knowledge.count)``, unknown as 0; None without any."""
    if knowledge is None:
        return None
    found = knowledge.inputs([taxon.scientific_name for taxon in items.taxa])
    return torch.from_numpy(found).nan_to_num(0.0)
