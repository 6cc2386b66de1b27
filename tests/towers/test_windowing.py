"""Windows of held recordings, of recordings read by blocks, and how many there are: three ways to one answer."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biovita.towers.encoder import Windowing
from biovita.towers.long_recordings import cut_windows, held_windows


@given(
    length=st.integers(1, 300),
    size=st.integers(1, 40),
    hop=st.integers(1, 40),
    shortest=st.integers(1, 40),
    block=st.integers(1, 50),
)
def test_they_agree(length: int, size: int, hop: int, shortest: int, block: int) -> None:
    hop, shortest = min(hop, size), min(shortest, size)
    samples = np.arange(1, length + 1, dtype=np.float32)
    blocks = [samples[at : at + block] for at in range(0, length, block)]
    held = held_windows(samples, size, hop, shortest)
    np.testing.assert_array_equal(np.concatenate(list(cut_windows(blocks, size, hop, shortest))), held)
    rate = 48_000
    cut = Windowing(size / rate, hop / rate, shortest / rate)
    assert cut.count(length / rate) == len(held)


def test_nothing_is_lost_between_windows() -> None:
    samples = np.arange(1, 101, dtype=np.float32)
    for hop in (3, 5, 10):
        assert set(held_windows(samples, 10, hop).ravel()) >= set(samples)
