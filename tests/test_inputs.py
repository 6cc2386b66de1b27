"""Each line of ``docs/inputs.md`` names the test that holds it, and that test is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_each_line_names_a_test_that_is_there() -> None:
    lines = (ROOT / "docs/inputs.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith(("| what comes in", "| ---"))]
    assert rows
    for row in rows:
        named = _TEST.findall(row)
        assert named, row
        for file, test in named:
            assert test in _functions(file), row
