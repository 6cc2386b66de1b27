"""Mel spectrograms of a batch of 16 recordings of 10 s on the CPU: this package against transformers.

Run with ``python benchmarks/mel_speed.py``. Both compute in float64; times are the best of five.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from transformers import ClapFeatureExtractor

from biovita.towers.mel import MelSpectrogram

BATCH, SAMPLES, RATE = 16, 480_000, 48_000


def best(work: Callable[[], object], repeats: int = 5) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    waves = np.random.default_rng(0).normal(scale=0.1, size=(BATCH, SAMPLES)).astype(np.float32)
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="pad", frequency_min=50)
    ours, batch = MelSpectrogram(), torch.from_numpy(waves)
    want = np.stack(extractor(list(waves), sampling_rate=RATE)["input_features"])
    gap = float(np.abs(ours(batch).numpy() - want).max())

    theirs = best(lambda: extractor(list(waves), sampling_rate=RATE))
    mine = best(lambda: ours(batch))
    print(f"{BATCH} recordings of 10 s, {torch.get_num_threads()} threads, largest difference {gap:.1e} dB")
    print(f"{'way':<32}{'s a batch':>10}{'ratio':>8}")
    print(f"{'transformers ClapFeatureExtractor':<32}{theirs:>9.3f}{1:>8.1f}")
    print(f"{'biovita MelSpectrogram':<32}{mine:>10.3f}{theirs / mine:>8.1f}")


if __name__ == "__main__":
    main()
