"""What a query becomes, and in which order what it finds is told."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biovita.errors import BiovitaError
from biovita.modality import Modality
from biovita.retrieval.background import Background, pooled_spread
from biovita.retrieval.hits import GROUPS, Hit, Ranked, content_of, merged, ranked
from biovita.retrieval.nearest_rows import NearestRows
from biovita.retrieval.partitions import partition_count, spherical_means
from biovita.retrieval.query_parts import LIKE, UNLIKE, QueryPart, moved_by, query_for
from biovita.retrieval.search_filters import SearchFilters, months_of

DIM = 8


def directions(rows: int, seed: int) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((rows, DIM)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_mixed_query_is_the_sum_of_what_its_parts_score() -> None:
    background = Background(directions(200, 0) * np.linspace(0.1, 1, DIM, dtype=np.float32))
    one, other = (
        QueryPart("p", Modality.AUDIO, vector, weight)
        for vector, weight in zip(directions(2, 1), (1.0, 3.0), strict=True)
    )
    query = query_for(moved_by([one, other], [], []), [background], DIM)
    assert query is not None
    rows = directions(50, 2)
    want = sum(
        weight * (rows @ part.vector) / np.sqrt(background.scale(part.vector)[1])
        for part, weight in ((one, 0.25), (other, 0.75))
    )
    np.testing.assert_allclose(rows @ query, want, rtol=1e-4, atol=1e-5)


def test_the_spread_is_that_within_modalities() -> None:
    rng = np.random.default_rng(0)
    near, far = (
        Background((rng.normal(middle, width, (500, 1)) * np.ones(DIM)).astype(np.float32))
        for middle, width in ((5.0, 1.0), (-5.0, 3.0))
    )
    query = np.eye(DIM, dtype=np.float32)[0]
    few, other = Background(directions(3, 0)), Background(np.ones((20, DIM + 1), np.float32))
    assert pooled_spread(query, [near, far, few, other]) == pytest.approx(np.sqrt((1 + 9) / 2), rel=0.1)
    assert pooled_spread(query, [few]) == 1.0


def test_examples_have_their_weight_together() -> None:
    asked, like, unlike = (
        [QueryPart("p", Modality.AUDIO, vector) for vector in directions(count, seed)]
        for count, seed in ((1, 0), (3, 1), (2, 2))
    )
    weights = [part.weight for part in moved_by(asked, like, unlike)]
    assert weights == pytest.approx([1, LIKE / 3, LIKE / 3, LIKE / 3, -UNLIKE / 2, -UNLIKE / 2])
    assert [part.weight for part in moved_by([], like, [])] == pytest.approx([1 / 3] * 3)
    with pytest.raises(BiovitaError, match="nothing is asked"):
        moved_by([], [], unlike)


def test_parts_of_another_space_are_no_query() -> None:
    part = QueryPart("p", Modality.IMAGE, np.ones(5, np.float32))
    assert query_for([part], [Background(directions(20, 0))], DIM) is None


def finder(groups: int, rows_a_group: int, modality: Modality, seed: int) -> tuple[Ranked, pa.Table, np.ndarray]:
    """Return one modality's answer over a table in memory, which understands the conditions that `ranked` makes."""
    count = groups * rows_a_group
    media = [f"{modality.value}{number % groups:016d}" for number in range(count)]
    products = np.random.default_rng(seed).standard_normal(count)
    table = pa.table(
        {
            "id": [f"{medium}@{number}" for number, medium in enumerate(media)],
            "media_id": media,
            "start_s": np.arange(count, dtype=float),
            "end_s": np.arange(count, dtype=float) + 1,
            "site": [f"site{int(medium[-2:]) % 5}" for medium in media],
        }
    )

    def nearest(k: int, condition: str | None) -> NearestRows:
        text = condition or ""
        sites, media_ids = table["site"].to_pylist(), table["media_id"].to_pylist()
        keep = np.array(
            [f"'{s}'" not in text and f"'{m}'" not in text for s, m in zip(sites, media_ids, strict=True)]
        )
        rows = np.flatnonzero(keep)
        order = rows[np.argsort(-products[rows], kind="stable")][:k]
        return NearestRows(table.take(pa.array(order)), products[order], len(rows) <= k)

    return Ranked(modality, nearest, 0.0, 1.0, 1.0), table, products


@pytest.mark.parametrize("group", [each for each in GROUPS if each != "taxon"])
def test_of_each_group_the_best_is_found_however_many_rows_it_has(group: str) -> None:
    answer, table, products = finder(30, 40, Modality.AUDIO, 0)
    found = list(islice(ranked(answer, group, 5), 2000))  # type: ignore[arg-type]
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True)
    keys: dict[str, Callable[[int], str]] = {
        "recording": lambda row: content_of(table["media_id"][row].as_py()),
        "site": lambda row: str(table["site"][row].as_py()),
        "none": lambda row: str(table["id"][row].as_py()),
    }
    best: dict[str, float] = {}
    for row in range(len(table)):
        key = keys[group](row)
        best[key] = max(best.get(key, -np.inf), products[row])
    assert {hit.group: hit.score for hit in found} == best


@given(st.integers(0, 30), st.integers(1, 20))
def test_pages_of_two_modalities_are_pieces_of_one_order(first: int, count: int) -> None:
    def streams() -> list:  # type: ignore[type-arg]
        return [
            ranked(finder(12, 3, modality, seed)[0], "site", 5)
            for modality, seed in ((Modality.AUDIO, 0), (Modality.IMAGE, 1))
        ]

    whole: list[Hit] = merged(streams(), 0, 1000)
    assert len(whole) == 5, "a site is told once, whichever modality found it"
    assert merged(streams(), first, count) == whole[first : first + count]


def test_centroids_are_where_the_vectors_are() -> None:
    middles = directions(6, 4)
    rng = np.random.default_rng(0)
    vectors = middles[rng.integers(6, size=3000)] + 0.05 * rng.standard_normal((3000, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    means = spherical_means(vectors, 12)
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1, rtol=1e-5)
    assert ((means @ middles.T).max(axis=0) > 0.99).all()
    assert (np.bincount((vectors @ means.T).argmax(axis=1), minlength=12) > 0).all(), "none is empty"
    assert np.array_equal(means, spherical_means(vectors, 12)), "the same each time"
    assert [partition_count(rows) for rows in (100_000, 1_000_000, 10**8)] == [24, 244, 1024]


def test_months_may_go_round() -> None:
    assert months_of("11-2,5") == (11, 12, 1, 2, 5)
    for odd in ("0", "13", "1-13", "a", "", "1--2", "1.5"):
        with pytest.raises(BiovitaError, match="the month"):
            months_of(odd)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"since": "2024-13-01"}, "no day"),
        ({"until": "yesterday"}, "no day"),
        ({"since": "2024-05-02", "until": "2024-05-01"}, "No day is between"),
        ({"box": (0.0, 50.0, 1.0, 40.0)}, "box"),
        ({"box": (0.0, 50.0, 1.0, 95.0)}, "box"),
    ],
)
def test_filters_that_mean_nothing_are_refused(given_: dict[str, object], said: str) -> None:
    with pytest.raises(BiovitaError, match=said):
        SearchFilters(**given_)  # type: ignore[arg-type]
