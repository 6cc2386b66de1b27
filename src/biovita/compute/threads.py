"""Running a torch model on a CPU: small parts side by side, each on one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from biovita.compute.cores import cpu_count

__all__ = ["PartsInThreads"]

Part = TypeVar("Part")
Result = TypeVar("Result")


class PartsInThreads:
    """A pool that runs parts of a batch, one a core.

    torch's own way, all cores on each operation in turn, waits at every operation for the slowest core; for small
    networks that costs more than it gains, and several times as much where the machine has other work. Small
    parts stay in the cache, and their results do not depend on the number of cores.
    """

    def __init__(self) -> None:
        import torch

        self._pool = ThreadPoolExecutor(
            cpu_count(), thread_name_prefix="encode", initializer=torch.set_num_threads, initargs=(1,)
        )

    def map(self, run: Callable[[Part], np.ndarray], parts: Sequence[Part]) -> np.ndarray:
        """Return ``run`` of each part, one after the other along the first axis."""
        return np.concatenate(self.each(run, parts))

    def each(self, run: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """Return ``run`` of each part, in order."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)  # MKL keeps one number for all threads
        try:
            return list(self._pool.map(run, parts))
        finally:
            torch.set_num_threads(before)
