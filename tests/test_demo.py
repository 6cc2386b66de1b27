"""The whole path on the real sample: what it reaches, that it repeats itself, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biovita
import biovita.report.page
from biovita.benchmark import ScoreRow, benchmark_from_split, headline, score_benchmark
from biovita.dataset import Dataset
from biovita.demo import TEXT, DemoResult, demo
from biovita.embedding import vectors
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.model import Model
from biovita.model.formats.projections import aligned_model
from biovita.report.training import write_training_page
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.align import untrained
from biovita.training.projections.training_set import training_set
from biovita.training.run import run_recipe
from support.bench_cases import with_few_draws
from support.commands import run_command
from support.part_of_sample import copy_part
from support.short_demo import in_few_steps
from support.sound_files import song, write_sound

FOUR = ("A2I", "I2A", "I2T", "T2I")


def _rows(result: DemoResult) -> list[ScoreRow]:
    return [ScoreRow(**row) for row in json.loads(result.results.read_text())["scores"]]


def _times_chance(
    rows: Sequence[ScoreRow], stage: int, k: int, directions: tuple[str, ...] | None = None
) -> float:
    found = headline(rows, stage=stage, part="unseen", k=k, directions=directions)
    assert found is not None
    return found.times_chance


@pytest.fixture(scope="module")
def sample(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_part(shared_data / "field-sample", tmp_path_factory.mktemp("sample") / "field-sample")


@pytest.fixture(scope="module")
def runs(sample: Path, tmp_path_factory: pytest.TempPathFactory, a_tenth_of_the_names: None) -> list[DemoResult]:
    """Return the demo with seeds 0 and 1; the embeddings are made once."""
    out = tmp_path_factory.mktemp("demo")
    results = []
    with pytest.MonkeyPatch.context() as patch:
        with_few_draws(patch)
        for seed in range(2):
            result = demo(sample, out, seed=seed, progress=False)
            results.append(DemoResult(**{**vars(result), "results": out / f"results-{seed}.json"}))
            (out / "results.json").rename(out / f"results-{seed}.json")
            patch.setattr(biovita.report.page, "render", lambda *_: "")  # one page is enough
    return results


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_unseen_species_are_found_well_above_chance(runs: list[DemoResult]) -> None:
    rows = [_rows(run) for run in runs]
    assert np.mean([_times_chance(each, 2, 1) for each in rows]) >= 4
    assert np.mean([_times_chance(each, 2, 5) for each in rows]) >= 2.3
    for each in rows:
        assert _times_chance(each, 2, 1, FOUR) > _times_chance(each, 1, 1, FOUR)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_untrained_projections_are_at_chance(
    runs: list[DemoResult], starter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 40 draws of them: of one alone, Top-1 scatters by 0.4 times chance."""
    with_few_draws(monkeypatch)
    dataset = Dataset.open(runs[-1].out / "dataset")
    data = training_set(dataset, starter)
    benchmark = benchmark_from_split(dataset, seed=0, text=TEXT)
    asked = [task for task in benchmark.tasks if (task.part, task.level) == ("unseen", "species")]
    assert len(asked) == 6
    benchmark = replace(benchmark, tasks=tuple(asked))
    found = []
    for seed in range(40):
        chosen = recipe("starter/stage1", {"seed": seed}, FrozenRecipe)
        model = aligned_model("untrained", starter, untrained(data, chosen).projections)
        rows = score_benchmark(benchmark, {m: vectors(dataset, model, m) for m in Modality}).rows(0)
        found.append([_times_chance(rows, 0, k) for k in (1, 5)])
    first, fifth = np.mean(found, axis=0)
    assert 0.6 < first < 1.6
    assert 0.8 < fifth < 1.25


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_starter_recipe_leaves_a_page_and_what_made_the_model(runs: list[DemoResult], tmp_path: Path) -> None:
    dataset = Dataset.open(runs[-1].out / "dataset")
    first, second = tmp_path / "first", tmp_path / "second"
    run_recipe(
        recipe("starter/stage0", {"steps": 30}, FrozenRecipe),
        dataset,
        first,
        page=write_training_page,
        device="cpu",
        progress=False,
    )
    report = run_recipe(
        recipe("starter/stage1", {"steps": 30}),
        dataset,
        second,
        page=write_training_page,
        start=first,
        progress=False,
    )
    assert report.last_loss < report.first_loss
    record = json.loads((second / "config.json").read_text())["record"]
    assert record["start"] == str(first)
    assert record["recipe"]["steps"] == 30
    assert "git" in record
    page = (second / "report.html").read_text()
    assert all(f"<strong>{title}" in page for title in ("Loss", "Temperature"))
    assert "losses.jsonl beside this page" in page
    assert len((second / "losses.jsonl").read_text().splitlines()) == 30


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_six_directions_three_levels_both_parts(runs: list[DemoResult]) -> None:
    rows = _rows(runs[0])
    cells = {(row.part, row.direction, row.level) for row in rows}
    directions = ["A2T", "T2A", "A2I", "I2A", "I2T", "T2I"]
    levels = ["species", "genus", "family"]
    assert cells == {(p, d, level) for p in ("seen", "unseen") for d in directions for level in levels}
    assert {row.stage for row in rows} == {0, 1, 2}
    assert {row.k for row in rows} == {1, 5, 10}
    assert all(row.low <= row.accuracy <= row.high for row in rows)
    assert {row.taxa for row in rows if (row.part, row.level) == ("unseen", "species")} == {22}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_seed_gives_the_same_results(
    runs: list[DemoResult], sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In few steps: what is not fixed by the seed shows in the first."""
    in_few_steps(monkeypatch, 5)
    with_few_draws(monkeypatch)
    monkeypatch.setattr(biovita.report.page, "render", lambda *_: "")
    made = []
    for _ in range(2):
        again = demo(sample, runs[0].out, seed=0, progress=False)
        made.append((again.results.read_bytes(), (again.model / "model.safetensors").read_bytes()))
    assert made[0] == made[1]
    model = biovita.load_model(again.model, device="cpu")
    assert model.embed_texts(["Pica pica"]).shape == (1, 256)
    assert model.record["dataset"]["split"]["unseen_species"] == 22


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nowhere", "is not a folder"),
        (lambda folder: folder, "is empty. Give a folder that has recordings or photographs in it"),
    ],
)
def test_what_cannot_be_used_is_said_without_a_traceback(tmp_path: Path, make: Any, message: str) -> None:
    (tmp_path / "empty").mkdir()
    run = run_command("demo", "--out", tmp_path / "out", "--data", make(tmp_path / "empty"))
    assert run.code == 1
    assert message in run.err
    assert "Traceback" not in run.err
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_recordings_alone_are_refused_before_anything_is_encoded(tmp_path: Path) -> None:
    for seed, name in enumerate(("Parus major", "Great_Spotted_Woodpecker")):
        write_sound(tmp_path / "calls" / name / "a.wav", song(0.5, 8000, seed=seed), 8000)
    with pytest.raises(
        DatasetError, match="has no photographs, and the demo aligns recordings, photographs and names"
    ):
        demo(tmp_path / "calls", tmp_path / "out", progress=False)
    assert Dataset.open(tmp_path / "out" / "dataset").audio.num_rows == 2
