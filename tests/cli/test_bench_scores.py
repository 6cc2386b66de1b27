"""What bench run and compare print: groups with their means, words, and lists that end."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import biovita.report.page
from biovita.benchmark.headlines import headline_words, main_headline
from biovita.benchmark.scored_models import open_model
from biovita.benchmark.scores import ScoreRow
from biovita.dataset import split_dataset
from biovita.model import describe
from support.bench_cases import with_few_draws, write_small
from support.commands import run_command


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dataset of eight species, four held out."""
    with_few_draws(monkeypatch)
    monkeypatch.setattr(biovita.report.page, "render", lambda *_: "")
    dataset = write_small(tmp_path / "birds", taxa=8, per_species=2)
    split_dataset(dataset, unseen=4, seed=0)
    return dataset.path


def test_rows_stand_by_part_and_level_and_end_in_their_mean(birds: Path) -> None:
    printed = run_command("bench", "run", birds, "--model", "random:8")
    assert printed.code == 0, printed.err
    written = json.loads((birds / "bench/standard/runs/random-8/results.json").read_text(encoding="utf-8"))
    rows = [ScoreRow(**row) for row in written["scores"]]
    head, *lines = printed.out.splitlines()
    assert head.split()[:4] == ["part", "level", "direction", "Top-1"]
    table = [line.split() for line in lines if line.startswith(("seen  ", "unseen  "))]
    groups = list(dict.fromkeys((line[0], line[1]) for line in table))
    levels = ("species", "genus", "family")
    asked = {(row.part, row.level) for row in rows}
    assert groups == [(part, level) for part in ("seen", "unseen") for level in levels if (part, level) in asked]
    for part, level in groups:
        mine = [line for line in table if tuple(line[:2]) == (part, level)]
        *directions, mean = mine
        assert mean[2] == "mean"
        assert "mean" not in {line[2] for line in directions}
        shares = [row.accuracy for row in rows if (row.part, row.level, row.k) == (part, level, 1)]
        assert len(shares) == len(directions)
        assert mean[3] == f"{100 * sum(shares) / len(shares):.1f}"
        assert int(mean[-2]) == sum(int(line[-2]) for line in directions)
    found = main_headline(rows, stage="random:8")
    assert found is not None
    assert headline_words(found) in lines
    assert [row["words"] for row in written["headlines"] if row["k"] == 1] == [headline_words(found)]


def test_a_comparison_says_where_its_page_is_and_folds_what_it_does_not_compare(
    birds: Path, tmp_path: Path
) -> None:
    runs = birds / "bench/standard/runs"
    for dim in (4, 8):
        assert run_command("bench", "run", birds, "--model", f"random:{dim}").code == 0
    ranks = runs / "random-8" / "ranks.parquet"
    table = pq.read_table(ranks)
    pq.write_table(table.filter(pc.field("level") == "species"), ranks)
    printed = run_command("bench", "compare", runs / "random-4", runs / "random-8", "--out", tmp_path / "c")
    lines = printed.out.splitlines()
    assert lines[-1] == str(tmp_path / "c" / "compare.html")
    (folded,) = [line for line in lines if line.startswith("not compared, only in random-4: ")]
    gone = len(pa.TableGroupBy(table, ["part", "direction", "level"]).aggregate([])) - 12
    assert folded.endswith(f" and {gone - 6} more (--json has all)")
    assert folded.count("/") == 2 * 6
    page = (tmp_path / "c" / "compare.html").read_text(encoding="utf-8")
    assert f"<summary>{gone} tasks are not compared, because only random-4 has them</summary>" in page
    said = run_command("bench", "compare", runs / "random-4", runs / "random-8", "--json").json()
    assert len(said["not_compared"]["random-8"]["first"]) == gone
    assert (said["page"], said["table"]) == (None, None)
    for head in said["headlines"]:
        assert f"{head['stage']}: {head['words']}" in lines
        assert f"{head['stage']}: {head['words']}" in page
    (difference,) = [line for line in lines if " less " in line and "points" in line]
    assert difference.startswith("unseen species, mean of six directions: Top-1 of random-8 less random-4 is ")
    assert difference[1:] in page


def test_a_number_of_dimensions_that_cannot_be_is_refused(birds: Path) -> None:
    for number in ("-1", "x", "1e3", "\u00b2", "65537", "9" * 5000):
        with pytest.raises(biovita.ModelError, match="number after random: is that of dimensions"):
            open_model(f"random:{number}")
    printed = run_command("bench", "run", birds, "--model", "random:0")
    assert (printed.code, printed.out) == (1, "")
    assert "It is no seed" in printed.err
    assert open_model("random:1").dim == 1


def test_towers_without_a_space_are_refused_before_anything_is_read(
    birds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    towers = describe("starter").towers
    monkeypatch.setattr("biovita.benchmark.evaluation._embedded", lambda *_, **__: pytest.fail("embedded"))
    with pytest.raises(biovita.ModelError, match=r"share no space \(audio 1024, .*biovita train starter/stage1"):
        biovita.run_benchmark(birds, model=towers, progress=False)


def test_a_model_of_one_modality_is_refused_before_anything_is_read(birds: Path) -> None:
    class Words:
        name = "words"

        def embed_texts(self, _: object) -> None:
            pytest.fail("embedded")

    with pytest.raises(
        biovita.BiovitaError, match=r"words cannot answer any task .* only text, and the benchmark asks A2T"
    ):
        biovita.run_benchmark(birds, model=Words(), progress=False)
