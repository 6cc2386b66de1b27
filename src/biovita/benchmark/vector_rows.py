"""Where the vectors of a benchmark's items lie, and vectors that do not fit into memory, in a file beside the run."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.precomputed import Unit
from biovita.benchmark.task import Benchmark
from biovita.embedding import Vectors
from biovita.files import make_directory
from biovita.modality import Modality

__all__ = ["mapped", "rows_of", "vector_rows"]

_ROWS_AT_ONCE = 8192


def vector_rows(benchmark: Benchmark, vectors: Mapping[Modality, Vectors]) -> dict[Modality, np.ndarray]:
    """Return by modality the row of each item's vector, ``(items,)`` int64; -1 of an item that has none.

    Where an id has several vectors, the last one counts.
    """
    return {modality: rows_of(benchmark.items[modality]["id"], have) for modality, have in vectors.items()}


def rows_of(ids: pa.ChunkedArray, vectors: Vectors) -> np.ndarray:
    """Return the row of the vector of each id, as `vector_rows`."""
    have = pa.array(vectors.ids[::-1], pa.large_string())
    found = pc.fill_null(pc.index_in(ids.cast(pa.large_string()), value_set=have), len(have))
    rows: np.ndarray = len(have) - 1 - found.to_numpy().astype(np.int64)
    return rows


def mapped(vectors: Mapping[Modality, Vectors], directory: Path) -> dict[Modality, Vectors]:
    """Return vectors of which none is read from a table twice.

    Those that are read as they are used go through once, into a file in ``directory`` that is mapped into memory. It
    has no name and is gone with the last use of the vectors.
    """
    return {modality: _mapped(found, directory) for modality, found in vectors.items()}


def _mapped(found: Vectors, directory: Path) -> Vectors:
    rows = found.vectors.vectors if isinstance(found.vectors, Unit) else found.vectors
    if isinstance(rows, np.ndarray) or not len(found):
        return found
    make_directory(directory)
    with tempfile.TemporaryFile(dir=directory) as file:
        kept = np.memmap(file, np.float32, "w+", shape=(len(found), found.dim)).view(np.ndarray)
    for start in range(0, len(kept), _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, len(kept))
        kept[start:end] = found.vectors[np.arange(start, end)]
    return replace(found, vectors=kept)
