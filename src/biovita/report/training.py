"""The page of a training run: how losses, weights, temperature and validation went, and what made them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from biovita.files import write_whole
from biovita.report.charts import LineChart, line_chart
from biovita.report.environment import environment

__all__ = ["write_training_page"]

Line = Mapping[str, Any]

TERMS = {
    "loss": "weighted sum",
    "atc": "sounds and names",
    "aic": "sounds and photos",
    "itc": "photos and names",
    "names": "classes and names",
}


def write_training_page(
    run: Path, lines: Sequence[Line], record: Line, *, files: tuple[str, str], left_out: int = 0
) -> Path:
    """Write ``report.html`` into the directory of a run, and return its path.

    Parameters
    ----------
    lines
        Those of the run's log: of ``kind`` step with ``phase``, ``total`` and losses, and of ``kind`` validation.
    record
        What made the run, as `biovita.training.towers.run_record.record_of` has it.
    files
        Names of the log and of the file that holds the record.
    left_out
        How many training items could not be decoded.
    """
    steps = [line for line in lines if line["kind"] == "step"]
    checks = [line for line in lines if line["kind"] == "validation"]
    phases = _phases(steps)
    page = (
        environment()
        .get_template("training.html")
        .render(
            record=record,
            steps=len(steps),
            phases=phases,
            charts=_charts(steps, checks, marks=[row["first"] for row in phases[1:]]),
            checks=[line for line in checks if "seen" in line or "unseen" in line],
            settings=json.dumps(record["recipe"], indent=2),
            files=files,
            left_out=left_out,
        )
    )
    write_whole(run / "report.html", page)
    return run / "report.html"


def _phases(steps: Sequence[Line]) -> list[dict[str, Any]]:
    """Return a row a phase: its steps, the seconds of one, and the share of them that went into waiting for data.

    Runs without a clock, those of projections, have no rows.
    """
    rows = []
    for name in dict.fromkeys(line["phase"] for line in steps if "seconds" in line):
        mine = [line for line in steps if line["phase"] == name]
        waited, worked = (sum(line[key] for line in mine) for key in ("waited", "seconds"))
        rows.append(
            {
                "name": name,
                "first": mine[0]["total"],
                "steps": len(mine),
                "epochs": mine[-1]["epoch"] + 1,
                "pairs": sum(line["pairs"] for line in mine),
                "seconds": median(line["seconds"] for line in mine),
                "waiting": waited / ((waited + worked) or 1.0),
            }
        )
    return rows


def _charts(steps: Sequence[Line], checks: Sequence[Line], *, marks: Sequence[float]) -> list[LineChart]:
    def over_steps(get: Callable[[Line], float | None]) -> list[tuple[float, float]]:
        found = [(line["total"], get(line)) for line in steps]
        return [(total, value) for total, value in found if value is not None]

    losses = {label: over_steps(_value(key)) for key, label in TERMS.items()}
    terms = {key: label for key, label in TERMS.items() if key != "loss"}
    weights = {label: over_steps(_weight(key)) for key, label in terms.items()}
    gates = [line for line in steps if line.get("gate") is not None]
    rates = {part: over_steps(_rate(part)) for part in _parts(steps)}
    validation = {
        f"{part} species": [
            (line["total"], line[part]["top1"] / line[part]["chance"]) for line in checks if part in line
        ]
        for part in ("unseen", "seen")
    }
    drawn = [
        line_chart("Loss", losses, marks=marks),
        line_chart("Validation, Top-1 as times chance", validation, marks=marks, zero=True),
        line_chart("Weights of the terms", weights, marks=marks, zero=True),
        line_chart("Temperature", {"temperature": over_steps(_value("temperature"))}, marks=marks),
        line_chart(
            "Gate of the photographs",
            {
                "running mean of sounds and names": [(line["total"], line["gate"]["average"]) for line in gates],
                "open": [(line["total"], float(line["gate"]["open"])) for line in gates],
            },
            zero=True,
        ),
        line_chart("Learning rates", rates, marks=marks, zero=True),
        line_chart("Norm of the gradient", {"norm": over_steps(_value("gradient_norm"))}, marks=marks),
        line_chart(
            "Seconds a step",
            {
                "computing": over_steps(_value("seconds")),
                "waiting for data": over_steps(_value("waited")),
            },
            marks=marks,
            zero=True,
        ),
    ]
    return [chart for chart in drawn if chart is not None]


def _value(key: str) -> Callable[[Line], float | None]:
    return lambda line: line.get(key)


def _weight(key: str) -> Callable[[Line], float | None]:
    return lambda line: line.get("weights", {}).get(key)


def _parts(steps: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(part for line in steps for part in line.get("learning_rates", ())))


def _rate(part: str) -> Callable[[Line], float | None]:
    return lambda line: line.get("learning_rates", {}).get(part)
