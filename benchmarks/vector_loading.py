"""Loading vectors for scoring against one file an id, as the published code keeps its features.

Run: python benchmarks/vector_loading.py [--rows 1000000]    (needs 3 GB of disk a million rows)
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from biovita.benchmark.precomputed import Unit, _read
from biovita.compute.threads import PartsInThreads

DIM, FILES = 768, 20_000
BLOCK = 1024
MODALITY = "audio"


def seconds(work, turns: int = 3) -> float:
    best = float("inf")
    for _ in range(turns):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def one_pt_an_id(folder: Path, ids: list[str]) -> np.ndarray:
    """Read as the published code does, and normalise; `weights_only`, as foreign files have to be read."""
    loaded = torch.stack([torch.load(folder / f"{key}.pt", weights_only=True) for key in ids])
    return torch.nn.functional.normalize(loaded, dim=1).numpy()


def one_npy_an_id(folder: Path, ids: list[str]) -> np.ndarray:
    loaded = np.stack([np.load(folder / f"{key}.npy") for key in ids])
    return loaded / np.linalg.norm(loaded, axis=1, keepdims=True)


def ours(folder: Path) -> Unit:
    """Read ids and vectors as `read_precomputed` does; rows are normalised as they are taken."""
    from biovita.benchmark.precomputed import _zero_rows
    from biovita.modality import Modality

    ids, vectors, _ = _read(folder, Modality.AUDIO)
    assert ids is not None
    assert not len(_zero_rows(vectors))
    return Unit(vectors)


def first_use(folder: Path) -> None:
    """Take and normalise the whole of them once, which scoring does taxon by taxon on all cores."""
    table = ours(folder)
    blocks = [np.arange(start, min(start + BLOCK, len(table))) for start in range(0, len(table), BLOCK)]
    PartsInThreads().each(lambda rows: table[rows][0, 0], blocks)


def main(rows: int) -> None:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        array = np.lib.format.open_memmap(path / f"{MODALITY}.npy", "w+", np.float32, (rows, DIM))
        for start in range(0, rows, 20_000):
            array[start : start + 20_000] = rng.standard_normal((min(20_000, rows - start), DIM), np.float32)
        array.flush()
        ids = [f"item-{row:08d}" for row in range(rows)]
        (path / f"{MODALITY}.ids.json").write_text(json.dumps(ids), encoding="utf-8")
        files = path / "files"
        files.mkdir()
        for key, vector in zip(ids[:FILES], array, strict=False):
            np.save(files / f"{key}.npy", vector)
            torch.save(torch.from_numpy(vector.copy()), files / f"{key}.pt")
        share = rows / min(FILES, rows)
        times = {
            "one .pt an id, as published (extrapolated)": seconds(lambda: one_pt_an_id(files, ids[:FILES]))
            * share,
            "one .npy an id (extrapolated)": seconds(lambda: one_npy_an_id(files, ids[:FILES])) * share,
            "biovita: opened, ids read, zeros looked for": seconds(lambda: ours(path)),
            "biovita: and every row read and normalised": seconds(lambda: first_use(path)),
        }
        print(f"{rows:,} vectors of {DIM} float32; the best of three turns, files in the system's cache")
        print(f"{'':44}{'seconds':>9}{'.pt to it':>11}{'.npy to it':>11}")
        published, plain = list(times.values())[:2]
        for name, took in times.items():
            print(f"{name:44}{took:9.2f}{published / took:10.1f}x{plain / took:10.1f}x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    main(parser.parse_args().rows)
