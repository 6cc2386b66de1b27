"""Contrastive losses between two modalities, and what counts as a positive pair in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from biovita.taxonomy import Rank, Taxon
from biovita.training.recipe import Loss, Positives

__all__ = ["Kinship", "contrastive", "info_nce", "one_way", "sigmoid", "targets"]

_SHARED = (Rank.GENUS, Rank.FAMILY, Rank.ORDER, Rank.CLASS)  # from the nearest relatives to the farthest


def contrastive(
    loss: Loss,
    a_bd: torch.Tensor,
    b_cd: torch.Tensor,
    logit_scale: torch.Tensor | float,
    targets_bc: torch.Tensor,
    *,
    bias: torch.Tensor | float = 0.0,
) -> torch.Tensor:
    """Return the loss of this name: `info_nce`, which does not use the bias, or `sigmoid`."""
    if loss == "info_nce":
        return info_nce(a_bd, b_cd, logit_scale, targets_bc)
    return sigmoid(a_bd, b_cd, logit_scale, bias, targets_bc)


def info_nce(
    a_bd: torch.Tensor, b_cd: torch.Tensor, logit_scale: torch.Tensor | float, targets_bc: torch.Tensor
) -> torch.Tensor:
    """Return symmetric InfoNCE with several positives, averaged over both directions.

    For each row the loss is the mean over its positives of the negative log-softmax (van den Oord et al. 2018; the
    form with several positives is Khosla et al. 2020, eq. 2). With the identity as targets it is CLIP's loss.

    Parameters
    ----------
    a_bd, b_cd
        L2-normalised embeddings ``(B, dim)`` and ``(C, dim)``.
    logit_scale
        Factor between cosine similarity and logit.
    targets_bc
        ``(B, C)``, not negative: the weight of each pair as a positive. Rows and columns without any are left out.

    Raises
    ------
    ValueError
        Where there is no positive pair at all.
    """
    if not bool((targets_bc > 0).any()):
        raise ValueError("InfoNCE needs at least one positive pair")
    logits_bc = logit_scale * a_bd @ b_cd.T
    return 0.5 * (one_way(logits_bc, targets_bc).mean() + one_way(logits_bc.T, targets_bc.T).mean())


def one_way(logits_bc: torch.Tensor, targets_bc: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of each row that has a positive, ``(rows,)``; its positives share by their weights."""
    total = targets_bc.sum(dim=1, keepdim=True)
    has_positive = total[:, 0] > 0
    share = targets_bc / total.where(has_positive[:, None], 1.0)
    return -(share * logits_bc.log_softmax(dim=1)).sum(dim=1)[has_positive]


def sigmoid(
    a_bd: torch.Tensor,
    b_cd: torch.Tensor,
    logit_scale: torch.Tensor | float,
    bias: torch.Tensor | float,
    targets_bc: torch.Tensor,
) -> torch.Tensor:
    """Return SigLIP's loss (Zhai et al. 2023, eq. 1): each pair on its own, summed over pairs, divided by B.

    ``bias`` is added to the logits; the paper starts it at -10, with a scale of 10. A target between 0 and 1 is the
    probability that the pair is one.
    """
    logits_bc = logit_scale * a_bd @ b_cd.T + bias
    pairs = torch.nn.functional.binary_cross_entropy_with_logits(logits_bc, targets_bc, reduction="sum")
    return pairs / len(a_bd)


def targets(
    positives: Positives,
    species_b: torch.Tensor,
    species_c: torch.Tensor,
    *,
    offset: int = 0,
    kinship: Kinship | None = None,
) -> torch.Tensor:
    """Return the weight of each pair as a positive, ``(B, C)``, float32.

    Parameters
    ----------
    positives
        ``item``: row n and column ``offset`` + n alone, so that items of one species in a batch are each other's
        negatives, as published. ``species``: all pairs of one species. ``taxonomy``: those, and relatives with a
        smaller weight.
    species_b, species_c
        ``(B,)`` and ``(C,)``, int64: the species of the rows and of the columns.
    kinship
        Of the species, for ``taxonomy``.
    """
    if positives == "taxonomy":
        if kinship is None:
            raise ValueError("positives='taxonomy' needs the kinship of the species")
        return kinship.between(species_b, species_c)
    if positives == "species":
        return (species_b[:, None] == species_c[None]).float()
    own = torch.arange(offset, offset + len(species_b), device=species_b.device)
    return (own[:, None] == torch.arange(len(species_c), device=species_b.device)[None]).float()


@dataclass(frozen=True, eq=False)
class Kinship:
    """How much of a positive pair two species make.

    Attributes
    ----------
    groups
        ``(species, ranks)``, int32: the number of the group that each is of, from the nearest rank to the farthest. A
        rank that a species does not have is a number that no other has.
    factor
        Of a pair within a genus, from 0 to 1.
    """

    groups: torch.Tensor
    factor: float

    @classmethod
    def of(cls, taxa: Sequence[Taxon], factor: float) -> Kinship:
        """Return the kinship of taxa, which are numbered in their order."""
        if not 0 <= factor <= 1:
            raise ValueError(f"factor is {factor}; it has to be between 0 and 1")
        groups = torch.empty((len(taxa), len(_SHARED)), dtype=torch.int32)
        for column, rank in enumerate(_SHARED):
            names = [taxon.name_at(rank) for taxon in taxa]
            known = {name: number for number, name in enumerate(dict.fromkeys(names)) if name}
            groups[:, column] = torch.tensor(
                [known.get(name or "", -1 - place) for place, name in enumerate(names)], dtype=torch.int32
            )
        return cls(groups, factor)

    def to(self, device: torch.device) -> Kinship:
        """Return the same on a device."""
        return Kinship(self.groups.to(device), self.factor)

    def between(self, species_b: torch.Tensor, species_c: torch.Tensor) -> torch.Tensor:
        """Return the weights of pairs of species, ``(B, C)``, float32.

        1 for a species with itself, ``factor`` within a genus, its square within a family, its cube within an order,
        its fourth power within a class, else 0. A rank that either species does not have is not shared.

        Parameters
        ----------
        species_b, species_c
            ``(B,)`` and ``(C,)``, int64.
        """
        weights = torch.zeros((len(species_b), len(species_c)), device=species_b.device)
        for column in reversed(range(len(_SHARED))):
            group = self.groups[:, column]
            shared = group[species_b][:, None] == group[species_c][None]
            weights.masked_fill_(shared, self.factor ** (column + 1))
        return weights.masked_fill_(species_b[:, None] == species_c[None], 1.0)
