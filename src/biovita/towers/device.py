"""Where a tower runs."""

from __future__ import annotations

import os

from biovita.errors import ModelError

__all__ = ["cpu_count", "select_device"]

_ACCEPTED = "auto, cpu, cuda, cuda:N, mps"


def select_device(requested: str = "auto") -> str:
    """Return the torch device that ``requested`` stands for; ``auto`` is cuda, else mps, else cpu.

    Raises
    ------
    ModelError
        Where the name is none of those accepted, or this machine has no such device.
    """
    import torch

    if requested == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(requested)
    except RuntimeError as error:
        raise ModelError(f"device {requested!r} is not known. Accepted: {_ACCEPTED}") from error
    present = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in present:
        raise ModelError(f"device {requested!r} is not supported. Accepted: {_ACCEPTED}")
    if not present[device.type]:
        raise ModelError(f"this machine has no device {requested!r}. Take --device auto or cpu")
    return requested


def cpu_count() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
