"""What projections are trained on: the vectors that frozen towers make of a dataset, and of the names of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from biovita.dataset import Dataset, Split
from biovita.embedding import Vectors, vectors
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.model import Model
from biovita.parquet import read_parquet
from biovita.taxonomy import Taxon, prompts
from biovita.training.projections.names_without_media import kept_classes, named_classes
from biovita.training.projections.pool import Pool

__all__ = ["TrainingSet", "other_names", "training_set", "unseen_taxa"]

_DECIDED = pa.schema([(name, pa.string()) for name in ("name", "parsed", "species_id")])


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
    """

    items: Mapping[Modality, Pool]
    classes: Mapping[Modality, torch.Tensor]
    class_names: Mapping[Modality, Pool]
    taxa: tuple[Taxon, ...]


def training_set(dataset: Dataset, base: Model, *, names: bool = True, progress: bool = False) -> TrainingSet:
    """Return the vectors of a dataset's ``train`` rows, and where asked the rows of a model's own classifiers.

    Vectors are read from the dataset's tables; what has none yet is embedded.

    Parameters
    ----------
    base
        Its towers embed, and may have classifiers.
    names
        Whether to use the classifiers' rows and names. Classes that name an unseen species, under whatever name the
        dataset knows it by, are held out.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or a modality has no ``train`` rows.
    """

    def embedded(texts: Iterable[str]) -> Vectors:
        return vectors(dataset, base, Modality.TEXT, ids=texts, space="tower", progress=progress)

    kept = {modality: _training_vectors(dataset, base, modality, progress=progress) for modality in MEDIA}
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
    classes, class_names = {}, {}
    if names:
        unseen = unseen_taxa(dataset)
        synonyms = other_names(dataset, unseen)
        for modality, found in kept.items():
            known = named_classes(base.tower(modality))
            if known is None:
                continue
            chosen = kept_classes(known, unseen, synonyms)
            named = [(number, text) for number, place in enumerate(chosen) for text in known.texts[place]]
            texts = embedded(text for form in known.texts for text in form).subset(text for _, text in named)
            class_names[modality] = Pool.of(
                torch.from_numpy(texts.array), [number for number, _ in named], len(chosen)
            )
            classes[modality] = _as_standardised(known.weights, found.array)[chosen]
    return TrainingSet(items, classes, class_names, taxa)


def _training_vectors(dataset: Dataset, base: Model, modality: Modality, *, progress: bool) -> Vectors:
    """Return the vectors of a modality's ``train`` rows."""
    split = dataset.media(modality)["split"]
    if len(split) and split.null_count == len(split):
        raise DatasetError(f"{dataset.path} has not been split. Run: biovita data split {dataset.path}")
    if not pc.any(pc.equal(split, Split.TRAIN.value)).as_py():
        raise DatasetError(f"{dataset.path} has no {modality} items in its train split")
    rows = pc.field("split") == Split.TRAIN.value
    return vectors(dataset, base, modality, where=rows, space="tower", progress=progress)


def unseen_taxa(dataset: Dataset) -> list[Taxon]:
    """Return the taxa with an item in the ``unseen`` split."""
    hidden = [
        dataset.media(modality).filter(pc.field("split") == Split.UNSEEN.value)["taxon_id"] for modality in MEDIA
    ]
    taxa = pc.unique(pa.chunked_array([chunk for column in hidden for chunk in column.chunks], pa.string()))
    return [dataset.taxonomy[taxon_id] for taxon_id in taxa.sort().to_pylist()]


def other_names(dataset: Dataset, taxa: Iterable[Taxon]) -> dict[str, set[str]]:
    """Return the names beside their own that a dataset has for these taxa, by taxon id.

    They are the synonyms of its taxonomy, and the names it was made from, which ``taxonomy_decisions.parquet`` holds
    where there was a backbone: as given, and without authorship.

    Raises
    ------
    DatasetError
        Where that file cannot be read.
    """
    names: dict[str, set[str]] = {taxon.id: set() for taxon in taxa}
    for name, taxon_id in dataset.taxonomy.synonyms.items():
        if taxon_id in names:
            names[taxon_id].add(name)
    file = dataset.path / "taxonomy_decisions.parquet"
    if file.is_file():
        table = read_parquet(file, _DECIDED)
        table = table.filter(pc.is_in(table["species_id"], value_set=pa.array(sorted(names), pa.string())))
        for row in table.to_pylist():
            names[row["species_id"]] |= {row[column] for column in ("name", "parsed") if row[column] is not None}
    return names


def _as_standardised(weights: np.ndarray, vectors: np.ndarray) -> torch.Tensor:
    """Return classifier rows as if they were standardised tower vectors, ``(classes, tower dim)``.

    With ``x = (v - mean) / std``, ``w . v`` is ``(w * std) . x`` plus a constant, so ``w * std`` is the direction in
    standardised space that a class lies in. Its mean over the classes says nothing of any, and goes; its length is made
    that of a standardised vector.
    """
    rows = (weights - weights.mean(axis=0)) * vectors.std(axis=0)
    return torch.from_numpy((rows / rows.std(axis=1, keepdims=True)).astype(np.float32))
