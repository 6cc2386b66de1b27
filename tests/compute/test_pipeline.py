from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from biovita.compute import pipeline
from biovita.compute.pipeline import encode_ahead, in_batches, in_processes, load_ahead
from biovita.errors import BiovitaError, MediaError


def slow(item: int) -> np.ndarray:
    time.sleep(0.001 * (item * 7 % 5))
    if item % 10 == 3:
        raise MediaError("truncated", f"item {item}")
    return np.full(3, item)


@pytest.mark.parametrize("workers", [1, 4])
def test_order_is_kept_and_failures_take_their_place(workers: int) -> None:
    found = list(load_ahead(((f"row {n}", n) for n in range(40)), slow, workers=workers, ahead=8))
    assert [row for row, _ in found] == [f"row {n}" for n in range(40)]
    for n, (_, result) in enumerate(found):
        if n % 10 == 3:
            assert isinstance(result, MediaError)
            assert result.reason == "truncated"
        else:
            np.testing.assert_array_equal(result, np.full(3, n))


def test_no_more_than_asked_for_is_loaded_ahead() -> None:
    loaded = []
    stream = load_ahead(
        ((n, n) for n in range(100)), lambda n: loaded.append(n) or np.zeros(1), workers=2, ahead=5
    )
    next(stream)
    time.sleep(0.1)
    assert len(loaded) == 6  # the one given, and five that wait
    stream.close()
    assert len(loaded) == 6


def test_batches_end_where_they_grow_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_MOST_BYTES", 5000)
    sizes = [100, 6000, 2000, 2000, 2000, 100, 100, 100, 100]
    entries = [(place, np.zeros(size, np.uint8)) for place, size in enumerate(sizes)]
    entries[6] = (6, MediaError("truncated", "no bytes"))
    batches = [[place for place, _ in batch] for batch in in_batches(iter(entries), 3)]
    assert batches == [[0, 1], [2, 3, 4], [5, 6, 7], [8]]


def test_large_items_are_not_all_loaded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_MOST_BYTES", 5000)
    loaded = []

    def load(item: int) -> np.ndarray:
        loaded.append(item)
        return np.zeros(2000, np.uint8)

    stream = load_ahead(((n, n) for n in range(100)), load, workers=2, ahead=50)
    for taken in range(1, 20):
        assert next(stream)[0] == taken - 1
        time.sleep(0.005)
        assert len(loaded) - taken <= 4  # three fill the bound, and one more is at the other worker
    stream.close()


def test_an_item_beyond_the_bound_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_MOST_BYTES", 10)
    stream = load_ahead(((n, n) for n in range(5)), lambda n: np.zeros(2000, np.uint8), workers=3, ahead=50)
    assert [row for row, _ in stream] == [0, 1, 2, 3, 4]


def test_an_error_of_the_source_comes_through() -> None:
    def rows() -> Iterator[tuple[int, int]]:
        yield 0, 0
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(load_ahead(rows(), lambda n: np.zeros(1), workers=2, ahead=4))


def test_nothing_to_load() -> None:
    assert list(load_ahead([], slow, workers=3, ahead=2)) == []


def test_other_errors_come_through_and_threads_end() -> None:
    before = threading.active_count()
    stream = load_ahead(((n, n) for n in range(100)), lambda n: 1 / (5 - n), workers=3, ahead=10)
    with pytest.raises(ZeroDivisionError):
        list(stream)
    assert threading.active_count() == before


@pytest.mark.slow
def test_processes_load_what_threads_do() -> None:
    with in_processes(slow, 2) as load:
        found = list(load_ahead(((n, n) for n in range(25)), load, workers=2, ahead=8))
    assert [row for row, _ in found] == list(range(25))
    for n, (_, result) in enumerate(found):
        if n % 10 == 3:
            assert isinstance(result, MediaError)
            assert (result.reason, str(result)) == ("truncated", f"item {n}")
        else:
            np.testing.assert_array_equal(result, np.full(3, n))


@pytest.mark.slow
def test_a_process_that_dies_is_told() -> None:
    with in_processes(die, 1) as load, pytest.raises(BiovitaError, match="one of 1 decoding processes ended"):
        list(load_ahead([(0, 0)], load, workers=1, ahead=2))


def die(item: int) -> np.ndarray:
    os._exit(1)


@pytest.mark.parametrize("depth", [1, 2])
def test_batches_are_encoded_in_order_while_the_next_is_gathered(depth: int) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def encode(batch: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002 * (batch % 3))
        with lock:
            running -= 1
        return batch * batch

    gathered = []
    results = list(encode_ahead((gathered.append(n) or n for n in range(20)), encode, depth=depth))
    assert results == [(n, n * n) for n in range(20)]
    assert most <= depth


def test_an_error_of_the_encoder_ends_the_run() -> None:
    with pytest.raises(ZeroDivisionError):
        list(encode_ahead(range(5), lambda n: 1 // (2 - n), depth=2))
