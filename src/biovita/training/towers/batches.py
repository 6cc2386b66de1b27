"""From the pairs of an epoch to batches of decoded inputs, one array a modality, loaded ahead of the towers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from biovita.compute.cores import cpu_count
from biovita.compute.pipeline import load_ahead
from biovita.errors import DatasetError, MediaError
from biovita.modality import Modality
from biovita.training.recipe import Phase, TowersRecipe
from biovita.training.towers.decode_failures import Failures
from biovita.training.towers.sampling import Epoch, batches, stage0_epoch, stage1_epoch, stage2_epoch
from biovita.training.towers.training_items import TrainingItems

__all__ = ["Feed", "Loader", "TrainingBatch", "load_batches"]

Loader: TypeAlias = "Callable[[Any, np.random.Generator], np.ndarray]"  # decodes an item, with chances of its own


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """The pairs of a step that could be decoded.

    Attributes
    ----------
    pairs
        Which they are.
    inputs
        By modality, what was decoded: sounds float32 ``(B, samples)``, pixels uint8 ``(B, 3, height, width)``. A
        modality that the pairs do not have, or whose vectors are there already, is not in it.
    """

    pairs: Epoch
    inputs: Mapping[Modality, np.ndarray]


@dataclass(frozen=True, eq=False)
class Feed:
    """Gives a process its batches of each epoch.

    Attributes
    ----------
    loaders
        By modality, what decodes an item; a modality without one is not decoded.
    missing
        By modality, ``(rows,)`` bool: rows that are known not to decode.
    failures
        Where what does not decode is counted.
    rank, processes
        Which of how many processes this one is.
    """

    recipe: TowersRecipe
    items: TrainingItems
    loaders: Mapping[Modality, Loader]
    missing: Mapping[Modality, np.ndarray]
    failures: Failures
    rank: int = 0
    processes: int = 1

    def plan(self, phase: Phase, number: int, epoch: int) -> tuple[Epoch, list[np.ndarray]]:
        """Return the pairs of an epoch of a phase, and for each batch the places of its pairs.

        Raises
        ------
        DatasetError
            Where there are too few items for a batch.
        """
        items, pairs = self.items.of_species, self.recipe.pairs
        if self.recipe.stage == 2:
            chosen = stage2_epoch(items, pairs, self.recipe.seed, epoch, phase=number)
        else:
            make = stage0_epoch if self.recipe.stage == 0 else stage1_epoch
            chosen = make(items, pairs, self._seed(number), epoch)
        places = batches(
            chosen.species, phase.batch_size, rank=self.rank, processes=self.processes, distinct=pairs.distinct
        )
        if not places or not len(places[0]):
            raise DatasetError(
                f"{self.items.dataset.path} has too few training items for {self.recipe.name}: an epoch has "
                f"{len(chosen)} pairs, and {self.processes} processes share each batch"
            )
        return chosen, places

    def load(self, pairs: Epoch, places: Sequence[np.ndarray], number: int, epoch: int) -> Iterator[TrainingBatch]:
        """Give the batches at places that `plan` returned, as `load_batches` does."""
        return load_batches(
            self.items,
            pairs,
            places,
            self.loaders,
            self.failures,
            seed=(self._seed(number), epoch),
            missing=self.missing,
            workers=cpu_count(),
        )

    def _seed(self, number: int) -> int:
        return self.recipe.seed * 16 + number


@dataclass(frozen=True)
class _Undecoded:
    """Which item of a pair cannot be decoded, and why."""

    modality: Modality
    why: str


def load_batches(
    items: TrainingItems,
    epoch: Epoch,
    places: Sequence[np.ndarray],
    loaders: Mapping[Modality, Loader],
    failures: Failures,
    *,
    seed: tuple[int, ...],
    missing: Mapping[Modality, np.ndarray],
    workers: int,
) -> Iterator[TrainingBatch]:
    """Give the batches of an epoch, decoded ahead in threads.

    What is random of an item, such as the window of a clip, is fixed by the seed and the place of its pair in the
    epoch. A pair of which something does not decode is left out of its batch and counted.

    Parameters
    ----------
    places
        By batch, the places of its pairs in ``epoch``.
    loaders, missing
        As in `Feed`.

    Raises
    ------
    DatasetError
        Where nothing of a batch decodes, or more media fail than ``failures`` allows.
    """
    asked = [modality for modality in loaders if modality in epoch.rows]

    def pair(place: int) -> tuple[Any, ...]:
        return place, *(items.item(modality, epoch.rows[modality][place]) for modality in asked)

    def load(entry: tuple[Any, ...]) -> dict[Modality, np.ndarray] | _Undecoded:
        place, *found = entry
        made = {}
        for modality, item in zip(asked, found, strict=True):
            try:
                made[modality] = loaders[modality](item, np.random.default_rng([*seed, place]))
            except MediaError as error:
                return _Undecoded(modality, str(error))
        return made

    known = {modality: gone for modality, gone in missing.items() if modality in epoch.rows}
    ordered = ((int(place), pair(int(place))) for batch in places for place in batch)
    loaded = load_ahead(ordered, load, workers=workers, ahead=2 * max((len(b) for b in places), default=1))
    for batch in places:
        kept, decoded, failed = [], [], []
        for _ in batch:
            place, result = next(loaded)
            assert not isinstance(result, MediaError)
            if isinstance(result, _Undecoded):
                failed.append(result.why)
                failures.add(
                    result.modality, items.id(result.modality, epoch.rows[result.modality][place]), result.why
                )
            elif not any(gone[epoch.rows[modality][place]] for modality, gone in known.items()):
                kept.append(place)
                decoded.append(result)
        if not kept:
            raise DatasetError(
                f"none of the {len(batch)} items of a batch can be decoded: {'; '.join(failed[:3])}. Train with "
                "larger batches, or remove these items from the dataset"
            )
        inputs = {modality: np.stack([each[modality] for each in decoded]) for modality in asked}
        yield TrainingBatch(epoch[np.array(kept)], inputs)
