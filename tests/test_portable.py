"""What the package needs of a system: nothing that Windows and macOS lack."""

from __future__ import annotations

import ast
import json
import ntpath
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from biovita.compute.cores import cpu_count
from biovita.filenames import path_from
from support.without_posix import MODULES, NAMES

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))


@pytest.mark.slow
def test_a_dataset_is_made_read_and_embedded_and_every_module_imported_without_what_posix_alone_has(
    tmp_path: Path,
) -> None:
    """All in one process, in which the package sees nothing that POSIX systems alone have."""
    place = str(tmp_path / "ds")
    few = ["--species", "2", "--recordings", "1", "--photographs", "1", "--workers", "1"]
    commands = [
        ["simulate", *few, "--out", place],
        ["data", "check", place],
        ["data", "split", place, "--unseen", "1"],
        ["embed", place, "--model", "starter", "--workers", "1"],
    ]
    script = ROOT / "tests/support/without_posix.py"
    line = [sys.executable, str(script), *map(json.dumps, commands)]
    said = subprocess.run(line, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert {table.name for table in (tmp_path / "ds/embeddings/starter").glob("*.lance")} == {
        "audio.lance",
        "image.lance",
        "text.lance",
    }
    modules = re.findall(r"^biovita(?:\.\w+)+$", said.stdout, re.MULTILINE)
    assert len(modules) == len(SOURCES) - 1  # biovita itself is not below biovita


def test_what_is_hidden_would_be_noticed(tmp_path: Path) -> None:
    """The test above can fail: a module that needs what is hidden is not imported, or stops where it uses it."""
    for line in ("import fcntl", "from os import fork", "import signal; signal.SIGKILL"):
        (tmp_path / "biovita_needs.py").write_text(line)
        code = "import without_posix; without_posix.hide(); import biovita_needs"
        paths = os.pathsep.join([str(tmp_path), str(ROOT / "tests/support")])
        said = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": paths},
        )
        assert said.returncode == 1, line
        assert line.split()[-1].removeprefix("signal.") in said.stderr


@pytest.mark.slow
def test_no_module_names_what_posix_alone_has() -> None:
    """But where it has asked whether it is there: in a function that never ran here, nothing else would tell."""
    assert [found for file in SOURCES for found in _posix_names(file)] == []


def _posix_names(file: Path) -> Iterator[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    asked = {
        str(node.args[1].value)
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"hasattr", "getattr"}
        if isinstance(node.args[1], ast.Constant)
    }
    for node in nodes:
        used: set[str] = set()
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = {node.attr} & NAMES.get(node.value.id, frozenset())
        elif isinstance(node, ast.Import):
            used = {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            used = names if node.module in MODULES else names & NAMES.get(str(node.module), frozenset())
        yield from (f"{file}:{node.lineno}: {name}" for name in used - asked)


def test_no_module_has_lines_for_one_system() -> None:
    """Types are checked as on Windows alone: what `sys.platform` hides there would be checked nowhere."""
    for file in SOURCES:
        assert not re.search(r"if .*\bsys\.platform\b", file.read_text(encoding="utf-8")), file


def test_no_module_forks() -> None:
    """Windows has no fork, macOS none that is safe: processes are begun by ``spawn``, which a pool has to be told."""
    for file in SOURCES:
        text = file.read_text(encoding="utf-8")
        assert text.count("ProcessPoolExecutor(") == text.count('mp_context=get_context("spawn")'), file
        assert "multiprocessing.Process(" not in text, file
        assert "multiprocessing.Pool(" not in text, file


def test_paths_in_tables_have_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert path_from(tmp_path / "a/b", tmp_path / "c/d.wav") == "../../c/d.wav"
    monkeypatch.setattr(os.path, "relpath", lambda place, start: ntpath.relpath("D:\\x.wav", "C:\\birds"))
    assert path_from(tmp_path / "a", tmp_path / "c/d.wav") == (tmp_path / "c/d.wav").as_posix()


def test_cores_are_counted_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cpu_count() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cpu_count() == 1
