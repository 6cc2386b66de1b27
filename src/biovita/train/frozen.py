"""From a dataset with embeddings of frozen towers to a trained model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from biovita.dataset import Dataset, Split
from biovita.embed import Vectors, read_vectors
from biovita.embed.table import embeddings_directory
from biovita.errors import DatasetError, ModelError
from biovita.filenames import own_place
from biovita.files import share
from biovita.modality import Modality
from biovita.model import Model
from biovita.model.formats.projections import aligned_model
from biovita.parquet import read_parquet
from biovita.progress import progress_bar
from biovita.taxonomy import Taxon, prompts
from biovita.towers import Encoder
from biovita.towers.state import read_checkpoint
from biovita.train.items import Pool
from biovita.train.loop import Aligned, TrainingSet
from biovita.train.recipe import FrozenRecipe
from biovita.train.record import record_of
from biovita.train.vocabulary import NamedClasses, kept_classes, named_classes

__all__ = ["model_of", "name_vectors", "other_names", "training_set", "unseen_taxa"]

_AT_ONCE = 512  # texts
_DECIDED = pa.schema([(name, pa.string()) for name in ("name", "parsed", "species_id")])


def training_set(
    dataset: Dataset, model: str, towers: Mapping[Modality, Encoder], *, names: bool = True, progress: bool = False
) -> TrainingSet:
    """Return what a dataset's ``train`` rows, and where asked its towers' classifiers, give to train on.

    Parameters
    ----------
    model
        Name of the towers whose embeddings are read; they have to be there.
    towers
        The same towers, open: their classifiers are read, and the text tower embeds the names of their classes.
    names
        Whether to use the classifiers' rows and names. Classes that name an unseen species, under whatever name the
        dataset knows it by, are held out.

    Raises
    ------
    DatasetError
        Where embeddings are missing, the dataset has not been split, or a modality has no ``train`` rows.
    """
    kept = {modality: _training_rows(dataset, model, modality) for modality in (Modality.AUDIO, Modality.IMAGE)}
    species = sorted({taxon_id for vectors in kept.values() for taxon_id in vectors.taxon_ids})
    place = {taxon_id: number for number, taxon_id in enumerate(species)}
    texts = read_vectors(dataset, model, Modality.TEXT)
    asked = [
        (place[taxon_id], text) for taxon_id in species for text in prompts(dataset.taxonomy[taxon_id]).values()
    ]
    kept[Modality.TEXT] = texts.subset([text for _, text in asked])
    owners = {
        **{m: [place[taxon_id] for taxon_id in kept[m].taxon_ids] for m in (Modality.AUDIO, Modality.IMAGE)},
        Modality.TEXT: [owner for owner, _ in asked],
    }
    items = {m: Pool.of(torch.from_numpy(kept[m].vectors), owners[m], len(species)) for m in kept}
    classes, class_names = {}, {}
    if names:
        unseen = unseen_taxa(dataset)
        synonyms = other_names(dataset, unseen)
        for modality in (Modality.AUDIO, Modality.IMAGE):
            found = named_classes(towers[modality])
            if found is None:
                continue
            chosen = kept_classes(found, unseen, synonyms)
            texts_of_class = name_vectors(dataset, model, found, towers[Modality.TEXT], progress=progress)
            owners_of_text = [number for number in range(len(chosen)) for _ in range(texts_of_class.shape[1])]
            flat = texts_of_class[chosen].reshape(len(owners_of_text), -1)
            class_names[modality] = Pool.of(torch.from_numpy(flat), owners_of_text, len(chosen))
            classes[modality] = _as_standardised(found.weights, kept[modality].vectors)[chosen]
    taxa = tuple(dataset.taxonomy[taxon_id] for taxon_id in species)
    return TrainingSet(items, classes, class_names, taxa)


def model_of(
    aligned: Aligned,
    recipe: FrozenRecipe,
    base: Model,
    dataset: Dataset,
    *,
    start: Path | None = None,
) -> Model:
    """Return the model of trained projections of the towers of ``base``.

    Its record says what made it, and which bias it learned, if any.
    """
    record = record_of(recipe, dataset, start=start)
    if aligned.logit_bias is not None:
        record["logit_bias"] = aligned.logit_bias
    return aligned_model(recipe.name, base, aligned.projections, aligned.logit_scale, record)


def _training_rows(dataset: Dataset, model: str, modality: Modality) -> Vectors:
    table = dataset.media(modality)
    splits = dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
    if splits and all(split is None for split in splits.values()):
        raise DatasetError(f"{dataset.path} has not been split. Run: biovita data split {dataset.path}")
    vectors = read_vectors(dataset, model, modality)
    kept = [item for item in vectors.ids if splits[item] == Split.TRAIN]
    if not kept:
        raise DatasetError(f"{dataset.path} has no {modality} items in its train split")
    return vectors.subset(kept)


def unseen_taxa(dataset: Dataset) -> list[Taxon]:
    """Return the taxa with an item in the ``unseen`` split."""
    hidden = {
        taxon_id
        for table in (dataset.audio, dataset.images)
        for taxon_id, split in zip(table["taxon_id"].to_pylist(), table["split"].to_pylist(), strict=True)
        if split == Split.UNSEEN
    }
    return [dataset.taxonomy[taxon_id] for taxon_id in sorted(hidden)]


def other_names(dataset: Dataset, taxa: Iterable[Taxon]) -> set[str]:
    """Return the names beside their own that a dataset has for these taxa.

    They are the synonyms of its taxonomy, and the names it was made from, which ``taxonomy_decisions.parquet`` holds
    where there was a backbone: as given, and without authorship.

    Raises
    ------
    DatasetError
        Where that file cannot be read.
    """
    ids = {taxon.id for taxon in taxa}
    names = {name for name, taxon_id in dataset.taxonomy.synonyms.items() if taxon_id in ids}
    file = dataset.path / "taxonomy_decisions.parquet"
    if not file.is_file():
        return names
    meant = pa.array(sorted(ids), pa.string())
    table = read_parquet(file, _DECIDED)
    table = table.filter(pc.is_in(table["species_id"], value_set=meant))
    return names.union(*(table[column].drop_null().to_pylist() for column in ("name", "parsed")))


def name_vectors(
    dataset: Dataset, model: str, classes: NamedClasses, tower: Encoder, *, progress: bool
) -> np.ndarray:
    """Return the vectors of the texts of all classes, ``(classes, texts, dim)``.

    They are kept beside the embeddings, in a file named by the texts and the tower they were made of.
    """
    from safetensors.numpy import save_file

    flat = [text for texts in classes.texts for text in texts]
    key = hashlib.sha256("\n".join([tower.card.name, tower.card.revision, *flat]).encode()).hexdigest()[:16]
    file = embeddings_directory(dataset, model) / f"names-{classes.modality}-{key}.safetensors"
    if file.is_file():
        return _kept_names(file, (len(classes.texts), len(flat) // len(classes.texts), tower.card.dim))
    parts = []
    with progress_bar(f"names of {classes.modality} classes", len(flat), shown=progress) as advance:
        for start in range(0, len(flat), _AT_ONCE):
            texts = flat[start : start + _AT_ONCE]
            parts.append(tower.encode([tower.load(text) for text in texts]))
            advance(len(texts))
    vectors = np.concatenate(parts).reshape(len(classes.texts), -1, tower.card.dim)
    own_place(dataset.path, *file.parent.relative_to(dataset.path).parts)
    scratch = file.with_name(f".{file.name}.part")
    save_file({"vectors": vectors}, scratch)
    share(scratch)
    scratch.replace(file)
    return vectors


def _kept_names(file: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the vectors in a file that `name_vectors` wrote."""
    try:
        found = read_checkpoint(file)
        vectors: np.ndarray = found["vectors"].float().numpy()
    except (ModelError, LookupError) as error:
        raise DatasetError(f"{file} cannot be read: {error}. Remove it, and it is made again") from error
    if vectors.shape != shape or not np.isfinite(vectors).all():
        raise DatasetError(f"{file} does not hold {shape} finite numbers. Remove it, and it is made again")
    return vectors


def _as_standardised(weights: np.ndarray, vectors: np.ndarray) -> torch.Tensor:
    """Return classifier rows as if they were standardised tower vectors, ``(classes, tower dim)``.

    With ``x = (v - mean) / std``, ``w . v`` is ``(w * std) . x`` plus a constant, so ``w * std`` is the direction in
    standardised space that a class lies in. Its mean over the classes says nothing of any, and goes; its length is made
    that of a standardised vector.
    """
    rows = (weights - weights.mean(axis=0)) * vectors.std(axis=0)
    return torch.from_numpy((rows / rows.std(axis=1, keepdims=True)).astype(np.float32))
