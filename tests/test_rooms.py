"""The rooms of the house: each opens alone, and what is reported on knows nothing of its reports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import biovita

HOUSE = Path(biovita.__file__).parent
ROOMS = sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))
EACH_ALONE = """
import importlib, os, sys, traceback
import numpy, pyarrow, pyarrow.compute, pyarrow.parquet, pydantic
for room in sys.argv[1:]:
    if not os.fork():
        try:
            importlib.import_module(f"biovita.{room}")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{room} cannot be imported alone")
"""


def imported(file: Path) -> set[str]:
    """Return the modules that a file names in its imports, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_each_room_can_be_imported_alone() -> None:
    command = [sys.executable, "-c", EACH_ALONE, *ROOMS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_benchmark_knows_nothing_of_reports() -> None:
    files = sorted((HOUSE / "benchmark").rglob("*.py"))
    assert len(files) > 10
    for file in files:
        assert not {name for name in imported(file) if name.startswith(("biovita.report", "biovita.cli"))}, file
