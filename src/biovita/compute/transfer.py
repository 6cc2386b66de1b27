"""Batches on their way to the device and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from biovita.compute.device import Device
from biovita.compute.threads import PartsInThreads
from biovita.errors import ModelError

if TYPE_CHECKING:
    import torch

__all__ = ["autocast", "encode_in_batches", "to_device"]


def to_device(arrays: Sequence[np.ndarray], device: Device) -> torch.Tensor:
    """Return equally shaped arrays as one tensor, ``(len(arrays), ...)``, on the device.

    To a CUDA device the copy goes from page-locked memory and does not wait for what is computing there.
    """
    import torch

    stacked = torch.from_numpy(np.stack(arrays))
    if device.kind == "cuda":
        return stacked.pin_memory().to(device.name, non_blocking=True)
    return stacked.to(device.name)


def autocast(device: Device) -> AbstractContextManager[object]:
    """Return the context that a tower's network runs in."""
    import torch

    return torch.autocast(device.kind, dtype=torch.float16) if device.half else nullcontext()


def encode_in_batches(
    arrays: Sequence[np.ndarray],
    dim: int,
    device: Device,
    network: Callable[[torch.Tensor], torch.Tensor],
    *,
    size: int,
    part: int,
) -> np.ndarray:
    """Return the vectors ``(len(arrays), dim)``, float32, that ``network`` makes of arrays of one shape.

    Parameters
    ----------
    size
        How many the network gets at a time on a device of its own. The results are fetched together at the end, so that
        it is not waited for in between.
    part
        How many it gets on the CPU, where each core works on another part.

    Raises
    ------
    ModelError
        Where the network cannot be run on them, as one whose vocabulary is smaller than its tokenizer's.
    """
    import torch

    if len(arrays) == 0:
        return np.empty((0, dim), np.float32)
    if device.kind == "cpu":
        parts = [arrays[start : start + part] for start in range(0, len(arrays), part)]
        return _threads().map(lambda some: _run(network, some, device).numpy(), parts)
    results = [_run(network, arrays[start : start + size], device) for start in range(0, len(arrays), size)]
    return torch.cat(results).cpu().numpy()


def _run(
    network: Callable[[torch.Tensor], torch.Tensor], arrays: Sequence[np.ndarray], device: Device
) -> torch.Tensor:
    import torch

    try:
        with torch.inference_mode(), autocast(device):
            return network(to_device(arrays, device)).float()
    except torch.OutOfMemoryError:
        raise
    except (
        RuntimeError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        AssertionError,
    ) as error:
        reason = str(error).split("\n", maxsplit=1)[0] or type(error).__name__
        raise ModelError(
            f"the network cannot be run, because its configuration does not fit its input: {reason}"
        ) from error


@cache
def _threads() -> PartsInThreads:
    return PartsInThreads()
