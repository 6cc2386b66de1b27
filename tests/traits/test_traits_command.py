from __future__ import annotations

import json
from pathlib import Path

import pytest

from biovita.cli import main
from biovita.dataset import Dataset
from support.trait_cases import animal, dataset_of


@pytest.fixture
def crows(tmp_path: Path) -> Dataset:
    return dataset_of(tmp_path / "crows", [animal("Corvus corax", "Aves"), animal("Lepus timidus", "Mammalia")])


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["traits", *map(str, arguments)])
    return int(stop.value.code or 0)


def test_import_and_coverage(crows, tmp_path, capsys):
    file = tmp_path / "mine.csv"
    file.write_text("name,label,value\nCorvus corax,omnivore,yes\nRabe,omnivore,yes\nNemo,diurnal,no\n")
    (tmp_path / "names.csv").write_text("name,taxon_id\nRabe,corvus_corax\n")
    assert run("import", crows.path, "--csv", file, "--overrides", tmp_path / "names.csv", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rows"] == 1
    assert [(left["row"], left["name"], left["reason"]) for left in report["tables"][0]["left"]] == [
        (4, "Nemo", "not-in-dataset")
    ]
    assert run("import", crows.path, "--csv", file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "csv: 1 of 3 rows found 1 taxa, 1 labels"
    assert lines[-1] == "traits.parquet: 1 rows; labels that sources disagree on: none"
    assert run("coverage", crows.path, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["class"], row["species"], row["known"]) for row in rows if row["group"] == "diet"] == [
        ("Aves", 1, 1),
        ("Mammalia", 1, 0),
    ]
    assert run("coverage", crows.path) == 0
    printed = capsys.readouterr().out.splitlines()
    assert ["Aves", "1", "diet", "1", "0"] in [line.split() for line in printed]
    assert len(printed) == 2 + len(rows)
    assert max(map(len, printed)) <= 80


def test_import_without_a_table_says_so(crows, capsys):
    assert run("import", crows.path) == 1
    assert "give at least one trait table" in capsys.readouterr().err
