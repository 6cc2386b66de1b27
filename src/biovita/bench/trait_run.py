"""Trait prediction from a model's embeddings of a whole dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biovita.bench.embed import Item, embed_items, media_item
from biovita.bench.models import identity, modalities_of_model, open_model
from biovita.bench.scores import VectorTable
from biovita.bench.task import Benchmark
from biovita.bench.traits import Traits, trait_prediction
from biovita.dataset.schema import Split
from biovita.dataset.store import Dataset
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.taxonomy import Rank

__all__ = ["label_text", "predict_from_benchmark", "predict_traits"]


def label_text(label_id: str) -> str:
    """Return what stands for a trait label in text: its name and definition.

    Examples
    --------
    >>> label_text("diurnal")
    'diurnal animal: Active by day.'
    """
    from biovita.traits.vocabulary import label

    return f"{label_id.replace('_', ' ')} animal: {label(label_id).definition}"


def predict_traits(
    dataset: Dataset, model: Any, directory: Path, *, device: str = "auto", progress: bool = True
) -> list[dict[str, Any]]:
    """Return how well traits can be told from a model's embeddings; see `biovita.bench.traits.trait_prediction`.

    Every recording and photograph of a species with a known trait is embedded, into ``directory``. A label's text
    vector is that of `label_text` less the mean of its group's, so that what all labels share does not count.

    Raises
    ------
    DatasetError
        Where the dataset has no traits, or has not been divided.
    """
    traits = Traits.of(dataset)
    if not traits.labels:
        raise DatasetError(f"{dataset.path} has no traits: import some, with: biovita traits import")
    if "split" not in dataset.info:
        raise DatasetError(
            f"{dataset.path} has not been divided: biovita data split {dataset.path} --unseen N --seed S"
        )
    opened = open_model(model, device=device) if isinstance(model, str) else model
    name = model if isinstance(model, str) else str(getattr(model, "name", type(model).__name__))
    able = modalities_of_model(opened)
    wanted: dict[Modality, list[Item]] = {}
    species: dict[Modality, dict[str, str]] = {}
    unseen: set[str] = set()
    for modality in (Modality.AUDIO, Modality.IMAGE):
        owners: dict[str, str] = {}
        items = []
        for row in dataset.media(modality).to_pylist() if modality in able else ():
            taxon = dataset.taxonomy[row["taxon_id"]]
            if taxon.rank != Rank.SPECIES or not traits.values.get(taxon.scientific_name):
                continue
            owners[row["id"]] = taxon.scientific_name
            items.append(
                media_item(row["id"], dataset.locate(row["path"]), (row.get("start_s"), row.get("end_s")))
            )
            if row["split"] == Split.UNSEEN.value:
                unseen.add(taxon.scientific_name)
        wanted[modality], species[modality] = items, owners
    if Modality.TEXT in able:
        wanted[Modality.TEXT] = [Item(text, text, "") for text in map(label_text, traits.labels)]
    embedded = embed_items(opened, wanted, directory, name=identity(name, opened), progress=progress)
    vectors: dict[Modality, tuple[Sequence[str], np.ndarray]] = {
        modality: ([species[modality][key] for key in table.ids], np.asarray(table.vectors))
        for modality, table in embedded.vectors.items()
        if modality != Modality.TEXT and len(table.ids)
    }
    texts = embedded.vectors.get(Modality.TEXT)
    prompts = None if texts is None else _prompts(dict(zip(texts.ids, texts.vectors, strict=True)), traits)
    return trait_prediction(vectors, frozenset(unseen), traits, prompts)


def predict_from_benchmark(
    benchmark: Benchmark, dataset: Dataset, vectors: Mapping[Modality, VectorTable], model: Any = None
) -> list[dict[str, Any]]:
    """Return the same from a benchmark's vectors alone: the probe is fitted on the held-out items of seen species.

    Parameters
    ----------
    model
        Embeds the labels' texts for zero-shot prediction; None, or a model without texts: only the probe.
    """
    traits = Traits.of(dataset)
    if not traits.labels:
        return []
    unseen: set[str] = set()
    known: dict[Modality, tuple[Sequence[str], np.ndarray]] = {}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        if modality not in vectors:
            continue
        table = vectors[modality]
        place = {key: row for row, key in enumerate(table.ids)}
        rows = [row for row in benchmark.items[modality].to_pylist() if row["species"] and row["id"] in place]
        if rows:
            at = np.array([place[row["id"]] for row in rows])
            known[modality] = [row["species"] for row in rows], np.asarray(table.vectors[at], np.float64)
            unseen |= {row["species"] for row in rows if row["part"] == Split.UNSEEN.value}
    prompts = None
    if model is not None and Modality.TEXT in modalities_of_model(model):
        texts = [label_text(label) for label in traits.labels]
        prompts = _prompts(dict(zip(texts, np.asarray(model.embed_texts(texts)), strict=True)), traits)
    return trait_prediction(known, frozenset(unseen), traits, prompts)


def _prompts(texts: dict[str, np.ndarray], traits: Traits) -> dict[str, np.ndarray]:
    from biovita.traits.vocabulary import group_of

    groups: dict[str, list[str]] = {}
    for label in traits.labels:
        if label_text(label) in texts:
            groups.setdefault(group_of(label), []).append(label)
    prompts: dict[str, np.ndarray] = {}
    for labels in groups.values():
        vectors = np.stack([texts[label_text(label)] for label in labels]).astype(np.float64)
        if len(labels) > 1:
            vectors -= vectors.mean(axis=0)
        prompts.update(zip(labels, vectors, strict=True))
    return prompts
