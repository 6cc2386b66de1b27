"""The tower vectors of a modality, and the species of each, which batches are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from biovita.embedding.container import Matrix

__all__ = ["Pool"]

_AT_ONCE = 1 << 14  # vectors


@dataclass(frozen=True, eq=False)
class Pool:
    """Tower vectors of species; a draw takes one of each species, all its items being as likely.

    Attributes
    ----------
    vectors
        ``(N, dim)``, float32: a tensor, or what reads the rows that it is asked for.
    rows
        ``(N,)``, int64: numbers of vectors, those of one species side by side.
    start, count
        ``(species,)``, int64: where in ``rows`` each species begins, and how many it has.
    """

    vectors: torch.Tensor | Matrix
    rows: torch.Tensor
    start: torch.Tensor
    count: torch.Tensor

    @classmethod
    def of(cls, vectors: torch.Tensor | Matrix, species: Sequence[int] | np.ndarray, number: int) -> Pool:
        """Return the pool of ``vectors``, where item ``n`` belongs to ``species[n]``, one of ``range(number)``."""
        labels = torch.as_tensor(species, dtype=torch.int64)
        count = torch.bincount(labels, minlength=number)
        return cls(vectors, torch.argsort(labels, stable=True), count.cumsum(0) - count, count)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.vectors.shape[1]

    @cached_property
    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean and the standard deviation of each feature, ``(dim,)`` each, float32.

        What is read is read once; the moments of its parts are joined as by Chan, Golub and LeVeque (1979).
        """
        if isinstance(self.vectors, torch.Tensor):
            held = self.vectors[self.rows]
            return held.mean(dim=0), held.std(dim=0, unbiased=False)
        number = 0
        mean = squares = torch.zeros(self.dim, dtype=torch.float64)
        for _, vectors in self.parts():
            part, more = vectors.double(), len(vectors)
            middle = part.mean(dim=0)
            within = (part - middle).square_().sum(dim=0)
            apart = middle - mean
            squares = squares + within + apart**2 * (number * more / (number + more))
            number += more
            mean = mean + apart * (more / number)
        return mean.float(), (squares / number).sqrt().float()

    def parts(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Give all vectors, some at a time: the species of each, and they, ``(n, dim)``.

        What is read is read in the order that it lies in.
        """
        species = torch.empty_like(self.rows)
        species[self.rows] = torch.repeat_interleave(torch.arange(len(self.count)), self.count)
        order = self.rows if isinstance(self.vectors, torch.Tensor) else torch.arange(len(self.rows))
        for rows in order.split(_AT_ONCE):
            yield species[rows], self._taken(rows)

    def means(self, embed: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Return each species' mean of its embedded vectors, ``(species, dim)``; zeros where it has none."""
        sums = None
        for species, vectors in self.parts():
            found = embed(vectors)
            sums = torch.zeros((len(self.count), found.shape[1])) if sums is None else sums
            sums.index_add_(0, species, found)
        assert sums is not None, "a pool that is asked for means has vectors"
        return sums / self.count.clamp_min(1)[:, None]

    def draw(self, species: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return one vector of each of these species at random, ``(len(species), dim)``; each has to have one."""
        count = self.count[species]
        offset = (torch.rand(len(species), generator=generator, dtype=torch.float64) * count).long()
        return self._taken(self.rows[self.start[species] + offset])

    def _taken(self, rows: torch.Tensor) -> torch.Tensor:
        if isinstance(self.vectors, torch.Tensor):
            return self.vectors[rows]
        return torch.from_numpy(self.vectors[rows.numpy()])
