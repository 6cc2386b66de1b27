"""What `embed` takes to find that one item in a hundred is new: processor time and memory, at several sizes.

Run with ``python benchmarks/embed_planning.py [--sizes 1e6 3e7] [--work DIR] [--memory 3072]``. The tables are
simulated: photographs with ids, hashes and paths as long as real ones, no media, and vectors of two numbers; the paths
alone are more than 2 GiB at 30 million rows. Each size is planned in a process of its own, up to the shards' keys.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import IMAGES
from biovita.embedding import LanceStore, dataset_items
from biovita.embedding.made import Made
from biovita.embedding.pending import LOOKED_AT, plan
from biovita.embedding.shards import shards
from biovita.embedding.store import COLUMNS, WHOLE, schema_of
from biovita.limits import set_memory
from biovita.modality import Modality

MADE = Made("bench", "1", 2, "none")
ROWS = 1 << 17
NEW = 100  # every hundredth item has no vector
HEX = np.array([f"{byte:02x}".encode() for byte in range(256)])


def mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Return numbers of 64 bits that look like chance, the same for the same ones (splitmix64)."""
    z = (numbers.astype(np.uint64) + np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def texts(numbers: np.ndarray, length: int, salt: int, before: str = "", after: str = "") -> pa.Array:
    """Return texts of hexadecimal digits, the same for the same numbers."""
    words = [mixed(numbers, salt + word) for word in range(-(-length // 16))]
    digits = HEX[np.stack(words, axis=1).view(np.uint8)].view(np.uint8).reshape(len(numbers), -1)[:, :length]
    ends = (np.tile(np.frombuffer(each.encode(), np.uint8), (len(numbers), 1)) for each in (before, after))
    first, last = ends
    filled = np.ascontiguousarray(np.concatenate([first, digits, last], axis=1))
    edges = np.arange(len(numbers) + 1, dtype=np.int32) * filled.shape[1]
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(edges), pa.py_buffer(filled))


def photographs(first: int, end: int) -> dict[str, pa.Array]:
    """Return what the dataset and the table of vectors both say of some photographs."""
    numbers = np.arange(first, end)
    return {
        "id": texts(numbers, 20, 1),
        "taxon_id": texts(numbers // 300, 12, 10, "genus_of_"),
        "sha256": texts(numbers, 64, 20),
        "path": texts(numbers, 48, 30, "media/images/of_a_source/", ".jpeg"),
    }


def rows_of_dataset(size: int) -> Iterator[pa.RecordBatch]:
    for first in range(0, size, ROWS):
        end = min(first + ROWS, size)
        known = photographs(first, end)
        known |= {name: pa.repeat(pa.scalar(1024, pa.int32()), end - first) for name in ("width", "height")}
        known["group_id"] = known["id"]
        columns = [known.get(each.name, pa.nulls(end - first, each.type)) for each in IMAGES]
        yield pa.RecordBatch.from_arrays(columns, schema=IMAGES)


def rows_of_vectors(size: int) -> Iterator[pa.RecordBatch]:
    for first in range(0, size, ROWS):
        numbers = np.arange(first, min(first + ROWS, size))
        known = photographs(first, first + len(numbers))
        known["window"] = pa.repeat(pa.scalar(WHOLE, pa.int32()), len(numbers))
        known |= {
            name: pa.repeat(pa.scalar(-1, pa.int64()), len(numbers)) for name in ("file_size", "file_mtime_ns")
        }
        known["shard"] = texts(numbers // 128, 32, 40)
        columns = [known.get(each.name, pa.nulls(len(numbers), each.type)) for each in COLUMNS]
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.ones(2 * len(numbers), np.float32)), 2)
        kept = pa.array(numbers % NEW != NEW - 1)
        yield pa.RecordBatch.from_arrays([*columns, vectors], schema=schema_of(MADE)).filter(kept)


def write(place: Path, size: int) -> None:
    """Write a dataset and its table of vectors."""
    import lance

    place.mkdir(parents=True)
    images = pa.RecordBatchReader.from_batches(IMAGES, rows_of_dataset(size))
    write_dataset(place, {"images": images}, {"name": "simulated", "version": "1", "made": {}})
    vectors = pa.RecordBatchReader.from_batches(schema_of(MADE), rows_of_vectors(size))
    table = LanceStore(place / "embeddings" / "bench").table("image").path
    table.parent.mkdir(parents=True)
    lance.write_dataset(vectors, str(table))


def planned(place: Path, memory: int) -> None:
    """Plan, and print how many items are new and in how many shards."""
    set_memory(str(memory))
    items = dataset_items(Dataset.open(place), Modality.IMAGE)
    snapshot = LanceStore(place / "embeddings" / "bench").table("image").snapshot()
    todo = plan(items, snapshot.batches(LOOKED_AT))
    print(len(todo.new), sum(1 for _ in shards(todo, MADE)))


def measured(place: Path, memory: int) -> tuple[float, float, str]:
    """Return processor seconds, peak memory in MiB and what was said, of planning in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--one", str(place), "--memory", str(memory)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = process.stdout.read().strip()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{place}: planning ended with {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=float, nargs="+", default=[1e5, 1e6])
    parser.add_argument("--work", type=Path, help="where the tables are written and kept; default: nowhere")
    parser.add_argument("--memory", type=int, default=3072, help="as of biovita, in MiB")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        planned(options.one, options.memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        before: tuple[int, float] | None = None
        print(f"{'items':>11} {'new':>8} {'shards':>8} {'processor s':>12} {'peak MiB':>9} {'exponent':>9}")
        for size in map(int, options.sizes):
            place = (options.work or Path(folder)) / str(size)
            if not place.exists():
                write(place, size)
            seconds, peak, said = measured(place, options.memory)
            exponent = math.log(seconds / before[1]) / math.log(size / before[0]) if before else math.nan
            new, cut = map(int, said.split())
            assert new == size // NEW
            print(f"{size:11,} {new:8,} {cut:8,} {seconds:12.1f} {peak:9.0f} {exponent:9.2f}", flush=True)
            before = size, seconds


if __name__ == "__main__":
    main()
