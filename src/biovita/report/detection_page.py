"""The page of a detection benchmark, and its numbers as JSON and CSV."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from biovita.benchmark.detection_scores import DetectionScores, Estimate, EventRow, SegmentRow
from biovita.csv_safe import write_rows
from biovita.files import make_directory, write_whole
from biovita.report.charts import LineChart, line_chart
from biovita.report.environment import environment

__all__ = ["DetectionFiles", "write_detection"]

_REASONS = {
    "not-named": "the run has no candidate of this taxon, or none in its list",
    "higher-rank": "a group; what is found within it is neither right nor wrong",
    "not-in-run": "no recording of the run, or several alike, have this path",
    "part-not-in-run": "a part that was annotated, of no recording of the run",
    "no-times": "of a whole recording",
    "outside": "after the end of the recording, or where it was not annotated",
}


@dataclass(frozen=True)
class DetectionFiles:
    """What was written: the page, all numbers, a row a taxon, and a row a threshold."""

    page: Path
    results: Path
    taxa: Path
    curve: Path


@dataclass(frozen=True)
class TaxonLine:
    """A taxon in the table: its events, and its segments where it was annotated."""

    name: str
    events: EventRow
    segments: SegmentRow | None


@dataclass(frozen=True)
class TitledChart:
    """A chart, and what its x axis is."""

    chart: LineChart
    x: str


def write_detection(out: str | Path, scores: DetectionScores, title: str) -> DetectionFiles:
    """Write ``detection.html``, ``detection.json``, ``taxa.csv`` and ``curve.csv`` into ``out``.

    The page needs nothing else. The same scores give the same bytes.
    """
    out = Path(out)
    make_directory(out)
    files = DetectionFiles(*(out / name for name in ("detection.html", "detection.json", "taxa.csv", "curve.csv")))
    lines = _lines(scores)
    text = json.dumps({"format": 1, "title": title, **asdict(scores)}, indent=1, sort_keys=True, allow_nan=False)
    page = (
        environment()
        .get_template("detection.html")
        .render(
            title=title,
            scores=scores,
            lines=lines,
            charts=_charts(scores),
            reasons=_REASONS,
            criteria=_criteria(scores),
        )
    )
    contents = {
        files.page: page,
        files.results: text + "\n",
        files.taxa: _csv(_taxon_record(line) for line in lines),
        files.curve: _csv(flat(row) for row in scores.curve),
    }
    for file, content in contents.items():
        write_whole(file, content)
    return files


def flat(row: EventRow | SegmentRow) -> dict[str, Any]:
    """Return a row by the names of its fields; an estimate has three: NAME, NAME_low and NAME_high."""
    found: dict[str, Any] = {}
    for field in fields(row):
        value = getattr(row, field.name)
        if isinstance(value, Estimate):
            found |= {field.name: value.value, f"{field.name}_low": value.low, f"{field.name}_high": value.high}
        else:
            found[field.name] = value
    return found


def _lines(scores: DetectionScores) -> tuple[TaxonLine, ...]:
    segments = {row.taxon_id: row for row in scores.segments}
    return tuple(TaxonLine(row.taxon or "", row, segments.get(row.taxon_id or "")) for row in scores.taxa)


def _taxon_record(line: TaxonLine) -> dict[str, Any]:
    nothing = SegmentRow(line.name, "", 0, 0, Estimate(None), Estimate(None))
    return {**flat(line.segments or nothing), **flat(line.events)}


def _charts(scores: DetectionScores) -> list[TitledChart]:
    """Return precision, recall and F1 against the threshold, and precision against recall; all in percent."""
    rows = [row for row in scores.curve if row.criterion == "overlap"]
    lines: Mapping[str, Sequence[tuple[float, float]]] = {
        name: [
            (100 * row.threshold, 100 * value.value)
            for row in rows
            if (value := getattr(row, name.lower())).value is not None
        ]
        for name in ("Precision", "Recall", "F1")
    }
    pairs = sorted(
        (100 * row.recall.value, 100 * row.precision.value)
        for row in rows
        if row.recall.value is not None and row.precision.value is not None
    )
    drawn: Sequence[tuple[str, Mapping[str, Sequence[tuple[float, float]]], str, Sequence[float]]] = (
        ("By threshold, in percent", lines, "threshold, %", [100 * scores.threshold]),
        ("Precision by recall, in percent", {"Precision": pairs}, "recall, %", []),
    )
    charts = ((line_chart(name, series, marks=marks, zero=True), x) for name, series, x, marks in drawn)
    return [TitledChart(chart, x) for chart, x in charts if chart is not None]


def _criteria(scores: DetectionScores) -> dict[str, str]:
    """Return each criterion in words."""
    made = scores.made
    return {
        "overlap": f"they overlap by {made['least_overlap']:g} of their union or more",
        "onset": f"their begins are {made['onset_s']:g} s apart at most",
    }


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    rows, stream = list(rows), io.StringIO()
    if rows:
        write_rows(stream, list(rows[0]), rows)
    return stream.getvalue()
