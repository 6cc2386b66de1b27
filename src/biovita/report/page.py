"""The page: what the templates are given, and writing it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biovita.benchmark.compare import ranks_table
from biovita.benchmark.scores import KS, ScoreRow, headline
from biovita.benchmark.task import LEVELS
from biovita.csv_safe import write_rows
from biovita.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.files import make_directory, write_whole
from biovita.modality import DIRECTIONS, Modality, modalities_of
from biovita.report.analysis_section import family_rows, group_tables, radars, trait_rows
from biovita.report.charts import axis_top, loss_chart
from biovita.report.content import ReportContent
from biovita.report.examples import Card, examples
from biovita.report.published_tables import AVERAGES, COLUMNS, TABLES, is_released
from biovita.report.results import results
from biovita.taxonomy import Rank
from biovita.terminal import visible

__all__ = ["environment", "render", "write_report"]

SPOKEN = {Modality.AUDIO: "sound", Modality.IMAGE: "photo", Modality.TEXT: "name"}
STAGES = {
    0: ("untrained", "The projections as they were drawn, before any training."),
    1: ("stage 1", "Recordings aligned to names."),
    2: ("stage 2", "Photographs joined in: recordings, photographs and names."),
}
PRETRAINED = ("BirdNET", "EfficientNet")  # encoders whose training data held many of the species people score on
_RANKS = 20_000  # of queries, that the page holds as a table; of more, biovita bench run writes ranks.parquet
_LISTED = 200  # rejected records that the page lists


def write_report(out: str | Path, run: ReportContent) -> tuple[Path, Path]:
    """Write ``report.html`` and ``results.json`` into the directory ``out``, and return their paths.

    The page holds all it needs: styles, scripts, pictures and sounds. Media that can no longer be read are named
    with the reason. It holds small copies of the dataset's media: their licences, shown beside them, hold for it.
    """
    out = Path(out)
    make_directory(out)
    numbers = results(run)
    text = json.dumps(numbers, indent=1, sort_keys=True, allow_nan=False) + "\n"
    page = render(run, numbers, text)
    for name, content in (("results.json", text), ("report.html", page)):
        write_whole(out / name, content)
    return out / "report.html", out / "results.json"


def render(run: ReportContent, numbers: Mapping[str, Any], text: str) -> str:
    """Return the page; ``text`` is ``results.json`` as it is offered for download."""
    parts = sorted({row.part for row in run.rows}, key=lambda part: (part != Split.UNSEEN, part))
    stages = [_stage(stage) for stage in run.scores]
    shown = [example for part in parts[:1] for example in examples(run, part=part)]
    return (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            numbers=numbers,
            stages=stages,
            parts=parts,
            simulated=_simulated(run.dataset),
            pretrained=[name for name in PRETRAINED if any(name.lower() in i.name.lower() for i in run.towers)],
            directions=[d for d in DIRECTIONS if any(row.direction == d for row in run.rows)],
            ks=KS,
            headline=_headlines(run, parts),
            panels=[_panel(run, part, k, stages) for part in parts for k in KS],
            classes=_classes(numbers, parts[0]) if parts else [],
            radars=radars(numbers, parts[0], spoken=_spoken) if parts else [],
            families=family_rows(numbers, parts[0]) if parts else [],
            groups=group_tables(numbers, parts[0]) if parts else [],
            confused=[
                r for r in numbers["confusions"] if parts and (r["part"], r["level"]) == (parts[0], "species")
            ][:12],
            traits=trait_rows(numbers, parts[0]) if parts else [],
            published=_published(run) if run.published else [],
            released=is_released(run.benchmark),
            misses=[row for row in numbers["near_misses"] if parts and row["part"] == parts[0]],
            losses=[loss_chart(name, values, index) for index, (name, values) in enumerate(run.losses.items())],
            examples={d: mine for d in DIRECTIONS if (mine := [e for e in shown if e.direction == d])},
            credits=_credits(shown),
            left_out=_left_out(numbers["left_out"]),
            rejected=_rejected(run),
            downloads=_downloads(run, numbers, text),
            final=[row for row in run.rows if row.stage == run.last],
        )
    )


def _downloads(run: ReportContent, numbers: Mapping[str, Any], text: str) -> dict[str, str]:
    """Return what the page offers, by file name: data URIs."""
    found = {
        "results.json": _data("application/json", text),
        "scores.csv": _data("text/csv", _csv(numbers["scores"])),
    }
    if sum(len(score.ranks) for score in run.final.tasks) <= _RANKS:
        found["ranks.csv"] = _data("text/csv", _csv(ranks_table(run.benchmark, run.final).to_pylist()))
    return found


def environment() -> Any:
    """Return the templates, with the filters that they use."""
    import jinja2
    from markupsafe import Markup

    found = jinja2.Environment(
        loader=jinja2.PackageLoader("biovita.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    found.filters.update(percent=_percent, spoken=_spoken, number=_number)
    script = found.get_template("report.js").render()
    found.globals.update(script=Markup(script), policy=_policy(script))  # noqa: S704 - our own file
    return found


def _policy(script: str) -> str:
    """Return what a browser lets the page do: its own script, styles, pictures and sounds; nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _shown(value: Any) -> Any:
    """Return what a template puts out: text with control characters, and those that turn its direction, visible."""
    return visible(value) if type(value) is str else value


def _stage(stage: int | str) -> dict[str, Any]:
    label, meaning = STAGES.get(stage, (str(stage), "")) if isinstance(stage, int) else (stage, "")
    return {"key": stage, "label": label, "meaning": meaning}


def _headlines(run: ReportContent, parts: Sequence[str]) -> dict[str, Any] | None:
    """Return the mean over the directions at species level of the foremost part, for Top-1 and Top-5."""
    for part in parts:
        steps = [
            {"stage": _stage(stage), "top1": one, "top5": five}
            for stage in run.scores
            if (one := headline(run.rows, stage=stage, part=part, k=1))
            and (five := headline(run.rows, stage=stage, part=part, k=5))
        ]
        if steps:
            tasks = [s.task for s in run.final.tasks if (s.task.part, s.task.level) == (part, Rank.SPECIES)]
            most = max(int(task.candidate_counts.max()) for task in tasks)
            return {"part": part, "steps": steps, "last": steps[-1], "candidates": most}
    return None


def _panel(run: ReportContent, part: str, k: int, stages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the plots of one part and k: a table a level, a row a direction, a mark a stage."""
    rows = [row for row in run.rows if (row.part, row.k) == (part, k)]
    top = axis_top(max((row.high for row in rows), default=1.0))
    levels = []
    for level in LEVELS:
        lines = []
        for direction in DIRECTIONS:
            mine = {row.stage: row for row in rows if (row.level, row.direction) == (level.value, direction)}
            if mine:
                final = mine[stages[-1]["key"]]
                lines.append({"direction": direction, "final": final, "marks": _marks(mine, stages)})
        if not lines:
            continue
        means = {s["key"]: headline(run.rows, stage=s["key"], part=part, k=k, level=level.value) for s in stages}
        mean = means[stages[-1]["key"]]
        marks = [
            {"index": index, "accuracy": found.accuracy, "last": index == len(stages) - 1}
            for index, s in enumerate(stages)
            if (found := means[s["key"]]) is not None
        ]
        levels.append({"level": level.value, "lines": lines, "mean": mean, "marks": marks})
    return {"part": part, "k": k, "top": top, "ticks": [top * i / 4 for i in range(5)], "levels": levels}


def _marks(rows: Mapping[Any, ScoreRow], stages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"index": index, "accuracy": rows[stage["key"]].accuracy, "last": index == len(stages) - 1}
        for index, stage in enumerate(stages)
        if stage["key"] in rows
    ]


def _classes(numbers: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Return, for each class, its rows at species level by direction and k; most queries first."""
    rows = [row for row in numbers["by_class"] if (row["part"], row["level"]) == (part, "species")]
    sizes = Counter[str]()
    for row in rows:
        if row["k"] == KS[0]:
            sizes[row["class"]] += row["queries"]
    return [
        {
            "name": name,
            "queries": queries,
            "cells": {(row["direction"], row["k"]): row for row in rows if row["class"] == name},
        }
        for name, queries in sizes.most_common()
    ]


def _published(run: ReportContent) -> list[dict[str, Any]]:
    """Return the published tables with the run's own row after theirs; cells are (Top-1, Top-5) in percent."""
    tables = []
    for part, rows in TABLES.items():
        found = {
            (row.direction, row.k): 100 * row.accuracy
            for row in run.rows
            if (row.stage, row.part, row.level) == (run.last, part, "species")
        }
        if not found:
            continue
        own = [(found[d, 1], found[d, 5]) if (d, 1) in found else None for d in COLUMNS]
        whole = [cell for cell in own if cell]
        mean = (
            tuple(sum(cell[i] for cell in whole) / len(COLUMNS) for i in (0, 1))
            if len(whole) == len(COLUMNS)
            else None
        )
        listed = [
            {"name": name, "cells": [*cells, AVERAGES[part].get(name)], "own": False}
            for name, cells in rows.items()
        ]
        tables.append(
            {"part": part, "rows": [*listed, {"name": str(run.last), "cells": [*own, mean], "own": True}]}
        )
    return tables


def _credits(shown: Sequence[Any]) -> list[dict[str, Any]]:
    """Return who made what the page shows, and on what terms, each once."""
    cards: list[Card] = [card for example in shown for card in (example.query, *example.nearest)]
    found = {
        (card.name, card.modality.value, card.attribution, card.license): None
        for card in cards
        if card.photograph or card.sound
    }
    return [
        {"name": name, "modality": modality, "attribution": who, "license": terms}
        for name, modality, who, terms in sorted(found, key=lambda key: [part or "" for part in key])
    ]


def _left_out(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the reasons with what they apply to, each once."""
    merged: dict[tuple[str, str, str], dict[str, Any]] = {}
    for entry in entries:
        key = entry["part"], entry["level"], entry["reason"]
        found = merged.setdefault(key, {**entry, "directions": []})
        if entry["direction"]:
            found["directions"].append(entry["direction"])
        found["count"] = max(found["count"], entry["count"])
    return list(merged.values())


def _rejected(run: ReportContent) -> dict[str, Any]:
    rows = run.dataset.rejected.to_pylist() if run.dataset is not None else []
    return {
        "total": len(rows),
        "rows": rows[:_LISTED],
        "reasons": Counter(r["reason"] for r in rows).most_common(),
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    if rows:
        write_rows(out, list(rows[0]), rows)
    return out.getvalue()


def _data(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _spoken(direction: str) -> str:
    asked, answered = modalities_of(direction)
    return f"{SPOKEN[asked]} → {SPOKEN[answered]}"


def _simulated(dataset: Dataset | None) -> bool:
    made = dataset.info.get("made") if dataset else None
    return isinstance(made, Mapping) and bool(made.get("simulated"))
