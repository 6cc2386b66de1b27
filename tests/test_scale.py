"""What `benchmarks/scale.py` measures runs as its commands are now, and its table says what was measured."""

from __future__ import annotations

import importlib
import math
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from biovita import Dataset, vectors
from biovita.model.lookup import FORMATS, KNOWN
from support.bench_cases import with_few_draws
from support.commands import run_command

ITEMS = 300


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    for known in (FORMATS, KNOWN):
        monkeypatch.setitem(known, "scale-stub", None)  # which is taken out again
    return importlib.import_module("scale")


@pytest.mark.slow
def test_every_stage_runs(scale: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_few_draws(monkeypatch)
    monkeypatch.setattr(
        "biovita.benchmark.evaluation.score_traits_of_benchmark", lambda *_, **__: ()
    )  # for its time
    monkeypatch.setattr(scale, "NO_CLASSES", (*scale.NO_CLASSES, "--set", "steps=2"))
    place = scale.Place(tmp_path, ITEMS)
    scale.scale_data.make(place.data, ITEMS, dim=16, new=0.1)
    model = scale.scale_model.register(place.data)
    for stage, does in scale.STAGES.items():
        if stage == "make":
            continue
        if stage == "run-tenth":  # a run takes seconds, and its command has been tried
            shutil.copytree(place.folder / "run-data-stage2", place.folder / "run-tenth-stage2")
            continue
        arguments = does(place)
        if arguments is not None:
            done = run_command(*arguments)
            assert done.code == (stage in scale.FIND_PROBLEMS), (stage, done.err)
        if stage.startswith("embed"):  # no text is new
            assert done.out.count(" 0 new") == (1 if stage == "embed-new" else 3)
    whole, tenth = (Dataset.open(each) for each in (place.data, place.tenth))
    assert whole.audio.num_rows + whole.images.num_rows == ITEMS
    assert 0 < _trained(tenth) <= math.ceil(_trained(whole) / 10) + 1
    found = vectors(place.data, model, "image", space="tower", compute=False)
    np.testing.assert_allclose(np.linalg.norm(found.array, axis=1), 1, atol=1e-3)
    assert len(found) == whole.images.num_rows


def _trained(dataset: Dataset) -> int:
    return sum(table["split"].to_pylist().count("train") for table in (dataset.audio, dataset.images))


@pytest.mark.filterwarnings("ignore:lance is not fork-safe")  # the stages here do not use it
def test_a_stage_is_measured_in_a_process_of_its_own(scale: ModuleType, tmp_path: Path) -> None:
    def write(place: object) -> None:
        (tmp_path / "here").write_bytes(bytes(8_000_000))
        np.ones(12_500_000).sum()  # 100 MB

    def fail(place: object) -> None:
        raise ValueError("why it fails")

    scale.STAGES |= {"make": write}
    row = scale.measure("make", scale.Place(tmp_path, 100), 8, 1)
    assert (row.stage, row.items, row.failed) == ("make", 100, "")
    assert 8e6 <= row.disk_bytes < 9e6
    assert row.peak_bytes > 0.1e9
    assert 0 < row.seconds < 60
    scale.STAGES |= {"make": fail}
    assert scale.measure("make", scale.Place(tmp_path, 100), 8, 1).failed == "exit 1: ValueError: why it fails"


def test_the_table_says_what_was_measured_and_what_does_not_hold(scale: ModuleType) -> None:
    def row(stage: str, items: int, seconds: float, **more: object) -> object:
        return scale.Row(
            **{"stage": stage, "items": items, "seconds": seconds, "peak_bytes": 10**9, "disk_bytes": 0, **more}
        )

    rows = [
        row("open", 10**4, 1.0),
        row("open", 10**5, 100.0),  # below 10^5 what is fixed may count
        row("open", 10**6, 1000.0),
        row("split", 10**5, 10.0),
        row("split", 10**6, 200.0, peak_bytes=9 * 10**9),
        row("run", 10**6, 3.0, disk_bytes=41 * 10**9, failed="exit 1: there is no model"),
    ]
    assert scale.table(rows).splitlines() == [
        "| stage | 10,000 | 100,000 | 1,000,000 | exponents |",
        "| --- | --- | --- | --- | --- |",
        "| open | 1.0 s, 1.00 GB, 0.00 GB | 100.0 s, 1.00 GB, 0.00 GB | 1,000.0 s, 1.00 GB, 0.00 GB | 2.00, 1.00 |",
        "| split | not measured | 10.0 s, 1.00 GB, 0.00 GB | 200.0 s, 9.00 GB, 0.00 GB | -, 1.30 |",
        "| run | not measured | not measured | 3.0 s, 1.00 GB, 41.00 GB; exit 1: there is no model | -, - |",
    ]
    assert scale.breaks(rows) == [
        "run at 1,000,000: exit 1: there is no model",
        "split at 1,000,000 takes 9.0 GB of memory",
        "all stages at 1,000,000 take 41 GB of disk",
        "split from 100,000 to 1,000,000 grows with the exponent 1.30",
    ]
