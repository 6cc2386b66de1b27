"""The page of a training run: how losses, weights, temperature and validation went, and what made them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from biovita.files import write_whole
from biovita.model.knowledge import Pull, in_words
from biovita.report.charts import LineChart, line_chart
from biovita.report.environment import environment
from biovita.training.log_lines import Line, StepLine, ValidationLine

__all__ = ["write_training_page"]

Value: TypeAlias = Callable[[StepLine], "float | None"]

TERMS = {
    "loss": "weighted sum",
    "atc": "sounds and names",
    "aic": "sounds and photos",
    "itc": "photos and names",
    "names": "classes and names",
}


def write_training_page(
    run: Path, lines: Sequence[Line], record: Mapping[str, Any], *, files: tuple[str, str], left_out: int = 0
) -> Path:
    """Write ``report.html`` into the directory of a run, and return its path.

    Parameters
    ----------
    lines
        Those of the run's log.
    record
        What made the run, as `biovita.training.run_record.RunRecord` has it.
    files
        Names of the log and of the file that holds the record.
    left_out
        How many training items could not be decoded.
    """
    steps = [line for line in lines if isinstance(line, StepLine)]
    checks = [line for line in lines if isinstance(line, ValidationLine)]
    phases = _phases(steps)
    page = (
        environment()
        .get_template("training.html")
        .render(
            record=record,
            steps=len(steps),
            phases=phases,
            charts=_charts(steps, checks, marks=[row.first for row in phases[1:]]),
            checks=[line for line in checks if line.parts],
            knows=_knows(record["recipe"]),
            files=files,
            left_out=left_out,
        )
    )
    write_whole(run / "report.html", page)
    return run / "report.html"


def _knows(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the model knows of taxa beside the words of a text."""
    return in_words(settings.get("text", {}).get("features", ()), Pull(**settings.get("pull", {})))


@dataclass(frozen=True, slots=True)
class _PhaseRow:
    """How one phase went: ``seconds`` is the median step, ``waiting`` the share of time that went into waiting."""

    name: str
    first: int
    steps: int
    epochs: int
    pairs: int
    seconds: float
    waiting: float


def _phases(steps: Sequence[StepLine]) -> list[_PhaseRow]:
    """Return a row for each phase; runs without a clock, those of projections, have none."""
    timed = [(line, line.seconds, line.waited or 0.0) for line in steps if line.seconds is not None]
    rows = []
    for name in dict.fromkeys(line.phase for line, _, _ in timed):
        mine = [each for each in timed if each[0].phase == name]
        worked, waited = sum(seconds for _, seconds, _ in mine), sum(waited for _, _, waited in mine)
        rows.append(
            _PhaseRow(
                name=name,
                first=mine[0][0].total,
                steps=len(mine),
                epochs=mine[-1][0].epoch + 1,
                pairs=sum(line.pairs for line, _, _ in mine),
                seconds=median(seconds for _, seconds, _ in mine),
                waiting=waited / ((waited + worked) or 1.0),
            )
        )
    return rows


def _charts(
    steps: Sequence[StepLine], checks: Sequence[ValidationLine], *, marks: Sequence[float]
) -> list[LineChart]:
    def over_steps(get: Value) -> list[tuple[float, float]]:
        found = [(line.total, get(line)) for line in steps]
        return [(total, value) for total, value in found if value is not None]

    losses = {label: over_steps(_loss(key)) for key, label in TERMS.items()}
    terms = {key: label for key, label in TERMS.items() if key != "loss"}
    weights = {label: over_steps(_weight(key)) for key, label in terms.items()}
    gates = [(line.total, line.gate) for line in steps if line.gate is not None]
    rates = {part: over_steps(_rate(part)) for part in _parts(steps)}
    validation = {
        f"{part} species": [
            (line.total, line.parts[part].top1 / line.parts[part].chance) for line in checks if part in line.parts
        ]
        for part in ("unseen", "seen")
    }
    drawn = [
        line_chart("Loss", losses, marks=marks),
        line_chart("Validation, Top-1 as times chance", validation, marks=marks, zero=True),
        line_chart("Weights of the terms", weights, marks=marks, zero=True),
        line_chart("Temperature", {"temperature": over_steps(lambda line: line.temperature)}, marks=marks),
        line_chart(
            "Gate of the photographs",
            {
                "running mean of sounds and names": [(total, gate.average) for total, gate in gates],
                "open": [(total, float(gate.open)) for total, gate in gates],
            },
            zero=True,
        ),
        line_chart("Learning rates", rates, marks=marks, zero=True),
        line_chart("Norm of the gradient", {"norm": over_steps(lambda line: line.gradient_norm)}, marks=marks),
        line_chart(
            "Seconds a step",
            {
                "computing": over_steps(lambda line: line.seconds),
                "waiting for data": over_steps(lambda line: line.waited),
            },
            marks=marks,
            zero=True,
        ),
    ]
    return [chart for chart in drawn if chart is not None]


def _loss(key: str) -> Value:
    return lambda line: line.losses.get(key)


def _weight(key: str) -> Value:
    return lambda line: line.weights.get(key)


def _rate(part: str) -> Value:
    return lambda line: line.learning_rates.get(part)


def _parts(steps: Sequence[StepLine]) -> list[str]:
    return list(dict.fromkeys(part for line in steps for part in line.learning_rates))
