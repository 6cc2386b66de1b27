from __future__ import annotations

import numpy as np
import pyarrow as pa

from biovita.benchmark.vector_rows import mapped, rows_of
from biovita.embedding import Vectors


class Counted:
    """Rows that are counted as they are read."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.shape, self.read = rows, rows.shape, 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.read += len(rows)
        return self.rows[rows]


def test_each_id_has_the_row_of_its_vector_and_the_last_of_several():
    ids = pa.chunked_array([["b", "nowhere"], ["a", "b", "c"]])
    have = Vectors(("a", "b", "", "", "a", "c"), np.zeros((6, 2), np.float32))
    place = {key: row for row, key in enumerate(have.ids)}
    assert rows_of(ids, have).tolist() == [place.get(key, -1) for key in ids.to_pylist()] == [1, -1, 4, 1, 5]
    assert rows_of(ids, Vectors((), np.zeros((0, 2), np.float32))).tolist() == [-1] * 5


def test_vectors_that_are_read_as_they_are_used_are_read_once(tmp_path):
    rows = np.random.default_rng(0).normal(size=(20_000, 3)).astype(np.float32)
    counted = Counted(rows)
    ids = tuple(map(str, range(len(rows))))
    held, found = (mapped({"audio": Vectors(ids, each)}, tmp_path / "run")["audio"] for each in (rows, counted))
    assert held.vectors is rows
    some = np.array([19_999, 5, 5, 8192])
    np.testing.assert_array_equal(found.vectors[some], rows[some])
    np.testing.assert_array_equal(found.array, rows)
    assert counted.read == len(rows)
    assert list((tmp_path / "run").iterdir()) == [], "the file has no name that could stay behind"
