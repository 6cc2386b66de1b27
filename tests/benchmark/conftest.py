from __future__ import annotations

import pytest

from biovita.dataset import Dataset, split_dataset
from support.bench_cases import write_small


@pytest.fixture
def small(tmp_path) -> Dataset:
    """A split dataset of 24 species, 8 of them unseen."""
    dataset = write_small(tmp_path / "small")
    split_dataset(dataset, unseen=8, seed=3, held_out=0.4)
    return dataset
