"""Validation during training, in the benchmark's own terms, on a part of the held-out items that stays the same."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from biovita.bench import Scores, build_benchmark, headline, score_benchmark
from biovita.bench.build import held_out
from biovita.compute.cores import cpu_count
from biovita.compute.pipeline import load_ahead
from biovita.dataset import Dataset, Split
from biovita.embed import Vectors, read_vectors
from biovita.errors import DatasetError, MediaError
from biovita.media.items import Clip
from biovita.media.packed import MediaPath
from biovita.modality import Modality
from biovita.model import Model
from biovita.train.networks import Networks
from biovita.train.recipe import TowersRecipe
from biovita.train.stopping import Interrupted, StopRequest

__all__ = ["Validation", "Validator", "criterion", "scores_of", "tower_vectors", "validate", "validation_items"]

logger = logging.getLogger(__name__)

_TEXTS_AT_ONCE = 512
_ITEMS = 5  # of a species in each modality

Rows = dict[Modality, list[dict[str, Any]]]
Validation: TypeAlias = "dict[str, dict[str, float]]"  # by part: top1, top5, and chance (of Top-1)


def _held_out(dataset: Dataset) -> Rows:
    return {modality: list(held_out(dataset, modality)) for modality in (Modality.AUDIO, Modality.IMAGE)}


def validation_items(dataset: Dataset, *, species: int | None, seed: int) -> Rows:
    """Return the held-out rows that a run validates on: the same at each time, fixed by the seed.

    Parameters
    ----------
    species
        Most species of each part, those with both modalities before others; of each, at most 5 recordings and 5
        photographs are drawn. None is all held-out items.

    Raises
    ------
    DatasetError
        Where nothing is held out.
    """
    rows = _held_out(dataset)
    if not any(rows.values()):
        raise DatasetError(
            f"{dataset.path} has no held-out items to validate on. Divide it with biovita data split "
            f"{dataset.path} --unseen N, or train with --set validate_epochs=0"
        )
    if species is None:
        return rows
    has: dict[tuple[str, str], set[Modality]] = defaultdict(set)
    for modality, table in rows.items():
        for row in table:
            has[row["split"], row["taxon_id"]].add(modality)
    rng = np.random.default_rng(seed)
    order = [list(has)[place] for place in rng.permutation(len(has))]
    order.sort(key=lambda key: -len(has[key]))
    chosen = {key for part in Split for key in [each for each in order if each[0] == part.value][:species]}
    kept: Rows = {}
    for modality, table in rows.items():
        count: dict[tuple[str, str], int] = defaultdict(int)
        drawn = []
        for place in rng.permutation(len(table)):
            key = table[place]["split"], table[place]["taxon_id"]
            count[key] += 1
            if key in chosen and count[key] <= _ITEMS:
                drawn.append(place)
        kept[modality] = [table[place] for place in sorted(drawn)]
    return kept


def validate(
    model: Model, dataset: Dataset, rows: Rows, *, seed: int, images: Vectors | None = None
) -> Validation:
    """Return by part (``seen``, ``unseen``) the mean of the six directions at species level.

    Each has ``top1``, ``top5`` and ``chance`` (of Top-1). A part without tasks is not there. Texts are bare names, as
    published; the rest is as `scores_of` has it.
    """
    scored = scores_of(model, dataset, rows, seed=seed, images=images).rows()
    result = {}
    for part in ("seen", "unseen"):
        first, fifth = (headline(scored, stage=None, part=part, k=k) for k in (1, 5))
        if first is not None and fifth is not None:
            result[part] = {"top1": first.accuracy, "top5": fifth.accuracy, "chance": first.chance}
    return result


def scores_of(
    model: Model,
    dataset: Dataset,
    rows: Rows | None = None,
    *,
    seed: int,
    images: Vectors | None = None,
    text: str = "name",
) -> Scores:
    """Return what a model gets on the benchmark of a dataset's split.

    What does not decode is said and counts as the benchmark has it: a query missed, a sample that does not exist.

    Parameters
    ----------
    rows
        The held-out rows that are asked for and answer; None is all.
    images
        Vectors of the photographs' tower; None computes them.
    text
        As `biovita.bench.build_benchmark` has it.
    """
    chosen = _held_out(dataset) if rows is None else rows
    only = None if rows is None else {row["id"] for table in rows.values() for row in table}
    benchmark = build_benchmark(dataset, seed=seed, text=text, only=only)
    found: dict[Modality, Vectors] = {}
    for modality, table in chosen.items():
        if modality == Modality.IMAGE and images is not None:
            there = images.subset([row["id"] for row in table if row["id"] in images])
        else:
            there = tower_vectors(model, dataset, modality, table)
        found[modality] = Vectors(there.ids, there.taxon_ids, model.project(modality, there.vectors))
    texts = list(dict.fromkeys(benchmark.ids(Modality.TEXT)))
    parts = [
        model.embed_texts(texts[start : start + _TEXTS_AT_ONCE]) for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    found[Modality.TEXT] = Vectors(tuple(texts), ("",) * len(texts), np.concatenate(parts))
    return score_benchmark(benchmark, found)


def tower_vectors(model: Model, dataset: Dataset, modality: Modality, rows: Sequence[dict[str, Any]]) -> Vectors:
    """Return what the tower of a modality makes of these rows; those that do not decode are left out and said."""
    tower = model.tower(modality)

    def item(row: dict[str, Any]) -> Clip | MediaPath:
        path = dataset.locate(row["path"])
        return Clip(path, row["start_s"], row["end_s"]) if modality == Modality.AUDIO else path

    ahead = 2 * tower.batch_size
    kept, loaded, parts, failed = [], [], [], []
    for row, made in load_ahead(((row, item(row)) for row in rows), tower.load, workers=cpu_count(), ahead=ahead):
        if isinstance(made, MediaError):
            failed.append(str(made))
            continue
        kept.append(row)
        loaded.append(made)
        if len(loaded) == tower.batch_size:
            parts.append(tower.encode(loaded))
            loaded = []
    if loaded:
        parts.append(tower.encode(loaded))
    if failed:
        logger.warning(
            "%d of %d held-out %s items cannot be decoded and count as missed. The first: %s",
            len(failed),
            len(rows),
            modality,
            failed[0],
        )
    vectors = np.concatenate(parts) if parts else np.zeros((0, tower.card.dim), np.float32)
    return Vectors(tuple(row["id"] for row in kept), tuple(row["taxon_id"] for row in kept), vectors)


@dataclass(eq=False)
class Validator:
    """Scores networks on the held-out items of a run.

    Attributes
    ----------
    rows
        As `validation_items` returns them.
    identity
        What the model that is scored says of its run.
    stop
        A signal cuts scoring off.
    cached, trained
        Whether vectors of photographs are read from the dataset's table, and whether their tower is trained.
    """

    recipe: TowersRecipe
    dataset: Dataset
    identity: Mapping[str, Any]
    rows: Rows
    stop: StopRequest
    cached: bool
    trained: bool
    images: Vectors | None = None

    @classmethod
    def of(
        cls,
        recipe: TowersRecipe,
        dataset: Dataset,
        identity: Mapping[str, Any],
        stop: StopRequest,
        *,
        cached: bool,
    ) -> Validator:
        """Return the validator of a recipe.

        Raises
        ------
        DatasetError
            As `validation_items`.
        """
        rows = validation_items(dataset, species=recipe.validate_species, seed=recipe.seed)
        trained = any(phase.image for phase in recipe.phases.values())
        seen = any(phase.compares(Modality.IMAGE) for phase in recipe.phases.values())
        return cls(recipe, dataset, identity, rows, stop, cached and seen, trained)

    def __call__(self, networks: Networks) -> Validation | None:
        """Return what `validate` does; None where a signal cut it off."""
        with suppress(Interrupted), self.stop.at_once(), networks.evaluating():
            model = networks.as_model(self.recipe.name, self.identity)
            images = self._held_out_images(model)
            return validate(model, self.dataset, self.rows, seed=self.recipe.seed, images=images)
        return None

    def _held_out_images(self, model: Model) -> Vectors | None:
        """Return the vectors of the held-out photographs, once, unless their tower is trained."""
        if self.trained:
            return None
        if self.images is None:
            if self.cached:
                self.images = read_vectors(self.dataset, self.recipe.model, Modality.IMAGE)
            else:
                self.images = tower_vectors(model, self.dataset, Modality.IMAGE, self.rows[Modality.IMAGE])
        return self.images


def criterion(validation: Validation) -> float:
    """Return what the best model is chosen by: Top-1 on unseen species, where there are none on seen ones."""
    part = validation.get("unseen") or validation.get("seen")
    return part["top1"] if part else 0.0
