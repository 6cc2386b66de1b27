"""Hiding what is known of taxa from a training step, so that texts are understood without it, too."""

from __future__ import annotations

import torch

from biovita.taxonomy.taxon_features import Feature, feature_blocks

__all__ = ["with_hidden"]


def with_hidden(
    x: torch.Tensor, features: tuple[Feature, ...], share: float, generator: torch.Generator
) -> torch.Tensor:
    """Return texts, ``(B, n)``, with a share of what is known of their taxa, the last numbers, set to 0.

    Each rank, and the traits together, are hidden for themselves.
    """
    if not features or not share:
        return x
    blocks = torch.tensor(feature_blocks(features))
    shown = torch.rand((len(x), len(blocks)), generator=generator) >= share
    count = int(blocks.sum())
    facts = x[:, -count:] * shown.repeat_interleave(blocks, dim=1)
    return torch.cat([x[:, :-count], facts], dim=1)
