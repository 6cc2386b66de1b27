"""What training refuses before it opens a model, and the demo before it makes anything."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

import biovita
import biovita.demo as demo_module
from biovita.benchmark.from_split import benchmark_from_split
from biovita.dataset import Dataset
from biovita.dataset.split import require_split, split_dataset
from biovita.errors import DatasetError
from biovita.sources.folder import import_folder
from support.commands import run_command
from support.folders import make_folder


@pytest.fixture
def unsplit(tmp_path: Path) -> Path:
    import_folder(make_folder(tmp_path / "src", 4), out=tmp_path / "birds", progress=False)
    return tmp_path / "birds"


def test_a_dataset_that_has_not_been_split(unsplit: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"birds has not been split\. Run, .*: biovita data split .* --unseen N$"
    ):
        require_split(Dataset.open(unsplit))
    split_dataset(unsplit, unseen=1)
    require_split(Dataset.open(unsplit))


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["starter/names", "starter/stage1", "paper/stage1"])
def test_training_needs_a_split_before_it_opens_a_model(
    unsplit: Path, recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import biovita.training.projections.train_projections as frozen
    import biovita.training.towers.train_towers as towers

    opened: list[str] = []
    monkeypatch.setattr(frozen, "load_model", lambda *_, **__: opened.append("frozen"))
    monkeypatch.setattr(towers, "_trainer", lambda *_, **__: opened.append("towers"))
    with pytest.raises(DatasetError, match="has not been split"):
        biovita.train(recipe, data=unsplit, out=unsplit.parent / "model")
    assert opened == []
    assert not (unsplit.parent / "model").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"text": "foo"}, "unknown text 'foo'"),
        ({"unseen": -1}, "cannot be negative"),
        ({"unseen": 60}, "the simulated fauna has 60 species. Hold out fewer"),
    ],
)
def test_the_demo_checks_its_options_first(
    options: dict[str, object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "_dataset", lambda *_, **__: pytest.fail("something was made"))
    with pytest.raises(DatasetError, match=says):
        demo_module.demo(None, tmp_path / "out", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_demo_knows_the_texts_of_benchmarks(unsplit: Path) -> None:
    assert run_command("demo", "--text", "foo").code == 2
    split_dataset(unsplit, unseen=1)
    with pytest.raises(DatasetError, match="unknown text 'foo'") as caught:
        benchmark_from_split(Dataset.open(unsplit), text="foo")
    known = str(caught.value).partition("Known: ")[2].split(", ")
    assert set(known) == set(get_args(demo_module.Text))


def test_a_dataset_is_called_after_its_place(unsplit: Path) -> None:
    assert Dataset.open(unsplit).info["name"] == "birds"
