"""Cases of pictures, file names and places, each as its ``cmd.sh`` expects."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.dataset import Dataset
from biovita.sources.folder import import_folder
from support.cases import inputs_of
from support.commands import run_command


def test_f13_a_raw_file_is_never_its_thumbnail(tmp_path: Path) -> None:
    made = inputs_of("F13", tmp_path)
    import_folder(made, out=tmp_path / "ds", progress=False)
    dataset = Dataset.open(tmp_path / "ds")
    sizes = {Path(row["path"]).name: (row["width"], row["height"]) for row in dataset.images.to_pylist()}
    assert (160, 120) not in sizes.values()
    said = dict(zip(*(dataset.rejected[name].to_pylist() for name in ("path", "detail")), strict=True))
    assert sizes.get("IMG_0001.DNG") == (1200, 800) or "a camera's raw file (DNG)" in said["IMG_0001.DNG"]


def test_f14_files_are_found_by_other_spellings(tmp_path: Path) -> None:
    made = inputs_of("F14", tmp_path)
    report = import_folder(made, out=tmp_path / "ds", progress=False)
    assert "missing" not in report.reasons
    assert any("another name than the table gives" in note and ", 3 of 4 rows" in note for note in report.notes)


def test_f20_a_moved_project_and_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = inputs_of("F20", tmp_path)
    import_folder(made / "proj/field", out=made / "proj/ds", progress=False)
    moved = (made / "proj").rename(made / "moved")
    said = run_command("data", "check", moved / "ds")
    assert (said.code, said.out) == (0, f"{moved / 'ds'}: nothing is wrong\n")
    monkeypatch.setenv("HOME", str(moved))
    assert "4 rows read, 4 records, 0 rejected" in run_command("data", "plan", made / "tilde.toml").out
