"""What an installation holds and brings, the one version number, and the script that says how large it becomes."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.build import build_wheel
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import biovita

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/biovita"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BASE = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
LICENCES = ["Apache-2.0", "CC-BY-NC-SA-4.0", "CC-BY-4.0", "CC-BY-3.0"]
# What is imported, and the extra that brings it.
OPTIONAL = {"datasets": "mteb", "mteb": "mteb", "openpyxl": "excel", "pillow_heif": "raw", "rawpy": "raw"}
SOME = {"biovita", "pyarrow", "mteb"}


@pytest.fixture(scope="module")
def sources() -> dict[Path, list[ast.AST]]:
    """Return the nodes of the trees of all modules: parsing and walking them takes seconds."""
    files = sorted(PACKAGE.rglob("*.py"))
    return {file: list(ast.walk(ast.parse(file.read_text(encoding="utf-8")))) for file in files}


def _imported(nodes: list[ast.AST]) -> set[str]:
    """Return the top-level names that a module imports, anywhere, but for types alone."""
    types_alone = {
        id(node)
        for branch in nodes
        if isinstance(branch, ast.If) and ast.unparse(branch.test) == "TYPE_CHECKING"
        for node in ast.walk(branch)
    }
    names: set[str] = set()
    for node in nodes:
        if id(node) in types_alone:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(str(node.module).partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"biovita"}


def _brings() -> dict[str, set[str]]:
    """Return what is installed here, by what it lets one import; the files it records are not looked for."""
    brings: dict[str, set[str]] = {}
    for each in distributions():
        listed = each.read_text("top_level.txt") or "\n".join(
            line.partition(",")[0].partition("/")[0] for line in (each.read_text("RECORD") or "").splitlines()
        )
        for top in set(listed.split()):
            brings.setdefault(top.partition(".")[0], set()).add(each.metadata["Name"])
    return brings


@pytest.mark.slow
def test_all_that_is_imported_is_a_dependency_and_all_dependencies_are_used(
    sources: dict[Path, list[ast.AST]],
) -> None:
    """An import that only something else happens to bring would break with that other's next version."""
    known = _brings()
    imported = set().union(*map(_imported, sources.values()))
    brought = {canonicalize_name(name) for top in imported for name in known[top]}
    assert imported - set(known) == set()
    undeclared = {top for top in imported if BASE.isdisjoint(map(canonicalize_name, known[top]))}
    assert undeclared == set(OPTIONAL)
    for top, extra in OPTIONAL.items():
        wanted = {canonicalize_name(Requirement(each).name) for each in PROJECT["optional-dependencies"][extra]}
        assert not wanted.isdisjoint(map(canonicalize_name, known[top]))
    texts = {
        canonicalize_name(node.value)
        for nodes in sources.values()
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 60
    }
    assert BASE - brought - texts == {"tzdata"}  # zoneinfo reads it where the system has no zones


@pytest.mark.slow
def test_optional_parts_name_their_extra(sources: dict[Path, list[ast.AST]]) -> None:
    said = {
        node.args[0].value
        for nodes in sources.values()
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "MissingExtraError"
        if isinstance(node.args[0], ast.Constant)
    }
    told = re.compile(r"pip install 'biovita\[(\w+)\]'")
    said |= {
        extra
        for nodes in sources.values()
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for extra in told.findall(node.value)
    }
    assert said == set(OPTIONAL.values())


def test_there_is_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)$", changes, re.MULTILINE)
    assert newest is not None
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT
    assert biovita.__version__ == citation["version"] == newest[1]
    assert str(citation["date-released"]) == newest[2]


def test_the_first_commands_import_nothing_optional() -> None:
    code = "import sys, biovita, biovita.cli.app; print(*(name for name in sys.modules if '.' not in name))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "torch",
        "transformers",
        "matplotlib",
        "mlcroissant",
        "pandas",
        "sklearn",
        "scipy",
        "filelock",
        "mteb",
    }
    assert heavy.isdisjoint(said.stdout.split())


@pytest.mark.slow
def test_the_wheel_holds_all_that_the_package_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wheel = tmp_path / build_wheel(str(tmp_path))
    assert wheel.name.startswith(f"biovita-{biovita.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("biovita/")}
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        said = message_from_bytes(archive.read(metadata))
        licences = metadata.replace("METADATA", "licenses/")
        terms = [archive.read(licences + name).decode() for name in said.get_all("License-File", [])]
        archive.extractall(tmp_path / "installed")
    assert said["License-Expression"].split(" AND ") == LICENCES
    assert len(terms) == 3
    for name in ("Apache License", "https://creativecommons.org/licenses/by-nc-sa/4.0/", "AVONET 1, CC BY 4.0"):
        assert any(name in each for each in terms)
    there = {
        file.relative_to(PACKAGE.parent).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert held == there
    assert {"biovita/py.typed", "biovita/report/templates/report.html", "biovita/trait_labels.toml"} <= held
    few = ["--species", "1", "--recordings", "1", "--photographs", "1", "--workers", "1"]
    said = subprocess.run(
        [sys.executable, "-m", "biovita", "simulate", *few, "--out", tmp_path / "ds"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "ds/dataset.toml").is_file()


def _environment(folder: Path, **sizes: tuple[int, str]) -> Path:
    """Make distributions, each with one file of a size, and the metadata given."""
    for name, (size, metadata) in sizes.items():
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        file = f"{name}_cuda.so" if name == "torch" else f"{name}.py"
        (folder / file).write_bytes(b"x" * size)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}")
        (info / "RECORD").write_text(f"{file},,\ngone.py,,\n")
    return folder


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """Return the functions of the script."""
    return runpy.run_path(str(ROOT / "scripts/install_size.py"))


@pytest.mark.slow
def test_the_size_of_an_installation_follows_what_each_part_brings(tmp_path: Path, script: dict[str, Any]) -> None:
    needs = (
        "Requires-Dist: torch\nRequires-Dist: other[more]\nRequires-Dist: never; python_version < '3'\n"
        "Provides-Extra: pages\nRequires-Dist: web; extra == 'pages'\nRequires-Dist: other; extra == 'pages'\n"
        "Requires-Dist: absent; extra == 'pages'\n"
    )
    folder = _environment(
        tmp_path,
        biovita=(1_000_000, needs),
        torch=(20_000_000, "Requires-Dist: triton\nRequires-Dist: nvidia_x\n"),
        triton=(300_000_000, ""),
        nvidia_x=(4_000_000, "Requires-Dist: torch\n"),
        other=(5_000_000, "Provides-Extra: more\nRequires-Dist: extra_of_other; extra == 'more'\n"),
        extra_of_other=(6_000_000, ""),
        web=(7_000_000, "Requires-Dist: other\n"),
        unrelated=(8_000_000, ""),
    )
    told = script["report"]("biovita", script["installed"](distributions(path=[str(folder)])))
    said = [" ".join(line.split()) for line in told.splitlines()]
    assert said[1:6] == [
        "biovita, without extras 6 336",
        "of it: distributions of CUDA 2 304",
        "of it: CUDA within torch 20",
        "with torch's CPU build, about 4 12 estimate: without these two",
        "[pages] adds 1 7",
    ]
    assert said[6] == "not here, and not counted: absent, of biovita[pages]"


@pytest.mark.slow
def test_the_size_of_this_installation_is_told(script: dict[str, Any]) -> None:
    """Of three distributions of it: to look for each file of all takes long."""
    here = {name: each for name, each in script["installed"](distributions()).items() if name in SOME}
    assert set(here) == SOME
    said = script["report"]("biovita", here)
    (whole,) = re.findall(r"^biovita, without extras +2 +([\d,]+)$", said, re.MULTILINE)
    assert int(whole.replace(",", "")) == pytest.approx(
        sum(_size(here[name]) for name in SOME - {"mteb"}) / 1e6, abs=1
    )
    assert re.search(r"^  \[mteb\] adds +1 +[\d,]+$", said, re.MULTILINE)
    assert "not here, and not counted: torch, of biovita\n" in said


def _size(distribution: Distribution) -> int:
    places = (Path(str(distribution.locate_file(file))) for file in distribution.files or ())
    return sum(place.stat().st_size for place in places if place.is_file())
