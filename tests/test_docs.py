"""What README and docs/ show is so: commands parse, names exist, the site builds and loads nothing.

`test_docs_run` follows the pages.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cyclopts
import pytest

import biovita
from biovita.cli.app import command_line
from support.browser import find_browser, open_browser
from support.page_faults import SETTINGS, page_faults
from support.pages import CODE, INLINE, PYTHON, ROOT

SOURCES = ROOT / "src/biovita"
ROOMS = sorted(path.parent.name for path in SOURCES.glob("*/__init__.py"))
WITH_EXAMPLES = sorted(path for path in SOURCES.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))
OPEN_FILES = {"dataset/dataset.py", "model/describe.py"}  # their examples open what is in the small world
ELSEWHERE = {
    "--nproc-per-node",
    "--scale",
    "--bf16",
    "--most-gib",
    "--most-minutes",
}  # options of torchrun and of benchmarks/
EVERYWHERE = re.compile(r"--offline\b|--(?:memory|limit)[ =]\S+")  # what the command line takes before it parses
PLACE = re.compile(r"(?:src|tests|benchmarks|docs)/[\w./-]+")


@pytest.fixture(scope="module")
def commands() -> cyclopts.App:
    return command_line()


def _module(path: Path) -> str:
    return ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts)


def _run_examples(path: Path) -> None:
    failed, tried = doctest.testmod(importlib.import_module(_module(path)))
    assert tried, "no example ran"
    assert not failed


def _named(path: Path) -> str:
    return path.relative_to(SOURCES).as_posix()


@pytest.mark.parametrize("path", [path for path in WITH_EXAMPLES if _named(path) not in OPEN_FILES], ids=_named)
def test_examples_in_docstrings_run(path: Path) -> None:
    _run_examples(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(OPEN_FILES))
def test_examples_in_docstrings_that_open_files_run(
    name: str, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    _run_examples(SOURCES / name)


def test_python_on_the_pages_uses_the_public_names_as_they_are() -> None:
    called = 0
    for code in PYTHON:
        tree = ast.parse(code.text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert not any(str(name).startswith("biovita.") for name in names), (
                    f"{code}: import from biovita alone"
                )
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "biovita":
                assert node.attr in biovita.__all__, f"{code}: biovita.{node.attr}"
            if isinstance(node, ast.Call) and re.fullmatch(r"biovita(\.\w+)+", ast.unparse(node.func)):
                called += 1
                _bind(node, str(code))
    assert called > 10


def _bind(call: ast.Call, where: str) -> None:
    function: Any = biovita
    for name in ast.unparse(call.func).split(".")[1:]:
        function = getattr(function, name)
    try:
        inspect.signature(function).bind(
            *call.args, **{word.arg: word.value for word in call.keywords if word.arg}
        )
    except TypeError as error:
        pytest.fail(f"{where}: {ast.unparse(call)}: {error}")


def test_no_python_stands_in_other_blocks() -> None:
    others = [code for code in CODE if code not in PYTHON and code.language != "inline"]
    assert others
    assert not [str(code) for code in others if re.search(r"^\s*(import |from |>>> )", code.text, re.MULTILINE)]


def test_commands_on_the_pages_parse(commands: cyclopts.App) -> None:
    wrong, seen = [], 0
    for code in CODE:
        for arguments in code.commands if code not in PYTHON else ():
            if "COMMAND" in arguments:
                continue
            seen += 1
            words = shlex.split(EVERYWHERE.sub("", arguments))
            try:
                commands.parse_args(words, print_error=False, exit_on_error=False)
            except cyclopts.MissingArgumentError as error:
                if code.language != "inline":  # a sentence may name a command alone
                    wrong.append(f"{code}: biovita {arguments}: {error}")
            except cyclopts.CycloptsError as error:
                wrong.append(f"{code}: biovita {arguments}: {error}")
    assert not wrong, "\n".join(wrong)
    assert seen > 80


def test_options_that_sentences_name_exist(commands: cyclopts.App) -> None:
    known = {"--memory", "--limit", "--offline", "--help", "--version"} | ELSEWHERE | set(_options(commands))
    told = [code for code in CODE if code.language in {"inline", "text"}]
    named = [(code, option) for code in told for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", code.text)]
    wrong = [f"{code}: {option}" for code, option in named if option not in known]
    assert not wrong, "\n".join(wrong)
    assert len(named) > 50


def _options(of: cyclopts.App) -> Iterator[str]:
    if of.default_command is not None:
        yield from (name for argument in of.assemble_argument_collection() for name in argument.names)
    for name in of:
        if not name.startswith("-"):
            yield from _options(of[name])


def test_names_that_sentences_name_exist() -> None:
    named = [(code, found[0]) for code in INLINE if (found := re.match(r"biovita(\.\w+)+", code.text))]
    assert len(named) > 5
    for code, name in named:
        assert _resolves(name), f"{code}: {name}"


def _resolves(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def test_files_that_sentences_name_exist() -> None:
    named = [(code, found[0]) for code in INLINE if (found := PLACE.match(code.text))]
    assert len(named) > 20
    assert not [f"{code}: {place}" for code, place in named if not (ROOT / place).exists()]


def test_the_page_of_the_rooms_has_each_of_them_and_files_that_exist() -> None:
    code = [each.text for each in INLINE if each.page == "docs/rooms.md"]
    assert set(ROOMS) <= set(code)
    picture = (ROOT / "docs/images/rooms.svg").read_text(encoding="utf-8")
    assert not [room for room in ROOMS if not re.search(rf">[^<]*\b{room}\b[^<]*</t", picture)]
    files = [text for text in code if re.fullmatch(r"\w+(/\w+)*\.py", text)]
    assert len(files) > len(ROOMS)
    assert not [file for file in files if not (SOURCES / file).is_file()]


def test_the_reference_has_each_public_name_once() -> None:
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)", page, re.MULTILINE)
    assert sorted(listed) == sorted(set(biovita.__all__) - {"__version__"})


@pytest.mark.parametrize("name", [name for name in biovita.__all__ if inspect.isfunction(getattr(biovita, name))])
def test_the_docstring_of_a_function_explains_each_argument(name: str) -> None:
    function = getattr(biovita, name)
    section = (inspect.getdoc(function) or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    explained = {
        part.strip("* ") for line in re.findall(r"^\S.*$", section, re.MULTILINE) for part in line.split(",")
    }
    assert explained == set(inspect.signature(function).parameters)


class _Loaded(HTMLParser):
    """What a browser loads by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") not in {"canonical", "next", "prev", "index", "search"}:
            self.found.append(given.get("href") or "")
        self.found += [given[name] or "" for name in ("src", "srcset", "poster", "data") if name in given]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the site lies, which builds without a warning."""
    site = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "docs", site]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return site


@pytest.mark.slow
def test_the_site_loads_nothing_from_elsewhere_and_has_each_command_and_name(site: Path) -> None:
    loaded = 0
    for page in site.rglob("*.html"):
        reader = _Loaded()
        reader.feed(page.read_text(encoding="utf-8"))
        loaded += len(reader.found)
        assert not [place for place in reader.found if re.match(r"(https?:)?//", place)], page
    assert loaded > 100
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", style.read_text(encoding="utf-8")), style
    shell = (site / "reference/shell.html").read_text(encoding="utf-8")
    assert all(f'id="biovita-{group}"' in shell for group in ("bench", "data", "embed", "models", "train"))
    names = (site / "reference/python.html").read_text(encoding="utf-8")
    assert not [name for name in biovita.__all__ if name != "__version__" and f'id="biovita.{name}"' not in names]


@pytest.mark.slow
def test_pages_of_the_site_keep_to_their_width_and_cut_nothing_off(site: Path) -> None:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium is on this machine: apt-get install chromium")
    with open_browser(program) as browser:
        for name in ("index", "training", "reference/shell"):
            tab = browser.open(site / f"{name}.html")
            found = {setting: page_faults(tab, *setting) for setting in SETTINGS}
            tab.close()
            assert not any(found.values()), (name, found)
