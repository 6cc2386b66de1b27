"""The nearest rows by index and by comparing, against NumPy over all vectors: with filters, ties and few rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from biovita.modality import Modality
from biovita.retrieval import vector_index
from biovita.retrieval.background import keep_background, read_background
from biovita.retrieval.nearest_rows import Allowed, nearest_by_comparing, nearest_in_index
from biovita.retrieval.search_space import IndexRecord, SearchSpace, SpaceRecord
from biovita.retrieval.searched_rows import SEARCHED, searched_schema
from biovita.retrieval.vector_index import keep_index, probes_among, probes_for

ROWS, DIM = 6000, 24
CONDITIONS = {
    None: lambda row: np.ones(len(row), bool),
    "site = 's7'": lambda row: row % 50 == 7,
    "site IN ('s1', 's2') AND month IN (1, 2)": lambda row: np.isin(row % 50, [1, 2]) & np.isin(row % 12, [0, 1]),
    "array_has_any(taxa, ['t11'])": lambda row: row % 3000 == 11,
    "media_id IN ('m3')": lambda row: row // 10 == 3,
    "site = 'nowhere'": lambda row: np.zeros(len(row), bool),
}


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    middles = rng.standard_normal((40, DIM))
    found = middles[rng.integers(40, size=ROWS)] + 0.6 * rng.standard_normal((ROWS, DIM))
    found[500:504] = found[500]  # equal ones
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found.astype(np.float16)


@pytest.fixture(scope="module")
def space(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> SearchSpace:
    """A table with an index, whose rows were shuffled."""
    order = np.random.default_rng(1).permutation(ROWS)
    columns = {
        "id": pa.array([f"r{each:05d}" for each in order]),
        "media_id": pa.array([f"m{each // 10}" for each in order]),
        "state": pa.array(np.zeros(ROWS, np.uint64)),
        "site": pa.array([f"s{each % 50}" for each in order]),
        "month": pa.array([each % 12 + 1 for each in order], pa.int8()),
        "taxa": pa.array([["all", f"t{each % 3000}"] for each in order], pa.list_(pa.string())),
    }
    given = [columns.get(field.name, pa.nulls(ROWS, field.type)) for field in SEARCHED]
    flat = pa.array(vectors[order].ravel())
    table = pa.Table.from_arrays(
        [*given, pa.FixedSizeListArray.from_arrays(flat, DIM)], schema=searched_schema(DIM)
    )
    found = SearchSpace(tmp_path_factory.mktemp("space"))
    found.write_record(SpaceRecord(model="m", place="m", revision="1", towers="m"))
    lance.write_dataset(table, str(found.place(Modality.AUDIO)))
    keep_background(found, Modality.AUDIO)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_index, "EXACT_BELOW", ROWS)
        keep_index(found, Modality.AUDIO)
    return found


def indexed(space: SearchSpace) -> IndexRecord:
    found = space.said_of(Modality.AUDIO).index
    assert found is not None
    return found


def truth(vectors: np.ndarray, query: np.ndarray, condition: str | None, k: int) -> tuple[list[str], np.ndarray]:
    rows = np.flatnonzero(CONDITIONS[condition](np.arange(ROWS)))
    products = vectors[rows].astype(np.float32) @ query
    order = np.lexsort((rows, -products))[:k]
    return [f"r{each:05d}" for each in rows[order]], products[order]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_nearest_are_those_of_all(vectors: np.ndarray, space: SearchSpace, condition: str | None) -> None:
    table = space.table(Modality.AUDIO)
    count = indexed(space).partitions
    rng = np.random.default_rng(2)
    for query in (vectors[501].astype(np.float32), 3 * rng.standard_normal(DIM).astype(np.float32)):
        want, products = truth(vectors, query, condition, 10)
        compared = nearest_by_comparing(table, query, 10, Allowed(condition))
        assert compared.rows["id"].to_pylist() == want
        np.testing.assert_allclose(compared.products, products, atol=1e-4)
        by_index = nearest_in_index(table, query, 10, condition, (count, count))
        np.testing.assert_allclose(by_index.products, products, atol=3e-3)
        assert by_index.complete == (len(want) < 10)
        least = probes_among(table, 2, count, condition)
        few = nearest_in_index(table, query, 10, condition, (least, count))
        assert len(few.rows) == len(want), "a filter costs nothing"
        if condition is not None and least == count:
            np.testing.assert_allclose(few.products, products, atol=3e-3)
    assert probes_among(table, 2, count, "site = 'nowhere'") == count
    assert probes_among(table, 2, count, None) == 2


def test_many_media_are_looked_through(
    vectors: np.ndarray, space: SearchSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biovita.retrieval.nearest_rows._IN_A_LIST", 5)
    query = vectors[0].astype(np.float32)
    media = pa.array([f"m{each}" for each in range(0, ROWS // 10, 2)])
    allowed = Allowed("site = 's7'", media, ROWS // 10)
    assert allowed.is_compared
    rows = np.flatnonzero((np.arange(ROWS) % 50 == 7) & (np.arange(ROWS) // 10 % 2 == 0))
    products = vectors[rows].astype(np.float32) @ query
    want = [f"r{each:05d}" for each in rows[np.lexsort((rows, -products))[:7]]]
    assert nearest_by_comparing(space.table(Modality.AUDIO), query, 7, allowed).rows["id"].to_pylist() == want


def test_the_recall_that_was_measured_is_what_is_found(vectors: np.ndarray, space: SearchSpace) -> None:
    said = indexed(space)
    curve = said.recall[Modality.AUDIO]
    assert curve[-1][1] == 1.0
    assert [found for _, found in curve] == sorted(found for _, found in curve)
    probes = probes_for(space, Modality.AUDIO, [Modality.AUDIO], 0.9)
    assert probes is not None
    assert 1 <= probes < said.partitions
    assert probes_for(space, Modality.AUDIO, [Modality.TEXT], 0.9) is None, "unknown: all are read"
    rng = np.random.default_rng(3)
    hits = []
    for query in vectors[rng.choice(ROWS, 60, replace=False)].astype(np.float32):
        want, _ = truth(vectors, query, None, 10)
        found = nearest_in_index(space.table(Modality.AUDIO), query, 10, None, (probes, probes))
        hits.append(len(set(want) & set(found.rows["id"].to_pylist())) / 10)
    assert np.mean(hits) > 0.85


def test_rows_that_come_later_are_found_too(vectors: np.ndarray, space: SearchSpace) -> None:
    table = space.table(Modality.AUDIO)
    row = table.to_table(limit=1).slice(0, 1)
    new = -vectors[:1].astype(np.float32) + 0.1
    new /= np.linalg.norm(new)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(new.astype(np.float16).ravel()), DIM)
    row = row.set_column(row.schema.get_field_index("id"), "id", pa.array(["later"]))
    row = row.set_column(row.schema.get_field_index("vector"), searched_schema(DIM).field("vector"), flat)
    before = table.version
    lance.write_dataset(row.cast(searched_schema(DIM)), table, mode="append")
    try:
        found = nearest_in_index(space.table(Modality.AUDIO), new[0], 1, None, (1, 16))
        assert found.rows["id"].to_pylist() == ["later"]
    finally:
        table.checkout_version(before).restore()


def test_an_index_takes_in_what_was_added(
    vectors: np.ndarray, space: SearchSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SearchSpace(tmp_path / "space")
    shutil.copytree(space.directory, other.directory)
    monkeypatch.setattr(vector_index, "EXACT_BELOW", ROWS)
    monkeypatch.setattr(vector_index, "_STALE", 10)
    rows = other.table(Modality.AUDIO).to_table(limit=500)
    ids = pa.array([f"new{each}" for each in range(500)])
    rows = rows.set_column(0, searched_schema(DIM).field("id"), ids)
    lance.write_dataset(rows, other.table(Modality.AUDIO), mode="append")
    made = other.said_of(Modality.AUDIO).index
    keep_index(other, Modality.AUDIO)
    table = other.table(Modality.AUDIO)
    assert other.said_of(Modality.AUDIO).index == made, "it was not made anew"
    for name in ("vector_idx", "media_id_idx", "taxa_idx"):
        assert table.stats.index_stats(name)["num_unindexed_rows"] == 0
    count = indexed(other).partitions
    query = vectors[42].astype(np.float32)
    compared = nearest_by_comparing(table, query, 30, Allowed())
    np.testing.assert_allclose(
        nearest_in_index(table, query, 30, None, (count, count)).products, compared.products, atol=3e-3
    )


def test_a_background_stands_for_all_rows(vectors: np.ndarray, space: SearchSpace) -> None:
    background = read_background(space, Modality.AUDIO)
    assert background.vectors.shape == (2048, DIM)
    query = vectors[7].astype(np.float32)
    mean, variance = background.scale(query)
    every = vectors.astype(np.float32) @ query
    assert mean == pytest.approx(every.mean(), abs=0.03)
    assert variance == pytest.approx(every.var(), rel=0.2)
    before = space.background_file(Modality.AUDIO).read_bytes()
    keep_background(space, Modality.AUDIO)
    assert space.background_file(Modality.AUDIO).read_bytes() == before


def test_a_damaged_background_is_told(space: SearchSpace, tmp_path: Path) -> None:
    other = SearchSpace(tmp_path)
    other.background_file(Modality.AUDIO).write_bytes(b"not numpy")
    with pytest.raises(ValueError, match="cannot be read"):
        read_background(other, Modality.AUDIO)
    assert not read_background(other, Modality.IMAGE).is_enough
