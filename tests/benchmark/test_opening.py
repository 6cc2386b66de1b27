"""The standard benchmark of a dataset, and where runs of both lie."""

from __future__ import annotations

from pathlib import Path

import pytest

import biovita
import biovita.report.page
from biovita.benchmark.opening import find_run, open_benchmark
from biovita.dataset import Dataset, split_dataset
from biovita.errors import BiovitaError
from support.bench_cases import with_few_draws, write_small


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Return a dataset of eight species, four held out, whose runs are soon made."""
    with_few_draws(monkeypatch)
    monkeypatch.setattr(biovita.report.page, "render", lambda *_: "")
    dataset = write_small(tmp_path / "birds", taxa=8, per_species=2)
    split_dataset(dataset, unseen=4, seed=0)
    return Dataset.open(dataset.path)


def test_runs_of_a_dataset_and_of_its_benchmark_lie_together(birds: Dataset) -> None:
    of_dataset = biovita.run_benchmark(birds.path, model="random:4", progress=False)
    standard = birds.path / "bench" / "standard"
    assert of_dataset.paths.report == standard / "runs" / "random-4" / "report.html"
    of_bench = biovita.run_benchmark(standard, model="random:8", progress=False)
    assert of_bench.paths.report == standard / "runs" / "random-8" / "report.html"
    compared = biovita.compare_runs(*(run.paths.report.parent for run in (of_dataset, of_bench)))
    assert compared.not_compared == {"random-8": ([], [])}
    assert not (birds.path / "runs").exists()
    built = biovita.build_benchmark(birds, overwrite=True)
    assert (built.path / "runs" / "random-4" / "report.html").is_file(), "runs are no part of what is replaced"


def test_a_dataset_gives_the_standard_benchmark_that_was_built(birds: Dataset) -> None:
    biovita.build_benchmark(birds, candidates=3)
    assert open_benchmark(birds).made["candidates"] == 3
    split_dataset(birds.path, unseen=3, seed=1)
    for place in (birds.path, Dataset.open(birds.path)):
        with pytest.raises(
            BiovitaError, match=r"earlier split of .*biovita bench build \S+ --overwrite \(its runs"
        ):
            open_benchmark(place)
    assert open_benchmark(birds.path / "bench" / "standard").made["candidates"] == 3
    biovita.build_benchmark(birds.path, overwrite=True)
    assert open_benchmark(birds.path).made["candidates"] == 100


def test_with_a_place_of_its_own_a_run_writes_nothing_into_the_dataset(birds: Dataset, tmp_path: Path) -> None:
    before = sorted(birds.path.rglob("*"))
    biovita.run_benchmark(birds, model="random:4", out=tmp_path / "r", progress=False)
    assert sorted(birds.path.rglob("*")) == before


def test_runs_are_found_where_earlier_versions_wrote_them_and_where_they_are_written_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "birds/runs", tmp_path / "birds/bench/standard/runs"
    (old / "a").mkdir(parents=True)
    (new / "b").mkdir(parents=True)
    for asked, found in (
        (old / "a", old / "a"),
        (new / "a", old / "a"),
        (old / "b", new / "b"),
        (new / "b", new / "b"),
    ):
        assert find_run(asked) == found
    for nowhere in (old / "c", tmp_path / "birds/b", tmp_path / "c"):
        assert find_run(nowhere) == nowhere
    monkeypatch.chdir(tmp_path / "birds")
    assert find_run("bench/standard/runs/a") == Path("runs/a")
    assert find_run("runs/b") == Path("bench/standard/runs/b")
