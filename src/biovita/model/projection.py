"""From a tower's vectors, and what is known of taxa, into the shared space."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from biovita.modality import Modality

__all__ = ["AddedFacts", "Projection", "added_facts"]


class Projection(nn.Module):
    """Standardise, then map linearly; the result is not normalised.

    Standardising matters: BirdNET's and EfficientNet's features differ in scale by orders of magnitude from one to
    the next, and a linear map trained on the raw ones follows the few largest.

    Parameters
    ----------
    in_dim, dim
        Length of what it takes and of the shared space's vectors.
    known
        How many of the numbers it takes, the last ones, say what is known of a taxon: they are not
        standardised, and NaN, which is unknown, counts as 0.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, in_dim: int, dim: int, known: int = 0) -> None:
        super().__init__()
        self.known = known
        self.register_buffer("mean", torch.zeros(in_dim))
        self.register_buffer("std", torch.ones(in_dim))
        self.linear = nn.Linear(in_dim, dim)

    @torch.no_grad()
    def standardise_on(self, vectors: torch.Tensor) -> None:
        """Take the mean and the spread of each feature from ``vectors``, ``(N, in_dim)``; see `standardise_by`."""
        vectors = vectors[:, : vectors.shape[1] - self.known]
        self.standardise_by(vectors.mean(dim=0), vectors.std(dim=0, unbiased=False))

    @torch.no_grad()
    def standardise_by(self, mean: torch.Tensor, spread: torch.Tensor) -> None:
        """Take the mean and the spread of each feature, ``(in_dim - known,)`` each.

        A feature that hardly varies is scaled by a thousandth of the typical spread, never by zero. What is known of
        taxa stays as it is.
        """
        self.mean[: len(mean)] = mean
        self.std[: len(spread)] = spread.clamp_min(1e-3 * float(spread.mean()) + 1e-12)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the projection ``(B, dim)`` of vectors ``(B, in_dim)``."""
        return self.linear(self.standardise(vectors))

    def standardise(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the vectors with each feature centred and scaled, ``(B, in_dim)``."""
        standard = (vectors - self.mean) / self.std
        if self.known:
            facts = standard[:, -self.known :].nan_to_num(0.0)
            standard = torch.cat([standard[:, : -self.known], facts], dim=1)
        return standard


class AddedFacts(nn.Module):
    """Add a linear map of what is known of a text's taxon to the text's vector; the result is not normalised.

    The map starts at zero: the vectors are then those of the words alone. So are those of texts of whose taxa nothing
    is known.

    Parameters
    ----------
    dim
        Length of the vectors of texts.
    known
        How many numbers say what is known of a taxon; NaN, which is unknown, counts as 0.
    """

    def __init__(self, dim: int, known: int) -> None:
        super().__init__()
        self.linear = nn.Linear(known, dim, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return vectors ``(B, dim)`` of texts' vectors with what is known behind them, ``(B, dim + known)``."""
        words, facts = vectors.split([self.linear.out_features, self.linear.in_features], dim=1)
        return words + self.linear(facts.nan_to_num(0.0))


def added_facts(projections: Mapping[Modality, nn.Module]) -> AddedFacts | None:
    """Return the map of what is known of taxa among a model's projections; None where there is none."""
    found = projections.get(Modality.TEXT)
    return found if isinstance(found, AddedFacts) else None
