"""Where a tower runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from biovita.compute.cores import cpu_count
from biovita.errors import ModelError

__all__ = ["Device", "batch_size_for", "choose_device", "select_device"]

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
        raise ModelError(f"device {requested!r} is unknown. Use one of {_ACCEPTED}") from error
    present = {
        "cpu": True,
        "cuda": (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if device.type not in present:
        raise ModelError(f"device {requested!r} is not supported. Use one of {_ACCEPTED}")
    if not present[device.type]:
        raise ModelError(f"this machine has no device {requested!r}. Use --device auto or --device cpu")
    return requested


@dataclass(frozen=True, slots=True)
class Device:
    """Where a tower runs, and what follows from that.

    Attributes
    ----------
    name
        A torch device.
    why
        In words, how it came to be this one.
    half
        Whether the towers compute in float16 (under autocast: weights, and what needs the range, stay float32).
    memory_bytes
        Free on the device when it was chosen; None where it shares the machine's memory.
    """

    name: str
    why: str
    half: bool = False
    memory_bytes: int | None = None

    @property
    def kind(self) -> str:
        """The device without its number."""
        return self.name.partition(":")[0]

    @property
    def tolerance(self) -> float:
        """How far a network's vector may be from what it is in another batch, as a share of its length.

        Measured on a CPU, in float32, it is 2e-7 for small networks; float16 keeps 11 bits of each number.
        """
        return 1e-2 if self.half else 1e-5

    def __str__(self) -> str:
        """Return one line for a log."""
        return f"{self.name} ({self.why}), {'float16' if self.half else 'float32'}"


def choose_device(requested: str = "auto") -> Device:
    """Return the device that ``requested`` stands for, why, and whether it computes in half precision.

    Half precision needs a CUDA device of compute capability 7.0 or later, the first with fast float16 products.

    Raises
    ------
    ModelError
        As `select_device`.
    """
    import torch

    name = select_device(requested)
    kind = name.partition(":")[0]
    if kind == "cuda":
        number = torch.device(name).index or 0
        title = torch.cuda.get_device_name(number)
        free, _ = torch.cuda.mem_get_info(number)
        half = torch.cuda.get_device_capability(number) >= (7, 0)
        why = f"{title}, {free / 2**30:.1f} GiB free" + (", the first CUDA device" if requested == "auto" else "")
        return Device(name, why, half, free)
    if requested != "auto":
        return Device(name, "as asked")
    if kind == "mps":
        return Device(name, "Apple's GPU; there is no CUDA device")
    return Device(name, f"{_no_cuda(torch)}; {cpu_count()} cores")


def _no_cuda(torch: Any) -> str:
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return "this torch is built for the CPU only"
    return "no CUDA device is visible"


def batch_size_for(device: Device, item_bytes: int, *, on_cpu: int, most: int = 256) -> int:
    """Return how many items to encode at a time.

    Parameters
    ----------
    item_bytes
        What one item takes in float32 at the widest layer; half of the device's free memory is given to a batch.
    on_cpu
        The size where there is no memory of the device's own: larger batches gain nothing there.
    """
    if device.memory_bytes is None:
        return on_cpu
    fitting = device.memory_bytes // 2 // (item_bytes // 2 if device.half else item_bytes)
    return max(1, min(most, 1 << max(0, int(fitting).bit_length() - 1)))
