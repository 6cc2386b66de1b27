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

from biovita.bench.vectors import Unit, _read

DIM, FILES = 768, 20_000
MODALITY = "audio"


def seconds(work, turns: int = 3) -> float:
    best = float("inf")
    for _ in range(turns):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def one_file_an_id(folder: Path, ids: list[str]) -> np.ndarray:
    return np.stack([np.load(folder / f"{key}.npy") for key in ids])


def ours(folder: Path) -> Unit:
    """Read ids and vectors as `read_precomputed` does; rows are normalised as they are taken."""
    from biovita.bench.vectors import _zero_rows
    from biovita.dataset import Modality

    ids, vectors, _ = _read(folder, Modality.AUDIO)
    assert ids is not None
    assert not len(_zero_rows(vectors))
    return Unit(vectors)


def first_use(folder: Path) -> np.ndarray:
    """The whole of them taken and normalised once, which scoring does block by block."""
    table = ours(folder)
    step = 20_000
    return sum(
        float(table[np.arange(start, min(start + step, len(table)))][:, 0].sum())
        for start in range(0, len(table), step)
    )


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
        loop = seconds(lambda: one_file_an_id(files, ids[:FILES])) / FILES * rows
        mapped = seconds(lambda: ours(path))
        used = seconds(lambda: first_use(path), turns=1)
        print(f"{rows:,} vectors of {DIM} float32")
        print(f"{'':44}{'seconds':>9}{'to ours':>10}")
        for name, took in (
            ("biovita: opened, ids read, zeros looked for", mapped),
            ("biovita: and every row taken and normalised", used),
            (f"one file an id, extrapolated from {FILES:,}", loop),
        ):
            print(f"{name:44}{took:9.2f}{took / mapped:9.1f}x")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    main(parser.parse_args().rows)
