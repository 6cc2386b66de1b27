"""Fully sharded training (FSDP2), as an option: each process keeps its part of the weights, gradients and moments.

The transformer blocks are sharded, each gathered when it is needed and let go again; all else is small, and whole on
every process. Checkpoints and models hold whole tensors, so that a run may go on with more processes or without this.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import reduce
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from biovita.training.towers.distributed import processes
from biovita.training.towers.networks import Networks

__all__ = ["Whole", "clip_gradients", "shared_out", "whole_state"]

_BLOCK = re.compile(r"\.(resblocks|blocks)\.\d+$")  # of open_clip's towers, and of HTS-AT's stages


class Whole:
    """Networks with whole weights, whether they are shared out or not."""

    def __init__(self, networks: Networks) -> None:
        self.networks = networks
        self._shared = False
        self._copy: Networks | None = None

    def share_out(self, *, copied: bool) -> None:
        """Shard the networks over the processes; one process keeps a whole copy, ``copied``.

        Every process has to call this, with the same weights.
        """
        self._copy = deepcopy(self.networks) if copied else None
        self._shared = True
        _shard(self.networks)

    def __call__(self) -> Networks:
        """Return networks with whole weights where there is a copy; every process has to call this."""
        if self._shared:
            _copy_whole(self.networks, self._copy)
        return self._copy or self.networks


def _shard(networks: Networks) -> None:
    """Share the weights of all transformer blocks out; their parameters are `DTensor` then, under the same names."""
    mesh = init_device_mesh(networks.device.type, (processes(),))
    for name, module in list(networks.named_modules()):
        if _BLOCK.search(name):
            fully_shard(module, mesh=mesh, reshard_after_forward=True)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor; where it is shared out, every process has to call this."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _copy_whole(networks: Networks, into: Networks | None) -> None:
    """Copy whole weights and statistics to networks that are not sharded, if any; every process has to call this."""
    target = {} if into is None else into.state_dict()
    for name, value in networks.state_dict().items():
        gathered = _whole(value)
        if name in target:
            target[name].copy_(gathered)


def whole_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return an optimiser's state with whole tensors; every process has to call this."""
    return _mapped(state, lambda _, value: _whole(value))


def shared_out(state: Mapping[str, Any], parameters: Sequence[nn.Parameter]) -> dict[str, Any]:
    """Return an optimiser's whole state shared out as its parameters are; every process has to call this.

    Parameters
    ----------
    parameters
        Those of the optimiser, in its order.
    """

    def share(place: int, value: torch.Tensor) -> torch.Tensor:
        parameter = parameters[place]
        if not isinstance(parameter, DTensor) or value.shape != parameter.shape:
            return value
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)

    return _mapped(state, share)


def _mapped(state: Mapping[str, Any], change: Callable[[int, torch.Tensor], torch.Tensor]) -> dict[str, Any]:
    moments = {
        place: {name: change(place, v) if isinstance(v, torch.Tensor) else v for name, v in values.items()}
        for place, values in state["state"].items()
    }
    return {**state, "state": moments}


def clip_gradients(parameters: Sequence[nn.Parameter], most: float) -> float:
    """Scale the gradients so that their norm is at most ``most``; return the norm that they had.

    It is that of all gradients together, whether they are whole or shared out.
    """
    kinds = [
        [p for p in parameters if isinstance(p, DTensor) is kind and p.grad is not None] for kind in (False, True)
    ]
    norms = [
        _whole(nn.utils.get_total_norm([p.grad for p in kind if p.grad is not None])) for kind in kinds if kind
    ]
    norm = reduce(torch.hypot, norms) if norms else torch.tensor(0.0)
    for kind in kinds:
        nn.utils.clip_grads_with_norm_(kind, most, norm)
    return float(norm)
