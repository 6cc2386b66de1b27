"""Small towers and a small dataset that the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.dataset import Dataset
from support.small_runs import run_tiny, tiny_recipe, without_chance
from support.tiny_training import write_tiny, write_towers


@pytest.fixture(scope="session")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_towers(tmp_path_factory.mktemp("towers") / "small")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_tiny(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="session")
def whole(towers: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run through both phases of stage 2 that nothing stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    run_tiny(tiny_recipe(2, towers), dataset, out, start=towers)
    return out


@pytest.fixture(scope="session")
def plain(towers: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without chance: in one process, in single precision, with whole batches, not compiled."""
    out = tmp_path_factory.mktemp("plain") / "run"
    with pytest.MonkeyPatch.context() as patch:
        without_chance(patch.setattr)
        run_tiny(tiny_recipe(2, towers), dataset, out, start=towers)
    return out
