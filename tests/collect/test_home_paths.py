"""Paths that begin with ``~``, in plans and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.collect.plan import read_plan
from biovita.errors import DatasetError
from support.commands import run_command

_PLAN = 'name = "x"\nversion = "1"\n[[sources]]\nkind = "folder"\npath = "{path}"\n[taxa]\nchecklist = "{other}"\n'


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    (tmp_path / "plans").mkdir()
    return tmp_path / "plans/plan.toml"


def paths_of(plan: Path, path: str, other: str = "names.txt") -> tuple[Path, Path | None]:
    plan.write_text(_PLAN.format(path=path, other=other))
    read = read_plan(plan)
    (source,) = read.sources
    return source.path, read.taxa.checklist  # type: ignore[union-attr]


def test_a_plan_names_places_in_the_home_folder(plan: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert paths_of(plan, "~/field", "~/lists/names.txt") == (home / "field", home / "lists/names.txt")
    assert paths_of(plan, "./~/field")[0] == plan.parent / "~/field"
    assert paths_of(plan, "field~")[0] == plan.parent / "field~"


def test_a_user_whom_nobody_knows_is_an_error(plan: Path) -> None:
    with pytest.raises(
        DatasetError, match="'~nobody-here/field' begins with ~nobody-here, and this machine knows no"
    ):
        paths_of(plan, "~nobody-here/field")
    (plan.parent / "~odd").mkdir()
    assert paths_of(plan, "~odd")[0] == plan.parent / "~odd"


def test_the_command_line_knows_the_home_folder(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for given in (["show", "~/birds"], ["export", "hub", "~/birds", "--out=~/x"]):
        said = run_command("data", *given)
        assert (said.code, f"{home}/birds does not exist" in said.err) == (1, True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    assert "~ is not a dataset" in run_command("data", "show", "~").err  # what is there by that very name is that
