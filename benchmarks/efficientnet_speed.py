"""EfficientNet-Lite2 on the CPU: the tower, small parts on a thread each, against one batch on torch's own threads.

Run with ``python benchmarks/efficientnet_speed.py``. Times are the best of three.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from biovita.towers.efficientnet import SIZE, EfficientNetLite2

PICTURES = 32


def best(work: Callable[[], object], repeats: int = 3) -> tuple[float, float]:
    work()
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(times)


def main() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (PICTURES, SIZE, SIZE, 3), np.uint8)
    tower = EfficientNetLite2("cpu")
    gap = float(np.abs(tower.encode(pixels) - tower._features(pixels)).max())
    base, ours = best(lambda: tower._features(pixels)), best(lambda: tower.encode(pixels))
    print(f"{PICTURES} pictures, {torch.get_num_threads()} threads, largest difference {gap:.1e}")
    print(f"{'way':<40}{'pictures/s':>11}{'ratio':>7}{'processor ms a picture':>25}")
    for name, (wall, processor) in (
        ("one batch on torch's threads", base),
        ("biovita, parts of 4 on a thread each", ours),
    ):
        print(f"{name:<40}{PICTURES / wall:>11.1f}{base[0] / wall:>7.2f}{1000 * processor / PICTURES:>25.1f}")


if __name__ == "__main__":
    main()
