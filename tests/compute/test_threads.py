from __future__ import annotations

import numpy as np
import pytest
import torch

from biovita.compute.threads import PartsInThreads


def test_parts_come_back_in_order_each_on_one_thread() -> None:
    before = torch.get_num_threads()
    threads = []

    def run(part: int) -> np.ndarray:
        threads.append(torch.get_num_threads())
        return np.full(2, part)

    found = PartsInThreads().map(run, range(20))
    np.testing.assert_array_equal(found, np.repeat(np.arange(20), 2))
    assert set(threads) == {1}
    assert torch.get_num_threads() == before


def test_torchs_own_number_of_threads_returns_after_an_error() -> None:
    before = torch.get_num_threads()

    def run(part: int) -> np.ndarray:
        raise ValueError("broken part")

    with pytest.raises(ValueError, match="broken part"):
        PartsInThreads().map(run, [1, 2])
    assert torch.get_num_threads() == before
