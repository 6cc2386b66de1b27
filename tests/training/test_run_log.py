from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from biovita.report.training import write_training_page
from biovita.training.log_lines import GateLine, PartScores, StepLine, ValidationLine, as_json, read_line
from biovita.training.towers.run_log import RunLog, scalars


def _step(total: int) -> StepLine:
    return StepLine(
        phase="full",
        epoch=total // 4,
        step=total,
        total=total,
        losses={"loss": 2.0 - total / 10, "atc": 1.5},
        temperature=0.07,
        weights={"atc": 1.0, "aic": 0.1, "itc": 0.0},
        learning_rates={"adapter": 1e-4} | ({"audio_top": 1e-5} if total > 2 else {}),
        gate=GateLine(total > 2, 1.0) if total else None,
        gradient_norm=3.0,
        pairs=6,
        seconds=0.5,
        waited=0.1,
    )


def _validation(total: int) -> ValidationLine:
    return ValidationLine("full", 1, total, {"unseen": PartScores(0.25, 0.5, 0.1)})


def test_the_lines_of_the_file_are_flat_and_in_a_fixed_order() -> None:
    step = {
        "kind": "step",
        "phase": "full",
        "epoch": 0,
        "step": 3,
        "total": 3,
        "loss": 1.7,
        "atc": 1.5,
        "weights": {"atc": 1.0, "aic": 0.1, "itc": 0.0},
        "learning_rates": {"adapter": 1e-4, "audio_top": 1e-5},
        "temperature": 0.07,
        "gate": {"open": True, "average": 1.0},
        "gradient_norm": None,
        "loss_scale": 32768.0,
        "pairs": 6,
        "seconds": 0.5,
        "waited": 0.1,
    }
    line = replace(_step(3), gradient_norm=None, loss_scale=32768.0)
    assert json.dumps(as_json(line)) == json.dumps(step)
    assert read_line(json.dumps(step).encode()) == line
    found = {"top1": 0.25, "top5": 0.5, "chance": 0.1}
    validation = {"kind": "validation", "phase": "full", "epoch": 1, "total": 6, "unseen": found}
    assert json.dumps(as_json(_validation(6))) == json.dumps(validation)
    assert read_line(json.dumps(validation).encode()) == _validation(6)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "other"},
        {"kind": []},
        {"total": "3"},
        {"loss": "x"},
        {"loss": None},
        {"weights": 7},
        {"gate": {"open": True}},
        {"pairs": 1.5},
        {"seconds": None},
        {"gradient_norm": "x"},
    ],
)
def test_a_line_that_no_run_writes_is_none(changes: dict[str, object]) -> None:
    assert read_line(json.dumps({**as_json(_step(3)), **changes}).encode()) is None


def test_a_validation_without_chance_is_none() -> None:
    line = as_json(_validation(6))
    for part in (7, {"top1": 1.0, "top5": 1.0}, {"top1": 1.0, "top5": 1.0, "chance": 0.0}):
        assert read_line(json.dumps({**line, "unseen": part}).encode()) is None


@pytest.fixture
def run(tmp_path: Path) -> Path:
    record = {
        "recipe": {"name": "paper/stage2", "seed": 3, "model": "towers"},
        "start": None,
        "versions": {"torch": "2"},
    }
    dataset = {"name": "fens & <woods>", "version": "1"}
    (tmp_path / "run.json").write_text(json.dumps({**record, "dataset": dataset, "git": None}))
    return tmp_path


def _points(run: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    found.Reload()
    return {name: [(p.step, p.value) for p in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_a_run_taken_up_again_has_each_line_once_in_the_file_and_in_tensorboard(run: Path) -> None:
    log = RunLog(run, writes=True, page=write_training_page)
    log.begin(0)
    log.rewrite()
    for total in range(6):
        log.write(_step(total))
    log.write(_validation(6))
    log.publish()
    again = RunLog(run, writes=True, page=write_training_page)
    again.begin(4)  # the checkpoint lay after four steps
    again.rewrite()
    for total in range(4, 6):
        again.write(_step(total))
    again.write(_validation(6))
    again.publish()
    expected = [*map(_step, range(6)), _validation(6)]
    assert [read_line(line) for line in (run / "log.jsonl").read_bytes().splitlines()] == expected == again.lines
    points = _points(run)
    assert points["loss/loss"] == [(total, pytest.approx(2 - total / 10)) for total in range(6)]
    assert points["validation/unseen/top1"] == [(6, 0.25)]
    assert points["learning_rate/audio_top"] == [(total, pytest.approx(1e-5)) for total in (3, 4, 5)]
    assert points["gate/open"] == [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]
    assert set(points) == set().union(*map(scalars, expected))


@pytest.mark.parametrize("after", ["weights", "gate"])
def test_a_line_cut_in_the_middle_is_left_out(run: Path, after: str) -> None:
    line = json.dumps(as_json(_step(1)))
    cut = line[: line.index("}", line.index(after)) + 1]
    assert cut != line
    (run / "log.jsonl").write_text(json.dumps(as_json(_step(0))) + "\n" + cut)
    log = RunLog(run, writes=False)
    log.begin(2)
    assert log.lines == [_step(0)]


def test_the_page_shows_every_chart_and_what_made_the_run(run: Path) -> None:
    log = RunLog(run, writes=True, page=write_training_page)
    log.begin(0)
    log.rewrite()
    for total in range(6):
        log.write(_step(total))
    log.write(_validation(6))
    log.publish()
    page = (run / "report.html").read_text()
    for title in (
        "Loss",
        "Validation",
        "Weights of the terms",
        "Temperature",
        "Gate",
        "Learning rates",
        "Norm",
        "Seconds",
    ):
        assert f"<strong>{title}" in page
    assert "paper/stage2 on fens &amp; &lt;woods&gt;" in page
    assert "audio_top 1e-05" in page
    assert "25.0" in page  # Top-1 in percent
    assert "16.7 %" in page  # 0.1 s of 0.6 s waited
    assert "http" not in page.replace("http-equiv", "", 1)


def test_a_page_can_be_written_before_the_first_step(run: Path) -> None:
    log = RunLog(run, writes=True, page=write_training_page)
    log.begin(0)
    log.rewrite()
    log.publish()
    assert ">0 steps." in (run / "report.html").read_text()
