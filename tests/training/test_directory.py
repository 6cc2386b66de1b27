"""Whose the directory of a run is, and who may write there."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from biovita.errors import DatasetError
from biovita.training.directory import ResumableRecord, alone, begin, hash_of_weights, is_fresh

RECIPE: dict[str, Any] = {"seed": 0, "compiled": False, "phases": {"atc": {"epochs": 3}}}
RUN = ResumableRecord(
    recipe=RECIPE,
    start="one/last",
    dataset={"name": "tiny"},
    versions={"torch": "2"},
    git=None,
    start_sha256="abc",
    processes=1,
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    place = tmp_path / "run"
    with alone(place):
        begin(place, RUN)
    return place


def test_a_run_begins_where_there_is_nothing_and_goes_on_where_it_is(tmp_path: Path, out: Path) -> None:
    assert is_fresh(tmp_path / "new", RUN, needed=(), overwrite=False)
    assert not (tmp_path / "new").exists()
    assert not is_fresh(out, RUN, needed=(), overwrite=False)
    assert json.loads((out / "run.json").read_text()) == RUN.as_json()
    free = replace(RUN, recipe={**RECIPE, "compiled": True, "undecodable": 0.5})
    assert not is_fresh(out, free, needed=(), overwrite=False), "compiled or not, it is the same run"
    assert is_fresh(out, replace(RUN, processes=2), needed=(), overwrite=True)


def test_a_run_that_was_begun_before_texts_could_have_features_goes_on(out: Path) -> None:
    plain, known = (
        replace(RUN, recipe={**RECIPE, "text": {"features": features, "hidden": 0.0}})
        for features in ([], ["lineage"])
    )
    assert not is_fresh(out, plain, needed=(), overwrite=False)
    with pytest.raises(DatasetError, match=r"another recipe \(text\.features: \[\] there, \['lineage'\] now\)"):
        is_fresh(out, known, needed=(), overwrite=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": {**RECIPE, "seed": 4}}, r"another recipe \(seed: 0 there, 4 now\)"),
        (
            {"recipe": {**RECIPE, "phases": {"atc": {"epochs": 5}}}},
            r"\(phases\.atc\.epochs: 3 there, 5 now\)",
        ),
        ({"dataset": {"name": "other"}, "start": "two/last"}, "another dataset and start"),
        ({"start_sha256": "abd"}, "another start, whose weights have changed since"),
        ({"processes": 2}, "a run of 1 processes.*there are 2 now.*--nproc-per-node 1"),
    ],
)
def test_another_run_is_refused_and_what_differs_is_named(
    out: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        is_fresh(out, replace(RUN, **changes), needed=(), overwrite=False)


def test_what_is_no_run_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DatasetError, match="already exists and holds no run"):
            is_fresh(tmp_path / "notes", RUN, needed=(), overwrite=overwrite)
    with pytest.raises(DatasetError, match=r"a\.txt is not a directory"):
        is_fresh(tmp_path / "notes" / "a.txt" / "run", RUN, needed=(), overwrite=True)


def test_overwriting_does_not_remove_what_the_run_needs(out: Path) -> None:
    (out / "last").mkdir()
    with pytest.raises(DatasetError, match=r"would remove .*last, which this run needs"):
        is_fresh(out, RUN, needed=(None, out / "last"), overwrite=True)


def test_a_damaged_record_is_named(out: Path) -> None:
    (out / "run.json").write_text('{"recipe": ')
    with pytest.raises(DatasetError, match=r"run\.json is damaged"):
        is_fresh(out, RUN, needed=(), overwrite=False)


def test_a_second_process_is_kept_out_and_a_killed_one_is_not_in_the_way(out: Path) -> None:
    code = "import sys, time; from pathlib import Path; from biovita.training.directory import alone\n"
    code += "with alone(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with pytest.raises(DatasetError, match="another process is training there"), alone(out):
        pass
    other.kill()
    other.wait()
    (out / ".best.1a2b").mkdir()
    (out / "best").mkdir()
    with alone(out):
        assert [path.name for path in out.iterdir() if path.is_dir()] == ["best"], "what was cut off is removed"


def test_the_hash_is_of_all_weights_of_a_model(tmp_path: Path) -> None:
    for name in ("open_clip_pytorch_model.bin", "clap_weights.pth", "README.md"):
        (tmp_path / name).write_text(name)
    first = hash_of_weights(tmp_path)
    (tmp_path / "README.md").write_text("new")
    assert hash_of_weights(tmp_path) == first
    (tmp_path / "clap_weights.pth").write_text("other")
    assert hash_of_weights(tmp_path) != first
