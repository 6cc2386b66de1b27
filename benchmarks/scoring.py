"""Scoring against a bare matrix product and against the published loop; memory at full scale.

Run: python benchmarks/scoring.py            the table of ratios, and memory
     python benchmarks/scoring.py --scale    200,000 recordings against 2.3 million simulated photographs (a slice of
                                             the queries; needs 4 GB of disk, and three minutes to simulate them)
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

import numpy as np

from biovita.benchmark.score import Rows, rank_candidates
from biovita.embedding import vectors
from biovita.modality import MEDIA, Modality
from biovita.simulation.embeddings import simulate_embeddings

QUERIES, SAMPLES, TAXA, WIDTH, DIM = 20_000, 16_000, 2_000, 100, 768
LOOPED = 100  # queries that the loop is timed on; its time is proportional to them
SCALE = {"species": 14_133, "audio": 200_000, "images": 2_300_000}
SLICE = 4_000


def unit(rng: np.random.Generator, rows: int) -> np.ndarray:
    made = rng.standard_normal((rows, DIM), np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def sizes_of(rng: np.random.Generator, samples: int, taxa: int) -> np.ndarray:
    """Uneven sizes, one at least, that add up to ``samples``."""
    return 1 + rng.multinomial(samples - taxa, rng.dirichlet(np.full(taxa, 0.8)))


def lists_of(rng: np.random.Generator, queries: int, taxa: int) -> tuple[np.ndarray, np.ndarray]:
    lists = np.stack([rng.choice(taxa, WIDTH, replace=False) for _ in range(queries)]).astype(np.int32)
    return lists, rng.integers(WIDTH, size=queries)


def published_loop(queries, samples, offsets, lists, correct) -> np.ndarray:
    """One matrix-vector product and 100 small maxima a query."""
    ranks = np.empty(len(lists), int)
    for row, (query, taxa) in enumerate(zip(queries, lists, strict=True)):
        similarity = samples @ query
        scores = [(float(np.max(similarity[offsets[t] : offsets[t + 1]])), -place) for place, t in enumerate(taxa)]
        order = sorted(range(len(taxa)), key=lambda place: scores[place], reverse=True)
        ranks[row] = 1 + order.index(correct[row])
    return ranks


def seconds(work, turns: int = 3) -> tuple[float, float]:
    """Return the best of some turns: wall-clock seconds, and processor seconds, which a busy machine leaves alone."""
    wall, cpu = float("inf"), float("inf")
    for _ in range(turns):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall, cpu = min(wall, time.perf_counter() - began), min(cpu, time.process_time() - used)
    return wall, cpu


class Memory:
    """Watches this process's own memory (pages of mapped files, which the system takes back, do not count)."""

    def __enter__(self) -> Self:
        self.peak, self.before, self.on = 0, self.now(), True
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.on = False
        self.thread.join()

    def watch(self) -> None:
        """Keep the highest reading."""
        while self.on:
            self.peak = max(self.peak, self.now())
            time.sleep(0.005)

    @staticmethod
    def now() -> int:
        """Return anonymous memory in MiB."""
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split("RssAnon:")[1].split()[0]) // 1024


def ratios() -> None:
    import torch

    rng = np.random.default_rng(0)
    queries, samples = unit(rng, QUERIES), unit(rng, SAMPLES)
    offsets = np.r_[0, np.cumsum(sizes_of(rng, SAMPLES, TAXA))]
    lists, correct = lists_of(rng, QUERIES, TAXA)
    ask, have = Rows(queries, np.arange(QUERIES)), Rows(samples, np.arange(SAMPLES))
    q, s = torch.from_numpy(queries), torch.from_numpy(samples)
    found = []
    with Memory() as memory:
        kernel = seconds(lambda: found.append(rank_candidates(ask, have, offsets, lists, correct)))
    product = seconds(lambda: q @ s.T)
    part = slice(0, LOOPED)
    loop = seconds(
        lambda: found.append(published_loop(queries[part], samples, offsets, lists[part], correct[part]))
    )
    loop = tuple(value * QUERIES / LOOPED for value in loop)
    same = (found[0].rank[part] == found[-1]).mean()
    print(
        f"{QUERIES:,} queries, {SAMPLES:,} samples, {TAXA:,} taxa, {WIDTH} candidates, {DIM}-d, "
        f"{torch.get_num_threads()} threads"
    )
    print(f"{'':30}{'seconds':>9}{'to product':>12}{'cpu s':>8}{'to product':>12}{'loop to it':>12}")
    for name, took in (
        ("biovita", kernel),
        ("bare matrix product", product),
        ("published loop, extrapolated", loop),
    ):
        print(
            f"{name:30}{took[0]:9.2f}{took[0] / product[0]:11.2f}x{took[1]:8.2f}{took[1] / product[1]:11.2f}x"
            f"{loop[0] / took[0]:11.1f}x"
        )
    print(f"ranks equal to the loop's: {same:.2%} of {LOOPED}")
    print(f"memory of the process: {memory.peak:,} MiB at most, {memory.before:,} of it there before")


def scale() -> None:
    import torch

    torch.ones(1000, 1000) @ torch.ones(1000, 1000)  # what the libraries themselves take is not the kernel's
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        dataset = simulate_embeddings(Path(folder) / "fauna", **SCALE)
        there = {modality: vectors(dataset, "simulated", modality, compute=False) for modality in MEDIA}
        names, number = np.unique(there[Modality.IMAGE].taxon_ids, return_inverse=True)
        order = np.argsort(number, kind="stable")
        offsets = np.r_[0, np.cumsum(np.bincount(number))]
        asking = rng.choice(SCALE["audio"], SLICE, replace=False)
        lists, correct = lists_of(rng, SLICE, len(names))
        lists[np.arange(SLICE), correct] = np.searchsorted(
            names, np.array(there[Modality.AUDIO].taxon_ids)[asking]
        )
        ask, have = Rows(there[Modality.AUDIO].vectors, asking), Rows(there[Modality.IMAGE].vectors, order)
        print(f"{'setting MiB':>12}{'used MiB':>10}{'seconds':>9}   for {SLICE:,} of {SCALE['audio']:,} queries")
        for setting in (256, 512, 1024):
            with Memory() as memory:
                began = time.perf_counter()
                found = rank_candidates(ask, have, offsets, lists, correct, memory_mb=setting)
                took = time.perf_counter() - began
            print(
                f"{setting:12,}{memory.peak - memory.before:10,}{took:9.1f}   Top-1 {(found.rank == 1).mean():.1%}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", action="store_true")
    if parser.parse_args().scale:
        scale()
    else:
        ratios()
