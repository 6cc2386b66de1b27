"""The page of a run: what its template is given, and writing it."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.benchmark.asked_texts import text_notes
from biovita.benchmark.compare import marked, ranks_table
from biovita.benchmark.records import records
from biovita.benchmark.scores import KS
from biovita.benchmark.task import LeftOut
from biovita.csv_safe import write_rows
from biovita.dataset import Dataset
from biovita.dataset.schema import Split
from biovita.files import make_directory, write_whole
from biovita.modality import DIRECTIONS, Modality
from biovita.report.analysis_section import class_charts, class_rows, family_rows, group_tables, trait_rows
from biovita.report.charts import LineChart, line_chart
from biovita.report.content import ReportContent
from biovita.report.credits import Credit, unstated
from biovita.report.environment import environment, spoken
from biovita.report.examples import Example, examples
from biovita.report.generalised_section import generalised_panels
from biovita.report.published_tables import is_released, published_tables
from biovita.report.results import rejected_by_reason, results
from biovita.report.scores_section import headlines, panel, stages_of

__all__ = ["render", "write_report"]

PRETRAINED = ("BirdNET", "EfficientNet")  # encoders whose training data held many of the species people score on
_RANKS = 20_000  # of queries, that the page holds as a table; of more, biovita bench run writes ranks.parquet
_LISTED = 200  # rejected records that the page lists
_CONFUSED = 12  # pairs of species that the page lists


@dataclass(frozen=True)
class LeftOutLine:
    """A reason for which something is in no task, with the directions that it holds for and the largest count."""

    part: str
    level: str
    reason: str
    directions: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class RejectedRecords:
    """The records that were left out of the dataset: the first of them, and the reasons of all."""

    total: int
    rows: tuple[Mapping[str, Any], ...]
    reasons: tuple[tuple[str, int], ...]


def write_report(out: str | Path, run: ReportContent) -> tuple[Path, Path]:
    """Write ``report.html`` and ``results.json`` into the directory ``out``, and return their paths.

    The page holds all it needs: styles, scripts, pictures and sounds. Media that can no longer be read are named
    with the reason. It holds small copies of the dataset's media: their licences, shown beside them, hold for it.
    """
    out = Path(out)
    make_directory(out)
    text = json.dumps(results(run), indent=1, sort_keys=True, allow_nan=False) + "\n"
    page = render(run, text)
    for name, content in (("results.json", text), ("report.html", page)):
        write_whole(out / name, content)
    return out / "report.html", out / "results.json"


def render(run: ReportContent, text: str) -> str:
    """Return the page; ``text`` is ``results.json`` as it is offered for download."""
    parts = sorted({row.part for row in run.rows}, key=lambda part: (part != Split.UNSEEN, part))
    shown = examples(run, part=parts[0]) if parts else []
    credited = _credits(shown)
    sections: dict[str, Any] = _analysis(run, parts[0]) if parts else dict.fromkeys(_SECTIONS, ())
    return (
        environment()
        .get_template("report.html")
        .render(
            run=run,
            stages=stages_of(run),
            parts=parts,
            simulated=_simulated(run.dataset),
            pretrained=[name for name in PRETRAINED if any(name.lower() in i.name.lower() for i in run.towers)],
            directions=[d for d in DIRECTIONS if any(row.direction == d for row in run.rows)],
            ks=KS,
            headline=headlines(run, parts),
            panels=[panel(run, part, k) for part in parts for k in KS],
            **sections,
            generalised=generalised_panels(run),
            published=published_tables(run) if run.published else (),
            released=is_released(run.benchmark),
            losses=[chart for name, values in run.losses.items() if (chart := _loss_chart(name, values))],
            examples={d: mine for d in DIRECTIONS if (mine := [e for e in shown if e.direction == d])},
            credits=credited,
            unstated=unstated(credited),
            split=None if run.dataset is None else run.dataset.info.get("split"),
            text_notes=text_notes(run.benchmark.made),
            left_out=_left_out(run.benchmark.left_out),
            rejected=_rejected(run.dataset),
            downloads=_downloads(run, text),
            final=[row for row in run.rows if row.stage == run.last],
        )
    )


def _loss_chart(name: str, values: Sequence[float]) -> LineChart | None:
    return line_chart(f"Loss, {name}", {"loss": list(enumerate(values, 1))})


_SECTIONS = ("classes", "charts", "families", "groups", "confused", "traits", "misses")


def _analysis(run: ReportContent, part: str) -> dict[str, Any]:
    """Return what the page shows of the analysis of one part, by `_SECTIONS`."""
    found = run.analysis
    return {
        "classes": class_rows(found, part),
        "charts": class_charts(found, part, spoken=spoken),
        "families": family_rows(found, part),
        "groups": group_tables(found, part),
        "confused": [row for row in found.confusions if (row.part, row.level) == (part, "species")][:_CONFUSED],
        "traits": trait_rows(found, run.predictions, part),
        "misses": [row for row in found.near_misses if row.part == part],
    }


def _downloads(run: ReportContent, text: str) -> dict[str, str]:
    """Return what the page offers, by file name: data URIs."""
    found = {
        "results.json": _data("application/json", text),
        "scores.csv": _data("text/csv", _csv(records(run.rows))),
    }
    if run.generalised:
        found["generalised.csv"] = _data("text/csv", _csv(records(run.generalised)))
    if sum(len(score.ranks) for score in run.final.tasks) <= _RANKS:
        ranks = marked(ranks_table(run.benchmark, run.final), leak=run.leaks)
        found["ranks.csv"] = _data("text/csv", _csv(ranks.to_pylist()))
    return found


def _credits(shown: Iterable[Example]) -> list[Credit]:
    """Return who made what the page shows, and on what terms, each once."""
    kinds = {Modality.AUDIO: "recording", Modality.IMAGE: "photograph"}
    return sorted(
        {
            Credit(f"{card.name}, {kinds[card.modality]}", card.attribution or "", card.license or "")
            for example in shown
            for card in (example.query, *example.nearest)
            if card.photograph or card.sound
        }
    )


def _left_out(entries: Iterable[LeftOut]) -> list[LeftOutLine]:
    """Return the reasons with what they apply to, each once."""
    merged: dict[tuple[str, str, str], list[LeftOut]] = {}
    for entry in entries:
        merged.setdefault((entry.part, entry.level, entry.reason), []).append(entry)
    return [
        LeftOutLine(
            *key,
            directions=tuple(entry.direction for entry in mine if entry.direction),
            count=max(entry.count for entry in mine),
        )
        for key, mine in merged.items()
    ]


def _rejected(dataset: Dataset | None) -> RejectedRecords:
    if dataset is None:
        return RejectedRecords(0, (), ())
    rows, reasons = dataset.rejected, rejected_by_reason(dataset)
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return RejectedRecords(len(rows), tuple(rows.slice(0, _LISTED).to_pylist()), tuple(ordered))


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    if rows:
        write_rows(out, list(rows[0]), rows)
    return out.getvalue()


def _data(kind: str, text: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(text.encode()).decode()}"


def _simulated(dataset: Dataset | None) -> bool:
    made = dataset.info.get("made") if dataset else None
    return isinstance(made, Mapping) and bool(made.get("simulated"))
