"""The page and the tables of a run whose queries have all taxa as candidates."""

from __future__ import annotations

import csv
import json
import re

import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.dataset import split_dataset
from biovita.report import ReportContent, write_run
from biovita.report.generalised_section import generalised_panels
from support.bench_cases import class_vectors, write_small


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    made = write_small(tmp_path_factory.mktemp("generalised") / "small")
    split_dataset(made, unseen=8, seed=3, held_out=0.4)
    return made


def content(dataset, candidates, made=()):
    benchmark = benchmark_from_split(dataset, candidates=candidates)
    stages = {stage: class_vectors(benchmark, dataset, noise) for stage, noise in ((1, 3.0), (2, 1.5))}
    scores = {stage: score_benchmark(benchmark, vectors) for stage, vectors in stages.items()}
    return ReportContent("A run", benchmark, scores, stages[2], made=dict(made))


@pytest.mark.slow
def test_a_run_writes_rows_of_the_last_stage_and_the_page_shows_them(dataset, tmp_path):
    run = content(dataset, "all", {"seen penalty": 0.15})
    files = write_run(tmp_path, run)
    rows = json.loads(files.results.read_text(encoding="utf-8"))["generalised"]
    assert {row["stage"] for row in rows} == {1, 2}
    last = [row for row in rows if row["stage"] == 2]
    with files.generalised.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [float(row["harmonic"]) for row in table] == [row["harmonic"] for row in last]
    assert [row["taxa"] for row in table if row["direction"] == "mean"] == [""] * 9
    page = " ".join(files.report.read_text(encoding="utf-8").split())
    assert 'href="#generalised"' in page
    assert 'download="generalised.csv"' in page
    assert "0.15 was taken from the similarity of each taxon that was trained on" in page
    assert "searches for species that the alignment never met" in page
    (section,) = re.findall(r'<section id="generalised".*?</section>', page)
    assert section.count("<table") == 3
    for row in last:
        if (row["k"], row["level"]) == (1, "species"):
            shown = [f"{100 * row[name]:.1f}" for name in ("seen", "unseen", "harmonic")]
            cells = r"</td>\s*<td class=\"num\"[^>]*>".join(map(re.escape, shown))
            assert re.search(rf'<td class="num"[^>]*>{cells}</td>', section), shown


def test_panels_have_one_axis_and_all_that_was_scored(dataset):
    run = content(dataset, "all")
    panels = generalised_panels(run)
    assert [panel.level for panel in panels] == ["species", "genus", "family"]
    assert len({panel.top for panel in panels}) == 1
    assert [len(panel.lines) for panel in panels] == [6, 6, 6]
    assert all(row.stage == 2 and row.high <= panels[0].top for panel in panels for row in panel.lines)


@pytest.mark.slow
def test_a_run_with_drawn_candidates_has_none_and_removes_those_of_an_earlier_one(dataset, tmp_path):
    (tmp_path / "generalised.csv").write_text("of another benchmark", encoding="utf-8")
    files = write_run(tmp_path, content(dataset, 100))
    assert files.generalised is None
    assert not (tmp_path / "generalised.csv").exists()
    page = files.report.read_text(encoding="utf-8")
    assert "generalised" not in page
    assert json.loads(files.results.read_text(encoding="utf-8"))["generalised"] == []
