"""One training step: embeddings of a whole batch, the loss over it, and gradients by pieces that fit into memory.

Gradient caching (Gao et al. 2021, arXiv:2101.06983): the batch is embedded piece by piece without a graph, the loss
gives the gradient of each embedding, and the pieces are embedded again, now with a graph, to hand it on. The gradients
are those of the whole batch, and so are the negatives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from biovita.modality import Modality
from biovita.training.towers.distributed import largest, processes

if TYPE_CHECKING:
    from biovita.training.towers.networks import Networks

__all__ = ["Input", "Losses", "average_gradients", "average_statistics", "backward", "pieces"]


@dataclass(frozen=True, eq=False)
class Input:
    """What a step needs of one modality.

    Attributes
    ----------
    values
        ``(n, ...)`` what the tower is given; where ``embed`` is None, unit vectors ``(n, dim)`` that are there already.
    rows
        ``(B,)`` int64: which of the ``n`` each pair has; None is one each. A text that comes twice is encoded once.
    embed
        From a piece of ``values`` to unit vectors; None where nothing is to be computed.
    trained
        Whether gradients are wanted.
    """

    values: torch.Tensor
    embed: Callable[[torch.Tensor], torch.Tensor] | None
    trained: bool
    rows: torch.Tensor | None = None

    def of_pairs(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the vector of each pair ``(B, dim)`` from those of ``values``."""
        # Indexing would add gradients up in no fixed order.
        return vectors if self.rows is None else vectors.index_select(0, self.rows)


@dataclass(frozen=True)
class Losses:
    """The loss of a step to differentiate, and its terms over all processes as numbers."""

    total: torch.Tensor
    terms: Mapping[str, float]


def backward(
    inputs: Mapping[Modality, Input],
    losses: Callable[[Mapping[Modality, torch.Tensor]], Losses],
    networks: Networks,
    *,
    chunk: int | None,
    seed: int,
    together: bool = False,
    scaled: Callable[[torch.Tensor], torch.Tensor] = lambda loss: loss,
) -> Losses:
    """Compute a step's loss and add its gradients to the parameters.

    Parameters
    ----------
    losses
        From the vectors of the pairs, by modality, to the loss.
    networks
        The module whose batch norms must not take note of the first of two passes.
    chunk
        Items that a tower takes at a time; None is all.
    seed
        Of the dropout, which is the same in both passes.
    together
        Whether every process takes as many pieces as the one with the most, as networks that are shared out need.
    scaled
        Multiplies the loss, where half precision wants that.
    """
    taken = {m: pieces(entry, chunk, together=together) for m, entry in inputs.items()}
    again = [m for m, entry in inputs.items() if entry.trained and len(taken[m]) > 1]  # the same order everywhere
    vectors: dict[Modality, torch.Tensor] = {}
    for modality, entry in inputs.items():
        if entry.embed is None:
            vectors[modality] = entry.values
            continue
        graph = entry.trained and modality not in again
        with torch.set_grad_enabled(graph):
            if modality in again:
                with networks.without_running_statistics():
                    made = [_embedded(entry, piece, seed, n) for n, piece in enumerate(taken[modality])]
            else:
                made = [_embedded(entry, piece, seed, n) for n, piece in enumerate(taken[modality])]
        vectors[modality] = torch.cat(made)[: len(entry.values)] if len(made) > 1 else made[0]
        if modality in again:
            vectors[modality] = vectors[modality].detach().requires_grad_()
    found = losses({m: entry.of_pairs(vectors[m]) for m, entry in inputs.items()})
    scaled(found.total).backward()
    for modality in again:
        gradient = vectors[modality].grad
        if gradient is None:  # a shut gate leaves a modality without a term
            continue
        sizes = [len(piece) for piece in taken[modality]]
        more = gradient.new_zeros(sum(sizes) - len(gradient), gradient.shape[1])
        parts = torch.split(torch.cat([gradient, more]), sizes)
        for number, (piece, part) in enumerate(zip(taken[modality], parts, strict=True)):
            torch.autograd.backward(_embedded(inputs[modality], piece, seed, number), part)
    return found


def pieces(entry: Input, chunk: int | None, *, together: bool) -> tuple[torch.Tensor, ...]:
    """Return the pieces of a tower's input; the first item is repeated where other processes have more pieces."""
    if not chunk or entry.embed is None:
        return (entry.values,)
    own = torch.split(entry.values, chunk)
    more = largest(len(own), entry.values.device) - len(own) if together else 0
    return own + (entry.values[:1],) * more


def _embedded(entry: Input, piece: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    torch.manual_seed((seed * 1009 + number) % 2**63)
    assert entry.embed is not None
    return entry.embed(piece)


def average_statistics(networks: nn.Module) -> None:
    """Replace the running statistics of batch norms in training mode by their mean over all processes.

    Each process takes note of its own items; one set of statistics is what models and checkpoints hold.
    """
    norms = [m for m in networks.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
    kept = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]
    if processes() == 1 or not kept:
        return
    flat = torch.cat(kept)
    torch.distributed.all_reduce(flat)
    flat /= processes()
    for statistic, part in zip(kept, torch.split(flat, [len(s) for s in kept]), strict=True):
        statistic.copy_(part)


def average_gradients(parameters: list[nn.Parameter]) -> None:
    """Replace each gradient by its mean over all processes; a process without one counts as zero.

    Those of parameters that are shared out are means already.

    One reduction a step, after the last piece. Torch's data-parallel wrapper would reduce while it computes, but has
    to be built anew whenever the schedule unfreezes something, and wants one forward call for all towers.
    """
    if processes() == 1:
        return
    parameters = [p for p in parameters if not isinstance(p, DTensor)]
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    torch.distributed.all_reduce(flat)
    flat /= processes()
    for parameter, part in zip(parameters, torch.split(flat, [p.numel() for p in parameters]), strict=True):
        parameter.grad = part.view_as(parameter).clone()
