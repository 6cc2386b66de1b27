"""Validation during training, in the benchmark's own terms, on a part of the held-out items that stays the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark import Scores, benchmark_from_split, headline, score_benchmark
from biovita.benchmark.item_vectors import benchmark_items
from biovita.benchmark.task import PARTS
from biovita.dataset import Dataset, Split
from biovita.embedding import Items, MemoryTable, Vectors, VectorTable, embed_items, stored, vectors
from biovita.errors import DatasetError
from biovita.modality import MEDIA, Modality
from biovita.model import Model
from biovita.suggestion import suggested
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.log_lines import PartScores
from biovita.training.recipe import TowersRecipe
from biovita.training.towers.networks import Networks
from biovita.training.towers.stopping import Interrupted, StopRequest

__all__ = ["Validation", "Validator", "criterion", "embedded", "scores_of", "validate", "validation_items"]

logger = logging.getLogger(__name__)

_ITEMS = 5  # of a species in each modality

Validation: TypeAlias = "dict[str, PartScores]"  # by part
Ids: TypeAlias = "Mapping[Modality, Sequence[str]]"
Find: TypeAlias = "Callable[[Items], Vectors]"


def validation_items(dataset: Dataset, *, species: int | None, seed: int, exclude: Exclusion = NOTHING) -> Ids:
    """Return the ids of the held-out items that a run validates on: the same at each time, fixed by the seed.

    Parameters
    ----------
    species
        Most species of each part, those with both modalities before others; of each, at most 5 recordings and 5
        photographs are drawn. None is all held-out items.
    exclude
        Taxa that are not trained on: their held-out items are not of seen species, and are left out.

    Raises
    ------
    DatasetError
        Where nothing is held out.
    """
    rows = {modality: _held_out(dataset, modality, exclude) for modality in MEDIA}
    if not any(map(len, rows.values())):
        raise DatasetError(
            f"{dataset.path} has no held-out items to validate on. Train with --set validate_epochs=0, or "
            f"divide it: {suggested('data split', dataset.path, '--unseen N')}"
        )
    if species is not None:
        chosen = _drawn(list(rows.values()), species, seed)
        rows = {
            modality: table.take(places) for (modality, table), places in zip(rows.items(), chosen, strict=True)
        }
    return {modality: table["id"].to_pylist() for modality, table in rows.items()}


def _held_out(dataset: Dataset, modality: Modality, exclude: Exclusion) -> pa.Table:
    """Return part, taxon and id of a modality's held-out rows."""
    table = dataset.media(modality, ["split", "taxon_id", "id"])
    rows = pc.field("split").isin([part.value for part in PARTS])
    excluded = pc.field("taxon_id").isin(sorted(exclude.ids)) if exclude.ids else pc.scalar(value=False)
    return table.filter(rows & ~((pc.field("split") == Split.SEEN.value) & excluded))


def _drawn(tables: Sequence[pa.Table], species: int, seed: int) -> list[np.ndarray]:
    """Return by table the places of the rows that are drawn, ascending."""
    rng = np.random.default_rng(seed)
    keys = [pc.binary_join_element_wise(table["split"], table["taxon_id"], "\t").chunks for table in tables]
    known = pc.dictionary_encode(pa.chunked_array([chunk for each in keys for chunk in each], pa.string()))
    known = known.combine_chunks()
    code = known.indices.to_numpy()
    codes = np.split(code, np.cumsum([len(table) for table in tables])[:-1])
    part = np.array([key.split("\t")[0] for key in known.dictionary.to_pylist()])
    modalities = np.sum([np.bincount(each, minlength=len(part)) > 0 for each in codes], axis=0)
    order = rng.permutation(len(part))
    order = order[np.argsort(-modalities[order], kind="stable")]  # those with more modalities first
    chosen = np.zeros(len(part), bool)
    for name in np.unique(part):
        chosen[order[part[order] == name][:species]] = True
    drawn = []
    for each in codes:
        shuffled = rng.permutation(len(each))
        drawn.append(np.sort(shuffled[chosen[each[shuffled]] & (_rank(each[shuffled]) < _ITEMS)]))
    return drawn


def _rank(codes: np.ndarray) -> np.ndarray:
    """Return for each value how many equal ones come before it."""
    order = np.argsort(codes, kind="stable")
    rank = np.empty(len(codes), np.int64)
    rank[order] = np.arange(len(codes)) - np.searchsorted(codes[order], codes[order])
    return rank


def validate(dataset: Dataset, find: Find, ids: Ids, *, seed: int) -> Validation:
    """Return by part (``seen``, ``unseen``) the mean over the directions at species level.

    A part without tasks is not there. Texts are bare names, as published; the rest is as `scores_of` has it.
    """
    scored = scores_of(dataset, find, ids, seed=seed).rows()
    result = {}
    for part in ("seen", "unseen"):
        first, fifth = (headline(scored, stage=None, part=part, k=k) for k in (1, 5))
        if first is not None and fifth is not None:
            result[part] = PartScores(first.accuracy, fifth.accuracy, first.chance)
    return result


def scores_of(dataset: Dataset, find: Find, ids: Ids | None = None, *, seed: int, text: str = "name") -> Scores:
    """Return what a model gets on the benchmark of a dataset's split.

    What does not decode counts as the benchmark has it: a query missed, a sample that does not exist.

    Parameters
    ----------
    find
        Gives the model's vectors of recordings, photographs or texts.
    ids
        Of the held-out items that ask and answer; None is all.
    text
        As `biovita.benchmark.benchmark_from_split` has it.
    """
    only = None if ids is None else {item for each in ids.values() for item in each}
    benchmark = benchmark_from_split(dataset, seed=seed, text=text, only=only)
    items = benchmark_items(benchmark, Modality)
    return score_benchmark(benchmark, {modality: find(asked) for modality, asked in items.items()})


def embedded(model: Model, items: Items, table: VectorTable | None = None) -> Vectors:
    """Return a model's vectors of items, without storing them in a dataset; a warning counts what does not decode.

    Parameters
    ----------
    table
        Where the tower's vectors are kept: what is there is not made again. None keeps them nowhere.
    """
    table = table or MemoryTable()
    failed = embed_items(model.tower(items.modality), items, table).failed
    if failed:
        _say_missed(len(failed), items, f"The first: {failed[0].detail}")
    return stored(table, items.ids, partial(model.project, items.modality), model.dim(items.modality))


def _say_missed(number: int, items: Items, why: str) -> None:
    logger.warning(
        "%d of %d held-out %s items cannot be decoded. They count as missed. %s",
        number,
        len(items),
        items.modality,
        why,
    )


@dataclass(frozen=True, eq=False)
class Validator:
    """Scores networks on the held-out items of a run.

    Attributes
    ----------
    ids
        As `validation_items` returns them.
    record
        What the model that is scored says of its run.
    stop
        A signal cuts scoring off.
    cached, trained
        The modalities whose vectors are those of the dataset's tables, and those whose towers are trained. Vectors of
        other ones are made once.
    """

    recipe: TowersRecipe
    dataset: Dataset
    record: Mapping[str, Any]
    ids: Ids
    stop: StopRequest
    cached: Collection[Modality]
    trained: Collection[Modality]
    _tables: dict[Modality, MemoryTable] = field(default_factory=dict)

    def __call__(self, networks: Networks) -> Validation | None:
        """Return what `validate` does; None where a signal cut it off."""
        with suppress(Interrupted), self.stop.at_once(), networks.evaluating():
            find = partial(self._vectors, networks.as_model(self.recipe.name, self.record))
            return validate(self.dataset, find, self.ids, seed=self.recipe.seed)
        return None

    def _vectors(self, model: Model, items: Items) -> Vectors:
        modality = items.modality
        if modality in self.cached and len(items):
            device = model.tower(modality).device.name
            read = partial(
                vectors, self.dataset, self.recipe.model, modality, ids=items.ids.to_pylist(), device=device
            )
            if modality == Modality.TEXT and model.knowledge is not None:
                found = read(space="tower")
                found = replace(found, vectors=model.project(modality, found.array, found.ids))
            else:
                found = read()
            if lacking := len(items) - len(found):
                _say_missed(lacking, items, "They are listed in failed.parquet beside the vectors")
            return found
        table = MemoryTable()
        if modality not in self.trained:
            table = self._tables.setdefault(modality, table)
        return embedded(model, items, table)


def criterion(validation: Validation) -> float:
    """Return what the best model is chosen by: Top-1 on unseen species, where there are none on seen ones."""
    part = validation.get("unseen") or validation.get("seen")
    return part.top1 if part else 0.0
