"""Trait prediction from the vectors of a whole dataset, or of a benchmark."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.item_vectors import item_vectors, say_unused
from biovita.benchmark.leak import asked_of_split, check_met
from biovita.benchmark.object_encoder import encoder_name
from biovita.benchmark.precomputed import read_precomputed
from biovita.benchmark.scored_models import (
    Random,
    met_by,
    modalities_of_model,
    model_name,
    open_model,
    safe_name,
)
from biovita.benchmark.task import ITEMS, Benchmark
from biovita.benchmark.trait_scores import TraitScore, label_scores
from biovita.benchmark.vector_rows import rows_of
from biovita.dataset.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.embedding import Items, LanceStore, Vectors, dataset_items, text_items, texts_of
from biovita.embedding.store import embeddings_directory
from biovita.errors import BiovitaError, DatasetError, ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import Model, ModelCard
from biovita.model.lookup import KNOWN
from biovita.suggestion import suggested
from biovita.taxonomy import Rank
from biovita.traits.known_labels import Traits
from biovita.traits.label_probes import species_means
from biovita.traits.label_texts import label_directions, label_text

__all__ = ["label_texts", "score_traits", "score_traits_of_benchmark"]

logger = logging.getLogger(__name__)

_Means: TypeAlias = "tuple[list[str], np.ndarray]"  # species, and a vector each


def label_texts(dataset: Dataset) -> tuple[str, ...]:
    """Return what stands in text for the labels that are known of a dataset's species."""
    return tuple(map(label_text, Traits.of(dataset).labels))


def score_traits(
    dataset: Dataset, model: Any, *, device: str = "auto", allow_leak: bool = False, progress: bool = True
) -> tuple[TraitScore, ...]:
    """Return how well traits can be told from a model's embeddings; see `benchmark.trait_scores.label_scores`.

    Every recording and photograph of a species with a known trait counts. Their vectors are those that
    `biovita.embedding` keeps in the dataset; what is missing is computed into it. A label's text vector is that of
    `label_text` less the mean of its group's, so that what all labels share does not count.

    Parameters
    ----------
    model
        As for `biovita.benchmark.evaluation.evaluate`. Of vectors made elsewhere, ids are those of the dataset's items,
        and of a label `label_text`.
    allow_leak
        Score a model that has trained on what the split holds out, and mark its rows.

    Raises
    ------
    DatasetError
        Where the dataset has no traits, or has not been divided.
    ModelError
        Where the model has trained on what the split holds out, and that is not allowed, or it embeds neither
        recordings nor photographs.
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
    name = model_name(model)
    elsewhere = isinstance(model, str) and model.startswith("vectors:")
    opened = None if elsewhere else open_model(model)
    check = check_met(met_by(opened), asked_of_split(dataset), name=name, allow_leak=allow_leak)
    for sentence in check.notes:
        logger.warning("%s", sentence)
    if elsewhere:
        vectors, _ = read_precomputed(model.removeprefix("vectors:"), _all_items(dataset))
        _require_media(vectors, name)
    else:
        vectors = _made_here(dataset, opened, list(species), name, device, progress=progress)
    means: dict[Modality, _Means] = {}
    unseen: set[str] = set()
    names = pa.array(species.values(), pa.string())
    for modality in MEDIA:
        table = dataset.media(modality).filter(pc.field("taxon_id").isin(list(species)))
        at = pc.index_in(table["taxon_id"], value_set=pa.array(species.keys(), pa.string()))
        items = table.select(["id", "split"]).append_column("species", names.take(at))
        unseen |= _held_out(items, "split")
        if modality in vectors:
            means |= _means_of(items, vectors[modality], modality, name)
    rows = label_scores(means, frozenset(unseen), traits, _prompts(vectors, traits))
    _say_what_lacks(rows, vectors, name)
    return tuple(replace(row, leak=bool(check.leak)) for row in rows)


def _made_here(
    dataset: Dataset, model: Any, species: Sequence[str], name: str, device: str, *, progress: bool
) -> dict[Modality, Vectors]:
    """Return the vectors of the items of species, and of the labels, that a model has or makes."""
    _require_media(modalities_of_model(model), name)
    wanted: dict[Modality, Items] = {
        modality: dataset_items(dataset, modality, pc.field("taxon_id").isin(species)) for modality in MEDIA
    }
    wanted[Modality.TEXT] = text_items(label_texts(dataset))
    able = {modality: items for modality, items in wanted.items() if modality in modalities_of_model(model)}
    directory = embeddings_directory(dataset, safe_name(name))
    say_unused(embeddings_directory(dataset, f"traits-{safe_name(name)}"))
    if not isinstance(model, Model | ModelCard | Random):
        _refuse_name_of_another(directory, able, name)
    return dict(item_vectors(model, able, dataset, directory, name=name, device=device, progress=progress).vectors)


def _require_media(modalities: Iterable[Modality], name: str) -> None:
    if not set(modalities) & set(MEDIA):
        raise ModelError(f"{name} embeds only texts. Traits are told from recordings or photographs")


def _refuse_name_of_another(directory: Path, modalities: Iterable[Modality], name: str) -> None:
    """Refuse an object under whose name a dataset keeps vectors of another model: they would be replaced."""
    others = {name} & KNOWN.keys()
    for modality in modalities:
        table = LanceStore(directory).table(modality)
        if table.exists and (tower := table.made().tower) != encoder_name(name, modality):
            others.add(tower)
    if others:
        raise ModelError(
            f"{directory} is for the vectors of {', '.join(sorted(others))}, and {name!r} is another model. Give the "
            "object another name: its attribute name"
        )


def _all_items(dataset: Dataset) -> Benchmark:
    """Return all items of a dataset as `read_precomputed` looks them up, and the texts of its taxa and labels."""
    texts = pa.array([*texts_of(dataset.taxonomy), *label_texts(dataset)], pa.string())
    known = {modality: dataset.media(modality).select(["id", "path"]) for modality in MEDIA}
    known[Modality.TEXT] = pa.table({"id": texts})
    items = {}
    for modality, table in known.items():
        columns = [
            table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
            for field in ITEMS
        ]
        items[modality] = pa.table(columns, names=ITEMS.names)
    return Benchmark(items, ())


def _say_what_lacks(rows: Sequence[TraitScore], vectors: Mapping[Modality, Vectors], name: str) -> None:
    """Warn where nothing can be judged, and where labels cannot be told from their texts."""
    if not rows:
        logger.warning("no label is known of three species that have it and three that have not, in one part")
    texts = vectors.get(Modality.TEXT)
    if texts is None or not len(texts):
        return
    apart = [m for m in MEDIA if m in vectors and vectors[m].dim != texts.dim]
    for modality in apart:
        logger.warning(
            "%s is not in one space: %s vectors have %d numbers and text vectors %d. Labels are not told zero-shot",
            *(name, modality, vectors[modality].dim, texts.dim),
        )


def _held_out(items: pa.Table, part: str) -> set[str]:
    """Return the species of items that are held out whole; ``part`` is the column that says so."""
    return set(items.filter(pc.field(part) == Split.UNSEEN.value)["species"].unique().to_pylist())


def _means_of(items: pa.Table, vectors: Vectors, modality: Modality, name: str) -> dict[Modality, _Means]:
    """Return the mean vectors of the species of items that have vectors; none where there are no such items."""
    rows = rows_of(items["id"], vectors)
    there = np.flatnonzero(rows >= 0)
    if not len(there):
        return {}
    found = species_means(items["species"].take(pa.array(there)).combine_chunks(), vectors.vectors, rows[there])
    odd = np.flatnonzero(~np.isfinite(found[1]).all(axis=1))
    if len(odd):
        raise BiovitaError(
            f"{name}: {modality} vectors of {found[0][odd[0]]} are not finite. Leave such items out"
        )
    return {modality: found}


def score_traits_of_benchmark(
    benchmark: Benchmark, vectors: Mapping[Modality, Vectors], *, leak: bool = False
) -> tuple[TraitScore, ...]:
    """Return what `score_traits` does, from a benchmark's vectors alone; the probe is fitted on its seen species.

    Where the vectors of texts have those of `label_texts` among them, labels are also told zero-shot. Without a
    dataset that has traits, there are no rows.
    """
    traits = Traits.of(benchmark.dataset) if benchmark.dataset is not None else Traits({})
    if not traits.labels:
        return ()
    means: dict[Modality, _Means] = {}
    unseen: set[str] = set()
    for modality in MEDIA:
        if modality in vectors:
            items = (
                benchmark.items[modality].select(["id", "species", "part"]).filter(pc.field("species").is_valid())
            )
            means |= _means_of(items, vectors[modality], modality, "the model")
            unseen |= _held_out(items, "part")
    rows = label_scores(means, frozenset(unseen), traits, _prompts(vectors, traits))
    return tuple(replace(row, leak=leak) for row in rows)


def _prompts(vectors: Mapping[Modality, Vectors], traits: Traits) -> dict[str, np.ndarray] | None:
    """Return the vector that stands for each label, less the mean of its group's; None where texts have none."""
    texts = vectors.get(Modality.TEXT)
    if texts is None:
        return None
    labels = [label for label in traits.labels if label_text(label) in texts]
    return label_directions(labels, lambda named: texts.vectors[texts.places(named)]) or None
