"""Which items an epoch is made of, and in which batches: the published rules, fixed by (seed, epoch, rank)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biovita.train.recipe import Pairs

__all__ = ["Epoch", "Items", "batches", "stage0_epoch", "stage1_epoch", "stage2_epoch"]

_DRAW, _ORDER = 0, 1  # independent streams of one seed


@dataclass(frozen=True, eq=False)
class Items:
    """What each training species has: rows of its clips and photographs, and how many prompts.

    Photographs are in the order of their paths.
    """

    audio: tuple[np.ndarray, ...]
    images: tuple[np.ndarray, ...]
    prompts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Epoch:
    """The pairs of an epoch in their order, all ``(pairs,)`` int64; ``audio`` or ``image`` is -1 where there is none.

    Attributes
    ----------
    species, audio, image, prompt
        Species of a pair, rows of its clip and photograph, and number of its prompt among those of the species.
    """

    species: np.ndarray
    audio: np.ndarray
    image: np.ndarray
    prompt: np.ndarray

    def __len__(self) -> int:
        return len(self.species)

    def __getitem__(self, at: np.ndarray) -> Epoch:
        """Return some of the pairs."""
        return Epoch(self.species[at], self.audio[at], self.image[at], self.prompt[at])


def stage1_epoch(items: Items, pairs: Pairs, seed: int, epoch: int) -> Epoch:
    """Return the clips of an epoch of stage 1, drawn anew each epoch, each with a prompt of its own.

    A species has at most ``pairs.at_most`` clips, drawn without replacement; one with fewer than ``pairs.at_least`` has
    all of its clips, and others of them again up to that number.
    """
    species, audio, prompt = _drawn(items.audio, items.prompts, pairs, seed, epoch)
    return Epoch(species, audio, np.full(len(species), -1), prompt)


def stage0_epoch(items: Items, pairs: Pairs, seed: int, epoch: int) -> Epoch:
    """Return the photographs of an epoch of stage 0, drawn as `stage1_epoch` draws clips."""
    species, image, prompt = _drawn(items.images, items.prompts, pairs, seed, epoch)
    return Epoch(species, np.full(len(species), -1), image, prompt)


def _drawn(
    items: Sequence[np.ndarray], prompts: Sequence[int], pairs: Pairs, seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return species, row and prompt of an epoch's items of one modality."""
    rng = np.random.default_rng([seed, _DRAW, epoch])
    species, chosen = [], []
    for number, rows in enumerate(items):
        if not len(rows):
            continue
        drawn = rng.permutation(rows)[: pairs.at_most]
        if len(drawn) < pairs.at_least:
            drawn = np.concatenate([drawn, rng.choice(rows, pairs.at_least - len(drawn))])
        chosen.append(drawn)
        species.append(np.full(len(drawn), number))
    owners = _flat(species)
    prompt = (rng.random(len(owners)) * np.array(prompts)[owners]).astype(np.int64)
    order = np.random.default_rng([seed, _ORDER, epoch]).permutation(len(owners))
    return owners[order], _flat(chosen)[order], prompt[order]


def stage2_epoch(items: Items, pairs: Pairs, seed: int, epoch: int, *, phase: int = 0) -> Epoch:
    """Return the (audio, image) pairs of an epoch of stage 2: drawn once for all phases, in another order each epoch.

    A species with both modalities has ``pairs.at_most`` pairs, with replacement where it has fewer items, of its
    first ``pairs.first_images`` photographs, and keeps one prompt throughout.
    """
    rng = np.random.default_rng([seed, _DRAW])
    species: list[np.ndarray] = []
    audio: list[np.ndarray] = []
    image: list[np.ndarray] = []
    prompt: list[np.ndarray] = []
    for number, (clips, photographs) in enumerate(zip(items.audio, items.images, strict=True)):
        if not len(clips) or not len(photographs):
            continue
        shown = photographs[: pairs.first_images]
        for rows, drawn in ((clips, audio), (shown, image)):
            drawn.append(rng.choice(rows, pairs.at_most, replace=len(rows) < pairs.at_most))
        species.append(np.full(pairs.at_most, number))
        prompt.append(np.full(pairs.at_most, rng.integers(items.prompts[number])))
    made = Epoch(_flat(species), _flat(audio), _flat(image), _flat(prompt))
    return made[np.random.default_rng([seed, _ORDER, phase, epoch]).permutation(len(made))]


def _flat(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int64)


def batches(
    species: np.ndarray, size: int, *, rank: int = 0, processes: int = 1, distinct: bool = False
) -> list[np.ndarray]:
    """Return the places of the pairs of each batch of a process, ``(size,)`` int64 each.

    The joined batch of all processes does not depend on their number, only on ``size * processes``. What is left at
    the end and fills no joined batch is not used, unless there is nothing else.

    Parameters
    ----------
    species
        ``(pairs,)``, of the pairs of an epoch in their order.
    size
        Pairs a process.
    distinct
        Whether no joined batch holds a species twice: a pair goes into the first batch that has room and not yet its
        species. Where there are fewer species than places in a joined batch, a batch has as many pairs as species.
    """
    whole = size * processes
    if distinct:
        whole = min(whole, max(processes, len(np.unique(species)) // processes * processes))
    joined = _distinct(species, whole) if distinct else _cut(len(species), whole)
    full = [batch for batch in joined if len(batch) == whole]
    if not full:
        full = [batch[: len(batch) // processes * processes] for batch in joined[:1]]
    return [np.array_split(batch, processes)[rank] for batch in full if len(batch)]


def _cut(number: int, size: int) -> list[np.ndarray]:
    places = np.arange(number)
    return [places[start : start + size] for start in range(0, number, size)]


def _distinct(species: np.ndarray, size: int) -> list[np.ndarray]:
    made: list[list[int]] = []
    held: list[set[int]] = []
    first = 0  # batches before it are full
    for place, number in enumerate(species.tolist()):
        at = next((n for n in range(first, len(made)) if len(made[n]) < size and number not in held[n]), len(made))
        if at == len(made):
            made.append([])
            held.append(set())
        made[at].append(place)
        held[at].add(number)
        while first < len(made) and len(made[first]) == size:
            first += 1
    return [np.array(batch) for batch in made]
