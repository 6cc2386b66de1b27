"""Keys that occur more than once, held together and kept on disk, against a plain search."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.dataset.repeated_keys import ranked, repeated

_MANY = 1 << 40  # rows, as it is said
Rows = list[tuple[str | None, str | None, str]]
WORDS = st.sampled_from(["a", "b", "A", "\u00e9", "\U0001f426", "ab"])
ROWS = st.lists(st.tuples(st.none() | WORDS, st.none() | WORDS, WORDS), max_size=30)


def in_batches(rows: Rows, size: int) -> list[pa.RecordBatch]:
    """Return rows in batches."""
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    table = pa.table({name: pa.array(each, pa.string()) for name, each in zip("kmv", columns, strict=True)})
    return table.to_batches(max_chunksize=size) or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def found_by_hand(rows: Rows, *, value: bool) -> list[tuple[object, ...]]:
    """Return keys, the value where it counts, place and first place of each row that is to be found."""
    places: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for at, (k, m, v) in enumerate(rows):
        if k is not None and m is not None and not (value and v in dict(places[k, m])):
            places[k, m].append((v, at))
    return [
        (*key, *([v] if value else []), at, each[0][1])
        for key, each in sorted(places.items(), key=lambda pair: pair[1][:1] and pair[1][0][1])
        if len(each) > 1
        for v, at in each
    ]


def found(rows: Rows, number: int, *, value: bool) -> list[tuple[object, ...]]:
    batches = repeated(in_batches(rows, max(7, len(rows) // 2)), ["k", "m"], number, value="v" if value else None)
    return [tuple(row.values()) for batch in batches for row in batch.to_pylist()]


@settings(deadline=None, max_examples=30)
@given(ROWS, st.booleans())
def test_repeated_keys_are_those_of_a_plain_search(rows: Rows, value: bool) -> None:
    assert found(rows, 0, value=value) == found_by_hand(rows, value=value)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.lists(WORDS, max_size=5), max_size=5))
def test_texts_are_ranked_by_their_characters(texts: list[list[str]]) -> None:
    every = [text for some in texts for text in some]
    order = sorted(set(every))
    places, different = ranked([pa.array(some, pa.string()) for some in texts], 0)
    assert (places.tolist(), different) == ([order.index(text) for text in every], len(order))


@pytest.mark.parametrize("value", [False, True])
def test_many_rows_are_compared_on_disk_as_few_are_in_memory(value: bool) -> None:
    rng = np.random.default_rng(0)
    words = ["", "a", "A", "\u00e9", "\U0001f426", "a\0b", *map(str, range(100))]
    rows = [(words[i], words[j] if j else None, words[k]) for i, j, k in rng.integers(0, len(words), (5_000, 3))]
    here, on_disk = (found(rows, number, value=value) for number in (0, _MANY))
    assert here == on_disk
    assert len(here) > 200
    texts = [pa.array([row[0] for row in rows])] * 2
    for few, many in zip(ranked(texts, 0), ranked(texts, _MANY), strict=True):
        assert np.array_equal(few, many)
