"""Trait prediction from the vectors of a whole dataset, or of a benchmark."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.item_vectors import item_vectors, say_unused
from biovita.benchmark.leak import asked_of_split, check_met
from biovita.benchmark.scored_models import met_by, modalities_of_model, model_name, open_model, safe_name
from biovita.benchmark.task import Benchmark
from biovita.benchmark.trait_scores import Traits, TraitScore, species_means, trait_prediction
from biovita.dataset.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.embedding import Items, Vectors, dataset_items, text_items
from biovita.embedding.store import embeddings_directory
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.suggestion import suggested
from biovita.taxonomy import Rank

__all__ = ["label_text", "label_texts", "predict_from_benchmark", "predict_traits"]

logger = logging.getLogger(__name__)


def label_text(label_id: str) -> str:
    """Return what stands for a trait label in text: its name and definition.

    Examples
    --------
    >>> label_text("diurnal")
    'diurnal animal: Active by day.'
    """
    from biovita.trait_labels import label

    return f"{label_id.replace('_', ' ')} animal: {label(label_id).definition}"


def label_texts(dataset: Dataset) -> tuple[str, ...]:
    """Return what stands in text for the labels that are known of a dataset's species."""
    return tuple(map(label_text, Traits.of(dataset).labels))


def predict_traits(
    dataset: Dataset, model: Any, *, device: str = "auto", allow_leak: bool = False, progress: bool = True
) -> tuple[TraitScore, ...]:
    """Return how well traits can be told from a model's embeddings; see `benchmark.trait_scores.trait_prediction`.

    Every recording and photograph of a species with a known trait counts. Their vectors are those that
    `biovita.embedding` keeps in the dataset; what is missing is computed into it. A label's text vector is that of
    `label_text` less the mean of its group's, so that what all labels share does not count.

    Parameters
    ----------
    model
        As for `biovita.benchmark.evaluation.evaluate`, vectors made elsewhere apart.
    allow_leak
        Score a model that has trained on what the split holds out, and mark its rows.

    Raises
    ------
    DatasetError
        Where the dataset has no traits, or has not been divided.
    ModelError
        Where the model has trained on what the split holds out, and that is not allowed.
    """
    traits = Traits.of(dataset)
    if not traits.labels:
        run = suggested("traits import", dataset.path, "--csv TABLE")
        raise DatasetError(f"{dataset.path} has no traits. Import some: {run}")
    if "split" not in dataset.info:
        raise DatasetError(
            f"{dataset.path} has not been split. Run: {suggested('data split', dataset.path, '--unseen N --seed S')}"
        )
    species = {
        taxon.id: taxon.scientific_name
        for taxon in dataset.taxonomy.values()
        if taxon.rank == Rank.SPECIES and traits.values.get(taxon.scientific_name)
    }
    known = pc.field("taxon_id").isin(list(species))
    wanted: dict[Modality, Items] = {m: dataset_items(dataset, m, known) for m in MEDIA}
    wanted[Modality.TEXT] = text_items(label_texts(dataset))
    name = model_name(model)
    opened = open_model(model)
    check = check_met(met_by(opened), asked_of_split(dataset), name=name, allow_leak=allow_leak)
    for sentence in check.notes:
        logger.warning("%s", sentence)
    able = {modality: items for modality, items in wanted.items() if modality in modalities_of_model(opened)}
    directory = embeddings_directory(dataset, safe_name(name))
    say_unused(embeddings_directory(dataset, f"traits-{safe_name(name)}"))
    found = item_vectors(opened, able, dataset, directory, name=name, device=device, progress=progress)
    means, unseen = {}, set[str]()
    for modality in MEDIA:
        table = dataset.media(modality).filter(known)
        held_out = table.filter(pc.field("split") == Split.UNSEEN.value)
        unseen |= {species[taxon_id] for taxon_id in held_out["taxon_id"].unique().to_pylist()}
        vectors = found.vectors.get(modality)
        if vectors is not None and len(vectors):
            at = pc.index_in(pa.array(vectors.ids, pa.string()), value_set=table["id"])
            names = [species[taxon_id] for taxon_id in table["taxon_id"].take(at).to_pylist()]
            means[modality] = species_means(names, vectors.vectors)
    rows = trait_prediction(means, frozenset(unseen), traits, _prompts(found.vectors, traits))
    return tuple(replace(row, leak=bool(check.leak)) for row in rows)


def predict_from_benchmark(
    benchmark: Benchmark, vectors: Mapping[Modality, Vectors], *, leak: bool = False
) -> tuple[TraitScore, ...]:
    """Return what `predict_traits` does, from a benchmark's vectors alone; the probe is fitted on its seen species.

    Where the vectors of texts have those of `label_texts` among them, labels are also told zero-shot. Without a
    dataset that has traits, there are no rows.
    """
    traits = Traits.of(benchmark.dataset) if benchmark.dataset is not None else Traits({})
    if not traits.labels:
        return ()
    means, unseen = {}, set[str]()
    for modality in MEDIA:
        if modality not in vectors:
            continue
        have = vectors[modality]
        items = benchmark.items[modality].filter(pc.field("species").is_valid())
        items = items.filter(pc.is_in(items["id"], value_set=pa.array(have.ids, pa.string())))
        if items.num_rows:
            names = items["species"].to_pylist()
            means[modality] = species_means(names, have.vectors, have.places(items["id"].to_pylist()))
            unseen |= set(items.filter(pc.field("part") == Split.UNSEEN.value)["species"].to_pylist())
    rows = trait_prediction(means, frozenset(unseen), traits, _prompts(vectors, traits))
    return tuple(replace(row, leak=leak) for row in rows)


def _prompts(vectors: Mapping[Modality, Vectors], traits: Traits) -> dict[str, np.ndarray] | None:
    """Return the vector that stands for each label, less the mean of its group's; None where texts have none."""
    from biovita.trait_labels import group_of

    texts = vectors.get(Modality.TEXT)
    groups: dict[str, list[str]] = {}
    for label in traits.labels:
        if texts is not None and label_text(label) in texts:
            groups.setdefault(group_of(label), []).append(label)
    prompts: dict[str, np.ndarray] = {}
    for labels in groups.values():
        assert texts is not None
        found = texts.vectors[texts.places(map(label_text, labels))].astype(np.float64)
        if len(labels) > 1:
            found = found - found.mean(axis=0)
        prompts.update(zip(labels, found, strict=True))
    return prompts or None
