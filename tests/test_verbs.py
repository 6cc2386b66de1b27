"""What the public functions do beside calling a room: open what is meant, choose places, write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import biovita
from biovita.training.recipes import recipe
from support.bench_cases import write_small
from support.published_layouts import make, write_published


@pytest.fixture
def birds(tmp_path: Path) -> biovita.Dataset:
    made = write_small(tmp_path / "birds", taxa=8, per_species=2)
    rng = np.random.default_rng(0)
    for row in made.audio.to_pylist():
        soundfile.write(made.path / row["path"], 0.1 * rng.normal(size=8000), 8000)
    for row in made.images.to_pylist():
        Image.new("RGB", (8, 8), tuple(rng.integers(0, 255, 3).tolist())).save(made.path / row["path"])
    biovita.split_dataset(made, unseen=4)
    return made


def test_a_dataset_is_taken_by_its_directory_or_open(birds: biovita.Dataset) -> None:
    report = biovita.split_dataset(str(birds.path), unseen=3, by="genus")
    opened = biovita.Dataset.open(birds.path)
    assert opened.info["split"] == report.as_toml()
    assert biovita.Dataset.open(opened) is opened
    with pytest.raises(biovita.DatasetError, match="unknown by 'order'"):
        biovita.split_dataset(opened, unseen=3, by="order")  # type: ignore[arg-type]


@pytest.mark.slow
def test_from_a_dataset_to_a_comparison(birds: biovita.Dataset, tmp_path: Path) -> None:
    built = biovita.build_benchmark(birds, candidates=3)
    assert built.path == birds.path / "bench" / "standard"
    assert built.left_out == built.benchmark.left_out
    assert built.copied_from_outside == 0
    runs = [biovita.run_benchmark(built.path, model=f"random:{dim}", progress=False) for dim in (4, 8)]
    of_dataset = biovita.run_benchmark(birds, model="random:4", out=tmp_path / "random-4", progress=False)
    assert runs[0].paths.report == built.path / "runs" / "random-4" / "report.html"
    for run in (*runs, of_dataset):
        assert run.generalised == ()
        assert all(file.is_file() for file in vars(run.paths).values() if file is not None)
        assert len(json.loads(run.paths.results.read_text())["scores"]) == len(run.rows)
    places = [run.paths.report.parent for run in runs]
    comparison = biovita.compare_runs(*places, out=tmp_path / "compared")
    assert (comparison.first, list(comparison.compared)) == ("random-4", ["random-8"])
    assert comparison.page is not None
    assert comparison.page.is_file()
    again = biovita.compare_runs(places[0], places[0].parent / "random-4")
    assert again.first == str(places[0]), "two of one name are told by their paths"
    assert (again.page, again.table) == (None, None)


def test_a_place_for_media_is_refused_where_a_dataset_states_it(birds: biovita.Dataset, tmp_path: Path) -> None:
    for bench in (birds, birds.path):
        with pytest.raises(
            biovita.BiovitaError, match=r"birds is a dataset.*Leave media_root \(--media-root\) out"
        ):
            biovita.run_benchmark(bench, model="random:4", media_root=tmp_path, progress=False)
    assert not (birds.path / "runs").exists()


def test_a_recipe_is_named_with_settings_or_given_as_it_is(birds: biovita.Dataset, tmp_path: Path) -> None:
    with pytest.raises(biovita.BiovitaError, match="change the recipe itself"):
        biovita.train(recipe("starter/stage1"), data=birds, out=tmp_path / "out", settings={"steps": 2})
    with pytest.raises(biovita.ModelError, match="goes on from a stage 1"):
        biovita.train(recipe("starter/stage2"), data=birds, out=tmp_path / "out")
    with pytest.raises(biovita.BiovitaError, match="Did you mean 'steps'"):
        biovita.train("starter/stage1", data=birds, out=tmp_path / "out", settings={"step": 2})
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_model_is_saved_by_name_or_open(tmp_path: Path) -> None:
    place = write_published(make(), tmp_path / "BioVITA")
    named = biovita.save_model(place, out=tmp_path / "named")
    opened = biovita.save_model(biovita.load_model(place, device="cpu"), out=tmp_path / "opened")
    assert biovita.describe(named).revision == biovita.describe(opened).revision
    with pytest.raises(biovita.ModelError, match=r"window would be lost\. Choose the layout own"):
        biovita.save_model(place, out=tmp_path / "heard", window="all")
    with pytest.raises(biovita.DatasetError, match="already exists"):
        biovita.save_model(place, out=named)
