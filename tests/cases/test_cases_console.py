"""The case F12: consoles and locales that are not UTF-8."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biovita.dataset import Dataset
from support.cases import inputs_of
from support.commands import run_command
from support.hostile import biovita


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_f12_a_console_without_a_character_shows_its_number(tmp_path: Path, encoding: str) -> None:
    made, out = inputs_of("F12", tmp_path), tmp_path / "ds"
    printed = run_command("data", "import", "folder", made, "--out", out, "--copy", encoding=encoding)
    assert printed.code == 0, printed.err
    assert "T\\u012bt\\u012b is kept" in printed.err
    assert len(Dataset.open(out).audio) == 3
    next((out / "media").glob("Zaun*")).unlink()
    printed = run_command("data", "check", out, encoding=encoding)
    assert printed.code == 1
    assert "nig \\u016b.wav: there is no such file" in printed.out
    said = json.loads(run_command("data", "check", out, "--json", encoding=encoding).out)
    assert "Zaunkönig ū.wav" in json.dumps(said, ensure_ascii=False)


@pytest.mark.slow
def test_f12_a_locale_without_a_character_finds_files_all_the_same(tmp_path: Path) -> None:
    made = inputs_of("F12", tmp_path)
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    outcome = biovita("data", "import", "folder", made, "--out", tmp_path / "Käuze", env=env).succeeded()
    assert "K\\u00e4uze: 3 recordings and 2 photographs" in outcome.out
    assert len(Dataset.open(tmp_path / "Käuze").audio) == 3
