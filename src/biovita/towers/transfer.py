"""Batches on their way to the device and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from biovita.towers.device import Device

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
    size: int,
    dim: int,
    device: Device,
    network: Callable[[torch.Tensor], torch.Tensor],
) -> np.ndarray:
    """Return the vectors ``(len(arrays), dim)``, float32, of arrays that are given to ``network`` ``size`` at a time.

    The results are fetched together at the end, so that the device is not waited for between batches.
    """
    import torch

    if len(arrays) == 0:
        return np.empty((0, dim), np.float32)
    with torch.inference_mode(), autocast(device):
        parts = [
            network(to_device(arrays[start : start + size], device)).float()
            for start in range(0, len(arrays), size)
        ]
        return torch.cat(parts).cpu().numpy()
