"""What projections are trained on: the vectors that frozen towers make of a dataset, and of the names of classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from biovita.dataset import Dataset, Split
from biovita.dataset.held_out import other_names, unseen_taxa
from biovita.dataset.schema import MEDIA_TABLES
from biovita.embedding import Vectors, vectors
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.model import Model
from biovita.model.knowledge import known_of
from biovita.taxonomy import Taxon, Taxonomy, prompts
from biovita.taxonomy.known_taxa import KnownTaxa, known_taxa
from biovita.taxonomy.taxon import shared_taxon
from biovita.taxonomy.taxon_features import Feature, taxon_features
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.projections.names_without_media import kept_classes, named_classes, names_of_classes
from biovita.training.projections.pool import Pool
from biovita.traits.book import book_of

__all__ = ["TextPools", "TrainingSet", "class_facts", "scaled_rows", "training_set"]


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """All that a run draws from: vectors of frozen towers. Those of texts lie in memory.

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
    class_taxa
        By modality of the classifier, what each class is of: a taxon, the narrowest that has all it may show, or None.
    class_numbers
        By modality, the number of each class in its classifier.
    features, book
        What stands behind the vectors of texts, and the dataset's taxa, from which it comes first.
    """

    items: Mapping[Modality, Pool]
    classes: Mapping[Modality, torch.Tensor]
    class_names: Mapping[Modality, Pool]
    taxa: tuple[Taxon, ...]
    labels: frozenset[str] = frozenset()
    class_taxa: Mapping[Modality, tuple[Taxon | None, ...]] = field(default_factory=dict)
    class_numbers: Mapping[Modality, Sequence[int]] = field(default_factory=dict)
    features: tuple[Feature, ...] = ()
    book: KnownTaxa = field(default_factory=lambda: KnownTaxa(Taxonomy.of(()), {}))

    @property
    def texts(self) -> torch.Tensor:
        """The vectors of all texts, with what is known of their taxa."""
        pools = [self.items[Modality.TEXT], *self.class_names.values()]
        return torch.cat([pool.vectors for pool in pools if isinstance(pool.vectors, torch.Tensor)])


def training_set(
    dataset: Dataset,
    base: Model,
    *,
    names: bool = True,
    features: tuple[Feature, ...] = (),
    exclude: Exclusion = NOTHING,
    needed: Collection[Modality] = MEDIA,
    progress: bool = False,
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
    features
        What of a text's taxon stands behind its vector.
    exclude
        Taxa whose items and classes are left out.
    needed
        The modalities without which there is nothing to train; another one may be absent from the dataset, and is from
        the set then.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or a modality has no ``train`` rows that are not excluded.
    """
    book = book_of(dataset)

    def embed(texts: Iterable[str]) -> Vectors:
        return vectors(dataset, base, Modality.TEXT, ids=texts, space="tower", progress=progress)

    texts = TextPools(embed, features)
    kept = {
        modality: _training_vectors(dataset, base, modality, exclude, progress=progress)
        for modality in MEDIA
        if modality in needed or dataset.rows(MEDIA_TABLES[modality])
    }
    owned = {modality: found.columns["taxon_id"] for modality, found in kept.items()}
    species = pc.unique(pa.chunked_array(list(owned.values()), pa.string())).sort()
    taxa = tuple(dataset.taxonomy[taxon_id] for taxon_id in species.to_pylist())
    items = {
        modality: Pool.of(
            torch.from_numpy(found.vectors) if isinstance(found.vectors, np.ndarray) else found.vectors,
            pc.index_in(owned[modality], value_set=species).to_numpy().astype(np.int64),
            len(taxa),
        )
        for modality, found in kept.items()
    }
    known_by_name = [known_of(taxon.scientific_name, (book,)) for taxon in taxa]
    items[Modality.TEXT] = texts.pool([tuple(prompts(taxon).values()) for taxon in taxa], known_by_name)
    if not names:
        return TrainingSet(items, {}, {}, taxa, features=features, book=book)
    unseen = unseen_taxa(dataset)
    synonyms = other_names(dataset, unseen)
    classes, class_names, class_taxa, class_numbers, labels = {}, {}, {}, {}, set[str]()
    for modality, found in kept.items():
        known = named_classes(base.tower(modality))
        if known is None:
            continue
        allowed = set(kept_classes(known, exclude.taxa, exclude.synonyms))
        chosen = [place for place in kept_classes(known, unseen, synonyms) if place in allowed]
        labels |= names_of_classes(known, chosen)
        class_taxa[modality] = tuple(shared_taxon(known.taxa[place]) if known.taxa else None for place in chosen)
        class_numbers[modality] = chosen
        facts = [class_facts(taxon) for taxon in class_taxa[modality]]
        embed(text for form in known.texts for text in form)
        class_names[modality] = texts.pool([known.texts[place] for place in chosen], facts)
        classes[modality] = scaled_rows(known.weights, _spread(found, items[modality]))[chosen]
    return TrainingSet(
        items, classes, class_names, taxa, frozenset(labels), class_taxa, class_numbers, features, book
    )


_Known = tuple[Taxon, Mapping[str, bool]]


def class_facts(taxon: Taxon | None) -> _Known | None:
    """Return the taxon of a class with its known labels; None of a class that is of no one taxon."""
    return None if taxon is None else (taxon, known_taxa().traits.get(taxon.id, {}))


@dataclass(frozen=True)
class TextPools:
    """Makes pools of texts.

    Attributes
    ----------
    embed
        Returns the vectors of texts as the tower gives them.
    features
        What of a text's taxon stands behind its vector.
    """

    embed: Callable[[Iterable[str]], Vectors]
    features: tuple[Feature, ...]

    def pool(self, forms: Sequence[Sequence[str]], known: Sequence[_Known | None]) -> Pool:
        """Return the pool of the texts of taxa, each behind it what is known of its taxon."""
        asked = [(number, text) for number, texts in enumerate(forms) for text in texts]
        found = self.embed(text for _, text in asked).subset(text for _, text in asked).array
        owners = np.array([number for number, _ in asked], np.int64)
        facts = taxon_features(known, self.features)
        return Pool.of(torch.from_numpy(np.concatenate([found, facts[owners]], axis=1)), owners, len(forms))


def _training_vectors(
    dataset: Dataset, base: Model, modality: Modality, exclude: Exclusion, *, progress: bool
) -> Vectors:
    """Return the vectors of a modality's ``train`` rows that are not excluded."""
    if not dataset.media(modality, ["split"], pc.field("split") == Split.TRAIN.value).num_rows:
        raise DatasetError(f"{dataset.path} has no {modality} items in its train split")
    if not dataset.media(modality, ["split"], exclude.trained_rows).num_rows:
        raise DatasetError(f"all {modality} items in the train split of {dataset.path} are excluded. Exclude less")
    return vectors(dataset, base, modality, where=exclude.trained_rows, space="tower", progress=progress)


def _spread(found: Vectors, pool: Pool) -> np.ndarray:
    """Return the standard deviation of each feature of vectors, ``(tower dim,)``."""
    if isinstance(found.vectors, np.ndarray):
        spread: np.ndarray = found.vectors.std(axis=0)
        return spread
    return pool.moments[1].numpy()


def scaled_rows(weights: np.ndarray, spread: np.ndarray) -> torch.Tensor:
    """Return classifier rows as if they were standardised tower vectors, ``(classes, tower dim)``.

    With ``x = (v - mean) / spread``, ``w . v`` is ``(w * spread) . x`` plus a constant, so ``w * spread`` is the
    direction in standardised space that a class lies in. Its mean over the classes says nothing of any, and goes; its
    length is made that of a standardised vector.

    Parameters
    ----------
    spread
        Standard deviation of each of the tower's features, ``(tower dim,)``.
    """
    rows = (weights - weights.mean(axis=0)) * spread
    return torch.from_numpy((rows / rows.std(axis=1, keepdims=True)).astype(np.float32))
