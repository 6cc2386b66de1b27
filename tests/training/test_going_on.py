"""Runs that were stopped, killed or damaged, and that the same command goes on with."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.training import TowersRecipe
from support.forked import finish, start
from support.small_runs import STAGE2, losses, run_tiny, tiny_recipe
from support.tiny_training import read_log


@pytest.mark.slow
def test_a_stopped_run_ends_as_one_that_was_not(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path
) -> None:
    chosen = tiny_recipe(2, towers, checkpoint_steps=3)
    for steps in (2, 5, 7):
        run_tiny(chosen, dataset, tmp_path / "parts", start=towers, stop_after=steps)
    parts = run_tiny(chosen, dataset, tmp_path / "parts", start=towers)
    assert losses(parts) == losses(read_log(whole))
    files = [path / "last" / "model.safetensors" for path in (whole, tmp_path / "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_named(
    towers: Path, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = tiny_recipe(1, towers, checkpoint_steps=1)
    whole = run_tiny(chosen, dataset, tmp_path / "whole")
    run_tiny(chosen, dataset, tmp_path / "run", stop_after=2)
    run_tiny(chosen, dataset, tmp_path / "run", stop_after=3)
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    log = run_tiny(chosen, dataset, tmp_path / "run")
    assert (
        f"{newest} is damaged and is not used: weights.safetensors has changed since it was written" in caplog.text
    )
    assert losses(log) == losses(whole)


@pytest.mark.slow
def test_a_changed_state_is_a_damaged_checkpoint_and_does_not_stay(
    towers: Path, dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = tiny_recipe(1, towers, checkpoint_steps=1, **{"phases.atc.epochs": 2})
    checkpoints = tmp_path / "run" / "checkpoints"
    run_tiny(
        chosen, dataset, tmp_path / "run", stop_after=5
    )  # the checkpoint of step 5 comes after the step that ends it
    names = sorted(path.name for path in checkpoints.iterdir())
    assert names == ["step-00000003", "step-00000004"]
    (checkpoints / ".step-00000005.0a").mkdir()
    state = checkpoints / names[1] / "state.json"
    state.write_text(state.read_text().replace('"step": 4', '"step": 5'))
    run_tiny(chosen, dataset, tmp_path / "run", stop_after=4)
    assert (
        f"{checkpoints / names[1]} is damaged and is not used: state.json has changed since it was written"
        in caplog.text
    )
    run_tiny(chosen, dataset, tmp_path / "run", stop_after=5)
    assert sorted(path.name for path in checkpoints.iterdir()) == names, "written anew, and nothing else is left"
    assert json.loads(state.read_text())["state"]["step"] == 4


@pytest.mark.slow
def test_another_recipe_or_number_of_processes_does_not_continue_a_run(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    run_tiny(tiny_recipe(1, towers), dataset, tmp_path / "run", stop_after=1)
    with pytest.raises(DatasetError, match="holds a run with another recipe"):
        run_tiny(tiny_recipe(1, towers, seed=5), dataset, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["processes"] == 1
    (tmp_path / "run" / "run.json").write_text(json.dumps({**record, "processes": 4}))
    with pytest.raises(DatasetError, match=r"a run of 4 processes.* torchrun --nproc-per-node 4"):
        run_tiny(tiny_recipe(1, towers), dataset, tmp_path / "run")


def _command(chosen: TowersRecipe, dataset: Dataset, towers: Path, out: Path, **changes: int) -> list[object]:
    settings = {**STAGE2, "model": towers, "checkpoint_steps": 2, **changes}
    command = ["train", chosen.name, "--data", dataset.path, "--out", out, "--start", towers, "--device", "cpu"]
    return [*command, "--set", *(f"{key}={value}" for key, value in settings.items())]


def _lines(out: Path) -> int:
    log = out / "log.jsonl"
    return log.read_text().count("\n") if log.is_file() else 0


@pytest.mark.slow
def test_the_same_command_after_kill_9_ends_with_the_same_weights(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path
) -> None:
    out, said = tmp_path / "killed", tmp_path / "said"
    command = _command(tiny_recipe(2, towers), dataset, towers, out)
    process = start(command, said)
    began = time.monotonic()
    while _lines(out) < 6 and process.is_alive() and time.monotonic() - began < 120:
        time.sleep(0.01)
    assert process.is_alive(), said.read_text()
    process.kill()
    assert finish(process) == -signal.SIGKILL
    assert not (out / "last").exists()
    assert finish(start(command, said)) == 0, said.read_text()
    files = [path / "last" / "model.safetensors" for path in (whole, out)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert _lines(out) == _lines(whole)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_checkpoint_and_the_same_command_goes_on(
    towers: Path, dataset: Dataset, whole: Path, tmp_path: Path, number: int, code: int
) -> None:
    out, said = tmp_path / "stopped", tmp_path / "said"
    command = _command(tiny_recipe(2, towers), dataset, towers, out, checkpoint_steps=1000)
    process = start(command, said)
    began = time.monotonic()
    while _lines(out) < 3 and process.is_alive() and time.monotonic() - began < 120:
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, number)
    assert finish(process) == code, said.read_text()
    assert f"stopped by {number.name} after" in said.read_text()
    assert list((out / "checkpoints").iterdir())
    assert not (out / "last").exists()
    assert finish(start(command, said)) == 0, said.read_text()
    files = [path / "last" / "model.safetensors" for path in (whole, out)]
    assert files[0].read_bytes() == files[1].read_bytes()
    steps = [line for line in (out / "log.jsonl").read_text().splitlines() if '"kind": "step"' in line]
    assert len({json.loads(line)["total"] for line in steps}) == len(steps)
    assert _lines(out) == _lines(whole)
