"""Which items an epoch is made of, and in which batches: the published rules, fixed by (seed, epoch, rank)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biovita.modality import Modality
from biovita.training.recipe import Pairs

__all__ = ["Epoch", "SpeciesRows", "batches", "stage0_epoch", "stage1_epoch", "stage2_epoch"]

_DRAW, _ORDER = 0, 1  # independent streams of one seed


@dataclass(frozen=True, eq=False)
class SpeciesRows:
    """What each training species has.

    Attributes
    ----------
    rows
        By modality and species, the rows of its recordings or photographs. Photographs are in the order of their paths.
    prompts
        By species, how many prompts it has.
    """

    rows: Mapping[Modality, Sequence[np.ndarray]]
    prompts: Sequence[int]


@dataclass(frozen=True, eq=False)
class Epoch:
    """The pairs of an epoch in their order.

    Attributes
    ----------
    species, prompt
        ``(pairs,)`` int64: the species of a pair, and the number of its prompt among those of the species.
    rows
        By modality, ``(pairs,)`` int64: the row of its recording or photograph. A modality that pairs do not have is
        not in it.
    """

    species: np.ndarray
    prompt: np.ndarray
    rows: Mapping[Modality, np.ndarray]

    def __len__(self) -> int:
        return len(self.species)

    def __getitem__(self, at: np.ndarray) -> Epoch:
        """Return some of the pairs."""
        return Epoch(self.species[at], self.prompt[at], {m: rows[at] for m, rows in self.rows.items()})


def stage1_epoch(items: SpeciesRows, pairs: Pairs, seed: int, epoch: int) -> Epoch:
    """Return the clips of an epoch of stage 1, drawn anew each epoch, each with a prompt of its own.

    A species has at most ``pairs.at_most`` clips, drawn without replacement; one with fewer than ``pairs.at_least`` has
    all of its clips, and others of them again up to that number.
    """
    return _drawn(items, Modality.AUDIO, pairs, seed, epoch)


def stage0_epoch(items: SpeciesRows, pairs: Pairs, seed: int, epoch: int) -> Epoch:
    """Return the photographs of an epoch of stage 0, drawn as `stage1_epoch` draws clips."""
    return _drawn(items, Modality.IMAGE, pairs, seed, epoch)


def _drawn(items: SpeciesRows, modality: Modality, pairs: Pairs, seed: int, epoch: int) -> Epoch:
    """Return an epoch's items of one modality."""
    rng = np.random.default_rng([seed, _DRAW, epoch])
    species, chosen = [], []
    for number, rows in enumerate(items.rows[modality]):
        if not len(rows):
            continue
        drawn = rng.permutation(rows)[: pairs.at_most]
        if len(drawn) < pairs.at_least:
            drawn = np.concatenate([drawn, rng.choice(rows, pairs.at_least - len(drawn))])
        chosen.append(drawn)
        species.append(np.full(len(drawn), number))
    owners = _flat(species)
    prompt = (rng.random(len(owners)) * np.array(items.prompts)[owners]).astype(np.int64)
    made = Epoch(owners, prompt, {modality: _flat(chosen)})
    return made[np.random.default_rng([seed, _ORDER, epoch]).permutation(len(made))]


def stage2_epoch(items: SpeciesRows, pairs: Pairs, seed: int, epoch: int, *, phase: int = 0) -> Epoch:
    """Return the pairs of an epoch of stage 2: drawn once for all phases, in another order each epoch.

    A species with items of all modalities has ``pairs.at_most`` pairs, with replacement where it has fewer items, of
    its first ``pairs.first_images`` photographs, and keeps one prompt throughout.
    """
    rng = np.random.default_rng([seed, _DRAW])
    species: list[np.ndarray] = []
    prompt: list[np.ndarray] = []
    drawn: dict[Modality, list[np.ndarray]] = {modality: [] for modality in items.rows}
    for number, prompts in enumerate(items.prompts):
        has = {modality: rows[number] for modality, rows in items.rows.items()}
        if not all(len(rows) for rows in has.values()):
            continue
        for modality, rows in has.items():
            shown = rows[: pairs.first_images] if modality == Modality.IMAGE else rows
            drawn[modality].append(rng.choice(shown, pairs.at_most, replace=len(shown) < pairs.at_most))
        species.append(np.full(pairs.at_most, number))
        prompt.append(np.full(pairs.at_most, rng.integers(prompts)))
    made = Epoch(_flat(species), _flat(prompt), {modality: _flat(parts) for modality, parts in drawn.items()})
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
