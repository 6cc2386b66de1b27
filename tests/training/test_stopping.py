"""Signals that end a run early: processes agree on the step, and validation is cut off and made later."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

import biovita.training.towers.validation as validation
from biovita.dataset import Dataset
from biovita.errors import StoppedError
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.train_towers import train_towers
from support.forked import finish, start
from support.tiny_training import read_log, write_tiny

SETTINGS = {
    "audio_model": "none",
    "pairs.at_most": 4,
    "pairs.at_least": 2,
    "phases.atc.epochs": 2,
    "phases.atc.batch_size": 3,
    "checkpoint_steps": 1000,
}


def _logged(out: Path) -> list[dict[str, Any]]:
    file = out / "log.jsonl"
    return (
        [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
        if file.is_file()
        else []
    )


def _start_two(command: list[object], said: Path) -> list[BaseProcess]:
    """Start two processes as torchrun does; what they say goes to ``said0`` and ``said1``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        start(command, said.with_name(f"said{rank}"), {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(2)
    ]


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_at_the_same_step(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    settings = {**SETTINGS, "model": towers, "validate_epochs": 0}
    outs = [tmp_path / "whole", tmp_path / "stopped"]
    for out, stops in ((outs[0], False), (outs[1], True), (outs[1], False)):
        command = ["train", "paper/stage1", "--data", dataset.path, "--out", out, "--device", "cpu"]
        processes = _start_two([*command, "--set", *(f"{k}={v}" for k, v in settings.items())], tmp_path / "said")
        if stops:
            began = time.monotonic()
            while not _logged(out) and time.monotonic() - began < 120:
                time.sleep(0.01)
            assert processes[1].pid is not None
            os.kill(processes[1].pid, signal.SIGTERM)
        codes = [finish(process) for process in processes]
        said = [(tmp_path / f"said{rank}").read_text() for rank in range(2)]
        assert codes == ([143, 143] if stops else [0, 0]), said
        if stops:
            made = len(_logged(out))
            assert f"stopped by SIGTERM after {made} steps" in said[0]
            assert "stopped by" not in said[1], "one process speaks"
            assert (out / "checkpoints" / f"step-{made:08d}").is_dir()
            assert not (out / "last").exists()
    files = [path / "last" / "model.safetensors" for path in outs]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
def test_a_signal_cuts_validation_off_and_it_is_made_later(
    towers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    settings = {**SETTINGS, "model": str(towers), "validate_epochs": 1, "phases.atc.batch_size": 6}
    chosen = recipe("paper/stage1", settings, TowersRecipe)

    def run(out: Path) -> list[dict[str, Any]]:
        train_towers(chosen, dataset, out, device="cpu", progress=False)
        return read_log(out)

    def slow(*_: Any, **__: Any) -> dict[str, dict[str, float]]:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
        pytest.fail("validation went on")

    whole = run(tmp_path / "whole")
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(validation, "validate", slow)
        with pytest.raises(StoppedError, match="stopped by SIGTERM after 2 steps") as stopped:
            run(tmp_path / "cut")
    assert stopped.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before, "signals do what they did before"
    log = run(tmp_path / "cut")
    assert [line["kind"] for line in log] == [line["kind"] for line in whole]
    scores = [[line.get("unseen") for line in lines] for lines in (log, whole)]
    assert scores[0] == scores[1]
    files = [tmp_path / name / "last" / "model.safetensors" for name in ("whole", "cut")]
    assert files[0].read_bytes() == files[1].read_bytes()
