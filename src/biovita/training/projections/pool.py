"""The tower vectors of a modality, grouped by species, which batches are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Pool"]


@dataclass(frozen=True, eq=False)
class Pool:
    """Tower vectors grouped by species; a draw takes one of each species, all its items being as likely.

    Attributes
    ----------
    vectors
        ``(N, dim)``, those of one species side by side.
    start, count
        ``(species,)``, int64: where each species' vectors begin, and how many there are.
    """

    vectors: torch.Tensor
    start: torch.Tensor
    count: torch.Tensor

    @classmethod
    def of(cls, vectors: torch.Tensor, species: Sequence[int] | np.ndarray, number: int) -> Pool:
        """Return the pool of ``vectors``, where item ``n`` belongs to ``species[n]``, one of ``range(number)``."""
        labels = torch.as_tensor(species, dtype=torch.int64)
        order = torch.argsort(labels, stable=True)
        count = torch.bincount(labels, minlength=number)
        return cls(vectors[order], count.cumsum(0) - count, count)

    @property
    def present(self) -> torch.Tensor:
        """The species that have at least one item, ascending, int64."""
        return torch.nonzero(self.count)[:, 0]

    def means(self, embed: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Return each species' mean of its embedded vectors, ``(species, dim)``; zeros where it has none."""
        found = embed(self.vectors)
        species = torch.repeat_interleave(torch.arange(len(self.count)), self.count)
        sums = torch.zeros((len(self.count), found.shape[1])).index_add_(0, species, found)
        return sums / self.count.clamp_min(1)[:, None]

    def draw(self, species: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return one vector of each of these species at random, ``(len(species), dim)``; each has to have one."""
        count = self.count[species]
        offset = (torch.rand(len(species), generator=generator, dtype=torch.float64) * count).long()
        return self.vectors[self.start[species] + offset]
