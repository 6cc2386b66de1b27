"""What projections are trained on: the vectors that frozen towers make of a dataset, and of the names of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from biovita.dataset import Dataset, Split
from biovita.dataset.held_out import other_names, unseen_taxa
from biovita.embedding import Vectors, vectors
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.model import Model
from biovita.taxonomy import Taxon, prompts
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.projections.names_without_media import kept_classes, named_classes, names_of_classes
from biovita.training.projections.pool import Pool

__all__ = ["TrainingSet", "training_set"]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """All that a run draws from: vectors of frozen towers.

    Attributes
    ----------
    items
        By modality, a pool over the training species; text holds their prompts.
    classes, class_names
        By modality of the classifier: its rows ``(classes, tower dim)``, and a pool of the texts of each class.
    taxa
        The training species, in the order of the pools.
    labels
        The names of what the classes are of, as `names_of_classes` has them.
    """

    items: Mapping[Modality, Pool]
    classes: Mapping[Modality, torch.Tensor]
    class_names: Mapping[Modality, Pool]
    taxa: tuple[Taxon, ...]
    labels: frozenset[str] = frozenset()


def training_set(
    dataset: Dataset, base: Model, *, names: bool = True, exclude: Exclusion = NOTHING, progress: bool = False
) -> TrainingSet:
    """Return the vectors of a dataset's ``train`` rows, and where asked the rows of a model's own classifiers.

    Vectors are read from the dataset's tables; what has none yet is embedded.

    Parameters
    ----------
    base
        Its towers embed, and may have classifiers.
    names
        Whether to use the classifiers' rows and names. Classes that name an unseen species, under whatever name the
        dataset knows it by, are held out.
    exclude
        Taxa whose items and classes are left out.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or a modality has no ``train`` rows that are not excluded.
    """

    def embedded(texts: Iterable[str]) -> Vectors:
        return vectors(dataset, base, Modality.TEXT, ids=texts, space="tower", progress=progress)

    kept = {modality: _training_vectors(dataset, base, modality, exclude, progress=progress) for modality in MEDIA}
    owned = {modality: found.columns["taxon_id"] for modality, found in kept.items()}
    species = pc.unique(pa.chunked_array(list(owned.values()), pa.string())).sort()
    taxa = tuple(dataset.taxonomy[taxon_id] for taxon_id in species.to_pylist())
    asked = [(number, text) for number, taxon in enumerate(taxa) for text in prompts(taxon).values()]
    items = {
        modality: Pool.of(
            torch.from_numpy(found.array),
            pc.index_in(owned[modality], value_set=species).to_numpy().astype(np.int64),
            len(taxa),
        )
        for modality, found in kept.items()
    }
    texts = embedded(text for _, text in asked).subset(text for _, text in asked)
    items[Modality.TEXT] = Pool.of(torch.from_numpy(texts.array), [number for number, _ in asked], len(taxa))
    classes, class_names, labels = {}, {}, set[str]()
    if names:
        unseen = unseen_taxa(dataset)
        synonyms = other_names(dataset, unseen)
        for modality, found in kept.items():
            known = named_classes(base.tower(modality))
            if known is None:
                continue
            allowed = set(kept_classes(known, exclude.taxa, exclude.synonyms))
            chosen = [place for place in kept_classes(known, unseen, synonyms) if place in allowed]
            labels |= names_of_classes(known, chosen)
            named = [(number, text) for number, place in enumerate(chosen) for text in known.texts[place]]
            texts = embedded(text for form in known.texts for text in form).subset(text for _, text in named)
            class_names[modality] = Pool.of(
                torch.from_numpy(texts.array), [number for number, _ in named], len(chosen)
            )
            classes[modality] = _as_standardised(known.weights, found.array)[chosen]
    return TrainingSet(items, classes, class_names, taxa, frozenset(labels))


def _training_vectors(
    dataset: Dataset, base: Model, modality: Modality, exclude: Exclusion, *, progress: bool
) -> Vectors:
    """Return the vectors of a modality's ``train`` rows that are not excluded."""
    split = dataset.media(modality)["split"]
    if len(split) and split.null_count == len(split):
        raise DatasetError(f"{dataset.path} has not been split. Run: biovita data split {dataset.path}")
    if not pc.any(pc.equal(split, Split.TRAIN.value)).as_py():
        raise DatasetError(f"{dataset.path} has no {modality} items in its train split")
    if not dataset.media(modality).filter(exclude.trained_rows).num_rows:
        raise DatasetError(f"all {modality} items in the train split of {dataset.path} are excluded. Exclude less")
    return vectors(dataset, base, modality, where=exclude.trained_rows, space="tower", progress=progress)


def _as_standardised(weights: np.ndarray, vectors: np.ndarray) -> torch.Tensor:
    """Return classifier rows as if they were standardised tower vectors, ``(classes, tower dim)``.

    With ``x = (v - mean) / std``, ``w . v`` is ``(w * std) . x`` plus a constant, so ``w * std`` is the direction in
    standardised space that a class lies in. Its mean over the classes says nothing of any, and goes; its length is made
    that of a standardised vector.
    """
    rows = (weights - weights.mean(axis=0)) * vectors.std(axis=0)
    return torch.from_numpy((rows / rows.std(axis=1, keepdims=True)).astype(np.float32))
