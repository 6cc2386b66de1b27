"""The page of a detection benchmark, its JSON and its tables."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from biovita.benchmark.detection_scores import (
    DetectionScores,
    Estimate,
    EventRow,
    OperatingPoint,
    SegmentRow,
)
from biovita.benchmark.detection_truth import NotScored
from biovita.report.detection_page import write_detection

NAME = "<script>alert(1)</script>"


def row(taxon: str | None, criterion: str, threshold: float, found: int, right: int) -> EventRow:
    precision = Estimate(right / found, 0.1, 0.9) if found else Estimate(None)
    return EventRow(
        taxon,
        taxon,
        criterion,
        threshold,
        4,
        found,
        right,
        precision,
        Estimate(right / 4, 0.2, 0.8),
        Estimate(0.5),
    )


CURVE = tuple(
    row(None, criterion, threshold, found, 2)
    for criterion in ("overlap", "onset")
    for threshold, found in ((0.25, 4), (0.5, 2))
)
SCORES = DetectionScores(
    recordings=2,
    hours=0.5,
    threshold=0.25,
    overall=(CURVE[0], CURVE[2]),
    taxa=(row(NAME, "overlap", 0.25, 2, 2), row("=Parus", "overlap", 0.25, 0, 0)),
    curve=CURVE,
    not_answered=(0.05,),
    mean_f1=Estimate(0.5, 0.3, 0.7),
    mean_average_precision=Estimate(0.6, 0.4, 0.8),
    mean_auroc=Estimate(0.9, 0.8, 1.0),
    chance=0.1,
    segments=(SegmentRow(NAME, NAME, 3, 60, Estimate(0.6, 0.4, 0.8), Estimate(0.9)),),
    at_precision=(OperatingPoint("onset", 0.9, 0.5, 0.5, 12.0),),
    neither=1,
    too_short=2,
    not_scored=(NotScored("not-named", "Corvus corax", 3),),
    made={"model": "planted", "least_overlap": 0.2, "onset_s": 3.0},
)


class Cells(HTMLParser):
    """The text of all cells, and the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: Path) -> Cells:
    cells = Cells()
    cells.feed(page.read_text(encoding="utf-8"))
    return cells


def test_the_page_has_the_numbers_and_runs_nothing_of_others(tmp_path: Path) -> None:
    files = write_detection(tmp_path / "out", SCORES, f"A {NAME} test")
    cells = read(files.page)
    text = " ".join(" ".join(cells.text).split())
    assert "script" not in cells.tags
    assert NAME in text
    assert "their begins are 3 s apart at most 0.5 50.0 12" in text
    assert "Corvus corax 3 the run has no candidate of this taxon" in text
    assert "60.0 40.0 to 80.0" in text
    assert "cannot answer the thresholds 0.05" in text
    assert cells.tags.count("path") == 4
    again = write_detection(tmp_path / "again", SCORES, f"A {NAME} test")
    assert files.page.read_bytes() == again.page.read_bytes()


def test_json_and_tables_have_all_numbers(tmp_path: Path) -> None:
    files = write_detection(tmp_path, SCORES, "A test")
    said = json.loads(files.results.read_text(encoding="utf-8"))
    assert said["mean_average_precision"] == {"value": 0.6, "low": 0.4, "high": 0.8}
    assert said["at_precision"][0]["false_per_hour"] == 12.0
    assert said["not_scored"] == [{"reason": "not-named", "what": "Corvus corax", "count": 3}]
    with files.taxa.open(encoding="utf-8") as stream:
        first, second = csv.DictReader(stream)
    assert (first["taxon"], first["average_precision_low"], first["precision"]) == (NAME, "0.4", "1.0")
    assert (second["taxon"], second["annotated"], second["present"], second["auroc"]) == ("'=Parus", "4", "0", "")
    with files.curve.open(encoding="utf-8") as stream:
        curve = list(csv.DictReader(stream))
    assert [(each["criterion"], each["threshold"], each["found"]) for each in curve] == [
        ("overlap", "0.25", "4"),
        ("overlap", "0.5", "2"),
        ("onset", "0.25", "4"),
        ("onset", "0.5", "2"),
    ]


def test_a_page_of_one_recording_without_a_right_event_is_written(tmp_path: Path) -> None:
    nothing = Estimate(None)
    scores = replace(
        SCORES,
        recordings=1,
        mean_f1=Estimate(0.0),
        mean_average_precision=nothing,
        mean_auroc=nothing,
        segments=(),
        chance=None,
        at_precision=(),
        curve=tuple(replace(each, precision=nothing) for each in CURVE),
    )
    text = " ".join(read(write_detection(tmp_path, scores, "A test").page).text)
    assert "No threshold reaches a precision of 90 %" in text
    assert "there is one recording only" in text
