"""What every table of vectors does alike, whatever keeps it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from biovita.embedding import LanceStore, MemoryTable, VectorTable, read
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.errors import DatasetError

MADE = Made("tower", "1", 3, "as it is")


@pytest.fixture(params=["lance", "memory"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> VectorTable:
    return LanceStore(tmp_path / "vectors").table("audio") if request.param == "lance" else MemoryTable()


def rows(*ids: str, **columns: Any) -> pa.Table:
    """Return rows of whole items, with a value a column for all of them or a list of values."""
    full = {"window": WHOLE, "shard": "s", **columns}
    table = {"id": list(ids)}
    for name in COLUMNS.names[1:]:
        value = full.get(name)
        table[name] = value if isinstance(value, list) else [value] * len(ids)
    return pa.table(table, schema=COLUMNS)


def numbers(*firsts: float) -> np.ndarray:
    return np.array([[first, first + 0.25, -first] for first in firsts], np.float32)


def content(table: VectorTable) -> dict[tuple[str, int], list[float]]:
    """Return the vectors by key, having seen that none is there twice."""
    found, vectors = read(table)
    keys = list(zip(found["id"].to_pylist(), found["window"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys) == len(vectors)
    return dict(zip(keys, vectors.tolist(), strict=True))


def test_a_new_table_is_not_there(table: VectorTable) -> None:
    assert not table.exists
    with pytest.raises(DatasetError):
        table.made()
    table.remove(["a"])
    table.tidy()
    assert not table.exists


def test_what_is_committed_is_read(table: VectorTable) -> None:
    first = rows("a", "b'\"\\", taxon_id="t", sha256="h", file_size=1, file_mtime_ns=2, start_s=0.5, end_s=1.5)
    table.commit(first, numbers(1, 2), MADE)
    table.commit(rows("ç 中"), numbers(3), MADE)
    assert table.exists
    assert table.made() == MADE
    found, vectors = read(table)
    assert found.schema == COLUMNS
    assert found.equals(pa.concat_tables([first, rows("ç 中")]))
    assert vectors.dtype == np.float32
    assert vectors.flags.writeable
    np.testing.assert_array_equal(vectors, numbers(1, 2, 3))


def test_ids_filters_and_columns(table: VectorTable) -> None:
    table.commit(rows("a", "b", "c", "d", taxon_id=["x", "y", None, "x"]), numbers(1, 2, 3, 4), MADE)
    found, vectors = read(table, ids=["d", "b", "nothing"], columns=["taxon_id"])
    assert found.to_pydict() == {"taxon_id": ["y", "x"]}
    np.testing.assert_array_equal(vectors, numbers(2, 4))
    found, vectors = read(table, where=pc.field("taxon_id") == "x", columns=["id"])
    assert found["id"].to_pylist() == ["a", "d"]
    np.testing.assert_array_equal(vectors, numbers(1, 4))
    assert read(table, ids=[])[1].shape == (0, 3)
    assert read(table, ids=["a", "d"], where=pc.field("taxon_id") == "y")[1].shape == (0, 3)


def test_rows_by_number_come_in_the_order_asked_for(table: VectorTable) -> None:
    table.commit(rows(*(f"i{number:03}" for number in range(200))), numbers(*range(200)), MADE)
    snapshot = table.snapshot()
    assert len(snapshot) == 200
    for asked in ([7, 3, 7, 199], list(range(199, -1, -1)), []):
        taken = snapshot.take(np.array(asked, np.int64))
        assert taken.dtype == np.float32
        np.testing.assert_array_equal(taken, numbers(*asked).reshape(len(asked), 3))


def test_a_row_takes_the_place_of_one_with_its_key(table: VectorTable) -> None:
    table.commit(rows("a", "b"), numbers(1, 2), MADE)
    table.commit(rows("b", "c", taxon_id="new"), numbers(20, 3), MADE)
    assert content(table) == {
        ("a", WHOLE): numbers(1)[0].tolist(),
        ("b", WHOLE): numbers(20)[0].tolist(),
        ("c", WHOLE): numbers(3)[0].tolist(),
    }
    assert read(table, ids=["b"], columns=["taxon_id"])[0].to_pydict() == {"taxon_id": ["new"]}


def test_the_key_is_the_item_and_the_window(table: VectorTable) -> None:
    table.commit(rows("a", "a", "a", window=[WHOLE, 0, 1]), numbers(0, 1, 2), MADE)
    table.commit(rows("a", "a", window=[1, 2]), numbers(20, 3), MADE)
    assert content(table) == {
        ("a", window): numbers(first)[0].tolist() for window, first in ((WHOLE, 0), (0, 1), (1, 20), (2, 3))
    }
    table.remove(["a"])
    assert not content(table)


def test_the_same_commit_twice_is_there_once(table: VectorTable) -> None:
    for _ in range(3):
        table.commit(rows("a", "b"), numbers(1, 2), MADE)
    assert len(content(table)) == 2


def test_another_handle_knows_what_is_there(tmp_path: Path) -> None:
    store = LanceStore(tmp_path / "vectors")
    one, other = store.table("audio"), store.table("audio")
    one.commit(rows("a"), numbers(1), MADE)
    other.commit(rows("b"), numbers(2), MADE)
    one.commit(rows("b", "c"), numbers(20, 3), MADE)
    other.commit(rows("a", "c"), numbers(10, 30), MADE)
    found = {item: vector[0] for (item, _), vector in content(one).items()}
    assert found == {"a": 10, "b": 20, "c": 30}


def test_what_something_else_made_is_not_mixed_in(table: VectorTable) -> None:
    table.commit(rows("a"), numbers(1), MADE)
    for other in (
        Made("tower", "2", 3, "as it is"),
        Made("tower", "1", 3, "as it is", window_s=3.0, hop_s=1.0),
        Made("tower", "1", 3, "as it was"),
    ):
        with pytest.raises(DatasetError, match="made by another encoder"):
            table.commit(rows("b"), numbers(2), other)
    assert list(content(table)) == [("a", WHOLE)]


def test_rebuilding_drops_what_was_there(table: VectorTable) -> None:
    table.commit(rows("a", "b"), numbers(1, 2), MADE)
    other = Made("tower", "2", 2, "as it is", window_s=3.0, hop_s=1.0)
    table.commit(rows("b", window=0), numbers(5)[:, :2], other, rebuild=True)
    assert table.made() == other
    assert content(table) == {("b", 0): [5.0, 5.25]}
    table.commit(rows("a", window=0), numbers(6)[:, :2], other, rebuild=True)  # which another run has done
    assert len(content(table)) == 2


def test_half_precision_is_stated_and_read_as_single(table: VectorTable) -> None:
    made = Made("tower", "1", 3, "as it is", numbers="float16")
    given = np.array([[1 / 3, 65504, -1e-7]], np.float32)
    table.commit(rows("a"), given, made)
    table.commit(rows("b"), numbers(2), MADE)  # what is added is kept as the table keeps its vectors
    assert table.made().numbers == "float16"
    _, vectors = read(table)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.concatenate([given.astype(np.float16), numbers(2)]))


def test_removing_takes_all_rows_of_an_item(table: VectorTable) -> None:
    ids = [f"it's {number}" for number in range(2500)]
    table.commit(rows(*ids), numbers(*range(2500)), MADE)
    table.remove(ids[1:])
    assert list(content(table)) == [("it's 0", WHOLE)]
    table.remove(["not there", "' OR ''='"])
    table.commit(rows("it's 7"), numbers(7), MADE)
    table.tidy()
    assert list(content(table)) == [("it's 0", WHOLE), ("it's 7", WHOLE)]
    table.remove(["it's 0", "it's 7"])
    table.tidy()
    assert read(table)[1].shape == (0, 3)


def test_columns_are_refreshed_and_vectors_stay(table: VectorTable) -> None:
    table.commit(rows("a", "a", "b", window=[WHOLE, 0, WHOLE], sha256="h", file_size=1), numbers(1, 2, 3), MADE)
    before = content(table)
    fresh = pa.table({"id": ["a", "nothing"], "taxon_id": ["t", "t"], "file_size": [9, 9]})
    table.refresh(fresh)
    table.refresh(pa.table({"id": ["b"], "taxon_id": pa.array([None], pa.string())}))
    assert content(table) == before
    found = read(table, columns=["id", "window", "taxon_id", "sha256", "file_size"])[0].sort_by(
        [("id", "ascending"), ("window", "ascending")]
    )
    assert found.to_pydict() == {
        "id": ["a", "a", "b"],
        "window": [WHOLE, 0, WHOLE],
        "taxon_id": ["t", "t", None],
        "sha256": ["h"] * 3,
        "file_size": [9, 9, 1],
    }


def test_tidying_changes_nothing(table: VectorTable) -> None:
    for number in range(40):
        table.commit(rows(f"i{number % 30}"), numbers(number), MADE)
    before = content(table)
    table.tidy()
    assert content(table) == before
    assert len(before) == 30


@pytest.mark.slow
@pytest.mark.parametrize("order", [lambda keys: keys, reversed], ids=["forward", "back"])
def test_many_commits_keep_every_row_once(table: VectorTable, order: Callable[[list[int]], list[int]]) -> None:
    """Enough for pieces to be joined on the way, with rows that come again before and after that."""
    for number in order(list(range(150))):
        table.commit(rows(f"i{number}", f"j{number // 10}"), numbers(number, number // 10), MADE)
    found = content(table)
    assert len(found) == 165
    assert all(vector[0] == int(item[1:]) for (item, _), vector in found.items())
