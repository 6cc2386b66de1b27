"""The contrastive losses over the joined batch of all processes, with gradients that reach every one of them.

Each process computes the rows of the loss that are its own, against the columns of all, so that the work and the
logits are shared out. What it returns is its share times the number of processes: averaging gradients over processes,
as data-parallel training does, then gives the gradient of the joined batch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist

from biovita.training.losses import Kinship, contrastive, one_way, targets
from biovita.training.recipe import Loss, Positives

__all__ = ["gather", "gathered_loss", "largest", "mean_over_processes", "processes"]


def processes() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gather(local: torch.Tensor, *, gradients: bool = True) -> tuple[torch.Tensor, int]:
    """Return the rows of all processes in the order of their ranks, and where this process's begin.

    Processes may have different numbers of rows.

    Parameters
    ----------
    gradients
        Whether the gradient with respect to another process's rows goes back to it. Without, only that of a process's
        own rows does.
    """
    if processes() == 1:
        return local, 0
    counts = [torch.zeros(1, dtype=torch.int64, device=local.device) for _ in range(processes())]
    dist.all_gather(counts, torch.tensor([len(local)], device=local.device))
    sizes = [int(count) for count in counts]
    start = sum(sizes[: dist.get_rank()])
    if gradients and local.is_floating_point():
        return _Gather.apply(local, sizes, start), start
    rows = _gather_rows(local.detach(), sizes)
    if local.is_floating_point():
        rows = torch.cat([rows[:start], local, rows[start + len(local) :]])
    return rows, start


class _Gather(torch.autograd.Function):
    """All rows forward; backward the sum over processes of the gradients with respect to one's own."""

    @staticmethod
    def forward(ctx: Any, local: torch.Tensor, sizes: list[int], start: int) -> torch.Tensor:
        ctx.span = slice(start, start + len(local))
        return _gather_rows(local, sizes)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        summed = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed[ctx.span], None, None


def _gather_rows(local: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    padded = local.new_zeros((max(sizes), *local.shape[1:]))
    padded[: len(local)] = local
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def gathered_loss(
    loss: Loss,
    a_bd: torch.Tensor,
    b_bd: torch.Tensor,
    logit_scale: torch.Tensor | float,
    species_b: torch.Tensor,
    *,
    positives: Positives,
    kinship: Kinship | None = None,
    bias: torch.Tensor | float = 0.0,
    gradients: bool = True,
) -> torch.Tensor:
    """Return this process's part of a loss over the pairs of all processes; its mean over processes is the loss.

    Parameters
    ----------
    a_bd, b_bd
        L2-normalised embeddings ``(B, dim)`` of this process; row n of both is a pair.
    species_b
        ``(B,)``, int64: the species of each pair.
    positives, kinship
        As in `biovita.training.losses.targets`.
    bias
        Of the sigmoid loss.
    gradients
        As in `gather`. Without, as in the released code, each process computes the loss of all pairs, through its own
        rows alone: over processes, the mean of the gradients is that of the joined batch divided by their number.
    """
    species, start = gather(species_b)
    if not gradients:
        every_a, every_b = (gather(rows, gradients=False)[0] for rows in (a_bd, b_bd))
        wanted = targets(positives, species, species, kinship=kinship).to(a_bd.dtype)
        return contrastive(loss, every_a, every_b, logit_scale, wanted, bias=bias)
    wanted = targets(positives, species_b, species, offset=start, kinship=kinship).to(a_bd.dtype)
    all_b, _ = gather(b_bd)
    count = processes()
    logits = logit_scale * a_bd @ all_b.T
    if loss == "sigmoid":
        pairs = torch.nn.functional.binary_cross_entropy_with_logits(logits + bias, wanted, reduction="sum")
        return pairs * (count / len(species))
    all_a, _ = gather(a_bd)
    # Every pair is a positive of itself, so each row counts; the three kinds of targets are symmetric.
    rows = one_way(logits, wanted).sum() + one_way(logit_scale * b_bd @ all_a.T, wanted).sum()
    return 0.5 * rows * (count / len(species))


def mean_over_processes(value: torch.Tensor) -> torch.Tensor:
    """Return the mean of a tensor over all processes, without a gradient."""
    value = value.detach().clone()
    if processes() > 1:
        dist.all_reduce(value)
        value /= processes()
    return value


def largest(number: int, device: torch.device) -> int:
    """Return the largest of a number over all processes."""
    if processes() == 1:
        return number
    found = torch.tensor([number], device=device)
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return int(found)
