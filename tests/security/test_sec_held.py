"""What held before it was asked for, and whether the page of threats says what is there."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from biovita.errors import DatasetError
from biovita.files import locked
from biovita.limits import LIMITS
from biovita.training.directory import alone
from support.hostile import biovita

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
SQL = [
    "x'; copy (select 1) to 'stolen.csv'; --",
    "x\"; attach 'stolen.db'; --",
    "$$; install httpfs; $$",
    "a%b_[c]*",
]


@pytest.mark.slow
def test_names_in_a_plan_are_no_sql(tmp_path: Path) -> None:
    """Names of species, clades, countries, sources and folders that would end a statement of SQL stay names."""
    folder = tmp_path / "it's; drop table x"
    folder.mkdir()
    recordings = [
        {"id": str(number), "gen": "Pica", "sp": name, "grp": "birds", "rec": name, "cnt": name, "q": "A", "lat": "60",
         "lon": "5", "file": f"https://x.org/{number}.mp3", "length": "0:10", "date": "2020-05-01",
         "lic": "https://creativecommons.org/licenses/by/4.0/"}
        for number, name in enumerate(["pica", *SQL])
    ]  # fmt: skip
    (folder / "xc.json").write_text(json.dumps({"recordings": recordings}))
    (folder / "dwc.csv").write_text("gbifID,scientificName,associatedMedia\n1,Pica pica,https://x.org/1.mp3\n")
    named = json.dumps(SQL)
    species = [f"Pica {name}" for name in SQL]
    (folder / "plan.toml").write_text(
        f'name = {json.dumps(SQL[0])}\n[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n[[sources]]\n'
        f'kind = "darwin_core"\npath = "dwc.csv"\nname = {json.dumps(SQL[1])}\n[taxa]\n'
        f"species = {json.dumps(species)}\n"
        f'clades = ["Aves", {named[1:]}\n[places]\ncountries = {named}\n'
    )
    before = sorted(path.name for path in tmp_path.rglob("*"))
    said = biovita("data", "plan", folder / "plan.toml", "--json", cwd=tmp_path).succeeded()
    found = json.loads(said.out)
    assert found["missing"] == species
    assert SQL[1] in {row["source"] for row in found["left_out"]}
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_a_second_build_is_told_that_one_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "xc.json").write_text('{"recordings": []}')
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "x"\n[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n')
    out = tmp_path / "birds"
    biovita("data", "build", plan, "--out", out)
    with locked(out / ".collect/lock", "busy"):
        said = biovita("data", "build", plan, "--out", out).failed_plainly()
    assert "another build is at work" in said.err


def test_a_second_training_is_told_that_one_is_at_work(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from biovita.training.directory import alone
with alone(pathlib.Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "in\n"
        with pytest.raises(DatasetError, match="another process is training"), alone(tmp_path / "run"):
            pass
        first.kill()
    with alone(tmp_path / "run"):
        pass


def test_the_page_names_tests_that_are_there() -> None:
    named = re.findall(r"`((?:tests/[\w/]+/)?(test_\w+\.py)::(test_\w+))`", PAGE)
    assert len(named) > 40
    for whole, file, name in named:
        place = ROOT / whole.partition("::")[0] if whole.startswith("tests/") else ROOT / "tests/security" / file
        functions = {
            node.name for node in ast.walk(ast.parse(place.read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, whole


def test_the_page_has_every_limit_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| (\w+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [(name, int(number.replace(",", "")), unit, about) for name, number, unit, about in rows] == [
        (each.name, each.default, each.unit, each.about) for each in LIMITS.values()
    ]
