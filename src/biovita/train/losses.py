"""Contrastive losses between two modalities."""

from __future__ import annotations

import torch

__all__ = ["info_nce"]


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
    return 0.5 * (_one_way(logits_bc, targets_bc) + _one_way(logits_bc.T, targets_bc.T))


def _one_way(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    total = targets.sum(dim=1, keepdim=True)
    has_positive = total[:, 0] > 0
    share = targets[has_positive] / total[has_positive]
    return -(share * logits[has_positive].log_softmax(dim=1)).sum(dim=1).mean()
