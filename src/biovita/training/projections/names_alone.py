"""Training without a dataset: all classes of a model's own classifiers with their names, and no media at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing

import numpy as np
import pyarrow as pa
import torch

from biovita.embedding import Vectors
from biovita.modality import MEDIA, Modality
from biovita.model import Model
from biovita.model.formats.projections import aligned_model
from biovita.model.met import Met, MetStage
from biovita.model.projection import Projection
from biovita.progress import progress_bar
from biovita.taxonomy.parse import fold
from biovita.taxonomy.taxon import shared_taxon
from biovita.taxonomy.taxon_features import Feature, feature_count
from biovita.towers.encode import encode_items
from biovita.towers.encoder import Encoder
from biovita.training.projections.align import Aligned, align
from biovita.training.projections.known_places import knowledge_of
from biovita.training.projections.names_without_media import named_classes, names_of_classes
from biovita.training.projections.pool import Pool
from biovita.training.projections.training_set import TextPools, TrainingSet, class_facts, scaled_rows
from biovita.training.recipe import FrozenRecipe

__all__ = ["LEVELS", "names_alone", "trained_on_names", "untrained_on_names"]

LEVELS: Mapping[Modality, float] = {Modality.AUDIO: 0.33, Modality.IMAGE: 0.24}
"""The mean over all features of what BirdNET and EfficientNet give for a simulated fauna.

``biovita simulate --species 16``: 171 recordings have the mean 0.332, and a spread of 0.345 in each feature on average;
126 photographs have 0.241 and 0.251.
"""


def trained_on_names(base: Model, recipe: FrozenRecipe, *, progress: bool = False) -> Model:
    """Return the model that a recipe makes of the names of all classes of a model's classifiers.

    Its record is the recipe, and it has met every name.

    Raises
    ------
    ModelError
        Where no tower has a classifier.
    """
    data = names_alone(base, recipe.text.features)
    with progress_bar(recipe.name, recipe.steps, shown=progress) as advance:
        aligned = align(data, recipe, untrained_on_names(data, recipe), on_step=advance)
    knowledge = knowledge_of(aligned, data, recipe)
    named = " and ".join(base.tower(modality).card.name for modality in data.classes)
    labels = pa.array(sorted({fold(label) for label in data.labels}), pa.string())
    met = Met((MetStage(recipe.name, f"class names of {named}"),), classes=labels)
    record = {"recipe": recipe.model_dump(mode="json")}
    return aligned_model(
        base.name, base, aligned.projections, aligned.logit_scale, record, met=met, knowledge=knowledge
    )


def names_alone(base: Model, features: tuple[Feature, ...]) -> TrainingSet:
    """Return the rows and the names of all classes of a model's classifiers; there is no item of any species.

    Parameters
    ----------
    features
        What of a text's taxon stands behind its vector.
    """
    text = base.tower(Modality.TEXT)
    pools = TextPools(lambda texts: _embedded(text, texts), features)
    items, classes, class_names, class_taxa, labels = {}, {}, {}, {}, set[str]()
    for modality in MEDIA:
        items[modality] = _none(base.tower(modality).card.dim)
        known = named_classes(base.tower(modality))
        if known is None:
            continue
        labels |= names_of_classes(known, range(len(known.names)))
        class_taxa[modality] = tuple(shared_taxon(taxa) for taxa in known.taxa or [()] * len(known.names))
        class_names[modality] = pools.pool(known.texts, [class_facts(taxon) for taxon in class_taxa[modality]])
        classes[modality] = scaled_rows(known.weights, np.ones(known.weights.shape[1], np.float32))
    items[Modality.TEXT] = _none(text.card.dim + feature_count(features))
    return TrainingSet(
        items,
        classes,
        class_names,
        (),
        frozenset(labels),
        class_taxa=class_taxa,
        class_numbers={modality: range(len(taxa)) for modality, taxa in class_taxa.items()},
        features=features,
    )


def untrained_on_names(data: TrainingSet, recipe: FrozenRecipe) -> Aligned:
    """Return the projections of `names_alone` before any training, randomly initialised.

    Vectors of texts are standardised on the texts of the classes. A tower of media gives means over what comes out of a
    rectifier, features that are near zero most of the time; such a feature has about the same mean and spread, and of
    one tower all have about the same. So each is standardised by one number, `LEVELS`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        projections = {}
        for modality, pool in data.items.items():
            known = feature_count(data.features) if modality == Modality.TEXT else 0
            projections[modality] = Projection(pool.dim, recipe.dim, known)
            if modality != Modality.TEXT:
                projections[modality].mean.fill_(LEVELS[modality])
                projections[modality].std.fill_(LEVELS[modality])
    projections[Modality.TEXT].standardise_on(data.texts)
    return Aligned(projections, recipe.logit_scale, ())


def _none(dim: int) -> Pool:
    """Return the pool of no species."""
    return Pool.of(torch.zeros((0, dim)), [], 0)


def _embedded(tower: Encoder, texts: Iterable[str]) -> Vectors:
    distinct = list(dict.fromkeys(texts))
    with closing(encode_items(tower, enumerate(distinct))) as encoded:
        found = [vector for _, vector in encoded if isinstance(vector, np.ndarray)]
    assert len(found) == len(distinct), "every text can be encoded"
    return Vectors(distinct, np.concatenate(found))
