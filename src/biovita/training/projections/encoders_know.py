"""What the makers of a model's encoders had classes for, among the species that the alignment has not met."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from biovita.dataset import Dataset
from biovita.modality import MEDIA
from biovita.model import Model
from biovita.training.projections.names_without_media import classes_of_unseen, named_classes
from biovita.training.projections.training_set import other_names, unseen_taxa

__all__ = ["EncoderKnows", "encoders_know"]


@dataclass(frozen=True, slots=True)
class EncoderKnows:
    """How many of the unseen taxa an encoder has a class for, and their scientific names."""

    count: int
    unseen: int
    taxa: tuple[str, ...]


def encoders_know(base: Model, dataset: Dataset) -> dict[str, dict[str, object]]:
    """Return what a training record says of each encoder that has a classifier, by its name."""
    unseen = unseen_taxa(dataset)
    synonyms = other_names(dataset, unseen)
    known = {}
    for modality in MEDIA:
        tower = base.tower(modality)
        classes = named_classes(tower)
        if classes is not None:
            found = classes_of_unseen(classes, unseen, synonyms)
            names = tuple(taxon.scientific_name for taxon in found)
            known[tower.card.name] = asdict(EncoderKnows(len(found), len(unseen), names))
    return known
