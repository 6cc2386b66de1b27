"""The rooms of the house: their sizes and names, who may know whom, and that each opens alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

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
MOST_LINES = {ast.Module: 500, ast.ClassDef: 200, ast.FunctionDef: 80, ast.AsyncFunctionDef: 80}
CHANGERS = {
    "append",
    "extend",
    "insert",
    "update",
    "setdefault",
    "add",
    "pop",
    "popitem",
    "remove",
    "discard",
    "clear",
}
SCHEMAS = {"COLUMNS"}  # of Arrow: `append` gives another one
# State that modules keep: packed tables that are open, a cache.
STATE = {"biovita.media.packed_files._TABLES"}


def name_of(file: Path) -> str:
    """Return the dotted name of a module."""
    parts = file.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[Path, ast.Module]:
    """Return what each file says."""
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in sorted(HOUSE.rglob("*.py"))}


@cache
def modules() -> dict[str, ast.Module]:
    """Return the same by the dotted names."""
    return {name_of(file): tree for file, tree in trees().items()}


def imported(tree: ast.Module) -> set[str]:
    """Return the modules of ours that a module imports, wherever the import stands in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "biovita":
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in modules() else str(node.module) for name in names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names if name.name in modules()}
    return found


@cache
def imports() -> dict[str, set[str]]:
    """Return the modules of ours that each module imports."""
    return {module: imported(tree) for module, tree in modules().items()}


def room_of(module: str) -> str:
    """Return the room of a module, and a small thing that all may use by its own name."""
    return module.split(".")[1] if "." in module else ""


def circle(known_by: Mapping[str, set[str]]) -> list[str]:
    """Return the names on one circle, and none where there is no circle."""
    try:
        TopologicalSorter(known_by).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


@pytest.mark.slow
def test_each_room_can_be_imported_alone() -> None:
    command = [sys.executable, "-c", EACH_ALONE, *ROOMS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_module_leads_back_to_itself_by_its_imports() -> None:
    assert len(imports()) > 200
    within = {module: found - {"biovita"} for module, found in imports().items()}
    assert not circle(within)


def test_a_circle_is_found() -> None:
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


def test_no_room_leads_back_to_itself_by_its_imports() -> None:
    rooms = defaultdict(set)
    for module, found in imports().items():
        rooms[room_of(module)] |= {room_of(other) for other in found} - {room_of(module), ""}
    assert not circle({room: known for room, known in rooms.items() if room})


@pytest.mark.parametrize("low", [room for room in ROOMS if room != "cli"])
def test_rooms_know_neither_commands_nor_verbs(low: str) -> None:
    for module, found in imports().items():
        if room_of(module) == low:
            assert not {name for name in found if name.split(".")[1:2] in (["cli"], ["verbs"])}, module


def test_the_benchmark_knows_nothing_of_reports() -> None:
    found = {name: imports()[name] for name in imports() if room_of(name) == "benchmark"}
    assert len(found) > 10
    for module, names in found.items():
        assert not {name for name in names if room_of(name) == "report"}, module


def sizes() -> Iterator[tuple[str, int, int]]:
    """Yield modules, classes and functions with how many lines they have, and how many they may have."""
    for module, tree in modules().items():
        yield module, max((node.end_lineno or 0 for node in tree.body), default=0), MOST_LINES[ast.Module]
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                yield f"{module}.{node.name}", lines, MOST_LINES[type(node)]


def test_nothing_is_too_long_to_read() -> None:
    assert not [(name, lines) for name, lines, most in sizes() if lines > most]


def test_no_two_files_of_one_name() -> None:
    """A command is called after what it runs; of all others, one name is of one thing."""
    files = Counter(file.stem for file in trees() if file.name != "__init__.py" and file.parent.name != "cli")
    assert not {name: number for name, number in files.items() if number > 1}


def test_no_two_classes_of_one_name() -> None:
    names = Counter(
        node.name
        for tree in modules().values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not {name: number for name, number in names.items() if number > 1}


def changed(tree: ast.Module) -> Iterator[str]:
    """Yield the module's own names that one of its functions changes: by ``global``, an item or a method."""
    own = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield from node.names
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.Delete):
                targets = [node.target] if isinstance(node, ast.AugAssign) else node.targets
                yield from (
                    target.value.id
                    for target in targets
                    if isinstance(target, ast.Subscript | ast.Attribute)
                    and isinstance(target.value, ast.Name)
                    and target.value.id in own
                )
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in CHANGERS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in own
                and node.func.value.id not in SCHEMAS
            ):
                yield node.func.value.id


@pytest.mark.slow
def test_modules_keep_no_state_but_caches() -> None:
    """A cache may be lost at any time without another result; settings of the process are said in one place each."""
    found = {f"{module}.{name}" for module, tree in modules().items() for name in changed(tree)}
    assert found == STATE
