"""The species that each step of training draws: all of them where they are few, some where they are many."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from biovita.errors import ModelError
from biovita.limits import memory_mib
from biovita.modality import Modality
from biovita.training.losses import Kinship, targets
from biovita.training.projections.training_set import TrainingSet
from biovita.training.recipe import TERMS, FrozenRecipe

__all__ = ["SpeciesBatch", "SpeciesBatches"]

_MATRICES = 8  # of the size of a batch times itself, float32, that a term and its gradient need at once


@dataclass(frozen=True, eq=False)
class SpeciesBatch:
    """The species of a step.

    Attributes
    ----------
    species
        ``(B,)``, int64: their numbers, each as often as the recipe draws items of a species.
    there
        By modality, which of them have an item, ``(B,)``, bool.
    positives
        By term, the weight of each pair as a positive, of those that both modalities have.
    """

    species: torch.Tensor
    there: Mapping[Modality, torch.Tensor]
    positives: Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class SpeciesBatches:
    """What draws the species of a step.

    Attributes
    ----------
    steps
        How many a run has. Where a step draws a part of the species, there are as many more as that part is smaller, so
        that each species is drawn as often as if every step drew all.
    paired
        By term, which species have items in both of its modalities, ``(species,)``, bool.
    species
        Numbers of those that are drawn, int64.
    whole
        The batch of all species; None where a step draws a part.
    """

    steps: int
    paired: Mapping[str, torch.Tensor]
    species: torch.Tensor
    whole: SpeciesBatch | None
    data: TrainingSet
    recipe: FrozenRecipe
    kinship: Kinship

    @classmethod
    def of(cls, data: TrainingSet, recipe: FrozenRecipe) -> SpeciesBatches:
        """Return what draws by a recipe.

        Raises
        ------
        ModelError
            Where no species has both modalities of a term, or a step would take more than the memory.
        """
        every = torch.arange(len(data.taxa))
        paired = _paired(data, recipe)
        useful = torch.zeros(len(every), dtype=torch.bool)
        for both in paired.values():
            useful |= both
        kinship = Kinship.of(data.taxa, recipe.kinship)
        part = int(useful.sum()) > recipe.species_batch
        species = every[useful] if part else every
        _check_memory(recipe, min(len(species), recipe.species_batch), len(paired))
        steps = math.ceil(recipe.steps * len(species) / recipe.species_batch) if part else recipe.steps
        batches = cls(steps, paired, species, None, data, recipe, kinship)
        return batches if part else replace(batches, whole=batches._batch(every))

    def draw(self, generator: torch.Generator) -> SpeciesBatch:
        """Return the species of the next step: at random, among them some for each term."""
        if self.whole is not None:
            return self.whole
        while True:
            order = torch.randperm(len(self.species), generator=generator)
            drawn = self.species[order[: self.recipe.species_batch]]
            if all(both[drawn].any() for both in self.paired.values()):
                return self._batch(drawn)

    def _batch(self, drawn: torch.Tensor) -> SpeciesBatch:
        species = drawn.repeat(self.recipe.items_per_species)
        items = {modality: self.data.items[modality] for term in self.paired for modality in TERMS[term]}
        positives = {}
        for term, paired in self.paired.items():
            both = species[paired[species]]
            positives[term] = targets(self.recipe.positives, both, both, kinship=self.kinship)
        return SpeciesBatch(
            species, {modality: pool.count[species] > 0 for modality, pool in items.items()}, positives
        )


def _paired(data: TrainingSet, recipe: FrozenRecipe) -> dict[str, torch.Tensor]:
    """Return by term of a recipe which species have items in both of its modalities."""
    found = {}
    for term in (term for term, weight in recipe.weights.of_terms.items() if weight):
        first, second = TERMS[term]
        found[term] = (data.items[first].count > 0) & (data.items[second].count > 0)
        if not found[term].any():
            raise ModelError(
                f"{recipe.name} trains on pairs of {first.plural} and {second.plural} (weights.{term}), and no "
                f"training species has both. Set weights.{term}=0"
            )
    return found


def _check_memory(recipe: FrozenRecipe, species: int, terms: int) -> None:
    matrix = (species * recipe.items_per_species) ** 2 * 4
    needed = matrix * _MATRICES * terms >> 20
    if needed > memory_mib():
        fit = int(species * math.sqrt(memory_mib() / needed))
        raise ModelError(
            f"{recipe.name}: a step of {species:,} species takes about {needed:,} MiB, and the memory is "
            f"{memory_mib():,} MiB. Set species_batch={fit}, or give more with --memory {needed}"
        )
