"""Many small commits to a table of vectors: whether the last cost what the first did, and what the disk ends at.

Run with ``python benchmarks/vector_commits.py [--commits 10000] [--rows 150] [--dim 64]``. Rows are those of
recordings, with ids and hashes as long as real ones. Processor time is what the commits themselves take, in groups of
100; the joining of pieces falls into the group in which it happens.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from biovita.embedding import LanceStore
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS, WHOLE

GROUP = 100


def rows_of(commit: int, count: int) -> pa.Table:
    ids = [f"XC{commit * count + number:08d}" for number in range(count)]
    columns = {
        "id": ids,
        "window": [WHOLE] * count,
        "taxon_id": [f"taxon_{number % 7}" for number in range(count)],
        "sha256": [hashlib.sha256(item.encode()).hexdigest() for item in ids],
        "file_size": [100_000 + number for number in range(count)],
        "file_mtime_ns": [1_700_000_000_000_000_000 + number for number in range(count)],
        "start_s": [0.0] * count,
        "end_s": [5.0] * count,
        "shard": [hashlib.sha256(str(commit).encode()).hexdigest()[:32]] * count,
    }
    return pa.table(columns, schema=COLUMNS)


def size_of(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=150)
    parser.add_argument("--dim", type=int, default=64)
    options = parser.parse_args()
    made = Made("bench", "1", options.dim, "none")
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        table = LanceStore(Path(folder)).table("audio")
        taken, most = [], 0
        for commit in range(options.commits):
            rows = rows_of(commit, options.rows)
            vectors = rng.standard_normal((options.rows, options.dim), dtype=np.float32)
            began = time.process_time()
            table.commit(rows, vectors, made)
            taken.append(time.process_time() - began)
            if commit % GROUP == 0:
                most = max(most, size_of(Path(folder)))
        began = time.process_time()
        table.tidy()
        tidied = time.process_time() - began
        assert len(table.snapshot()) == options.commits * options.rows
        size, most = size_of(Path(folder)), max(most, size_of(Path(folder)))
    needed = options.commits * options.rows * options.dim * 4
    first, last = sum(taken[:GROUP]), sum(taken[-GROUP:])
    groups = np.add.reduceat(taken, np.arange(0, len(taken), GROUP))
    print(f"{options.commits} commits of {options.rows} rows of {options.dim} numbers, processor seconds")
    print(f"first {GROUP}: {first:.2f}  last {GROUP}: {last:.2f}  ratio {last / first:.2f}")
    print(f"any {GROUP}: {groups.min():.2f} to {groups.max():.2f}; tidying {tidied:.2f}")
    print(f"disk at the end {size / needed:.3f} of the vectors, on the way at most {most / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
