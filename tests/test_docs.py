"""What README and docs/ show is so: commands parse, names exist, examples run, the site builds and loads nothing."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import shlex
from pathlib import Path

import cyclopts
import pytest

import biovita
from biovita.cli.app import _register, app
from support.pages import CODE, ROOT, Code

SOURCES = ROOT / "src/biovita"
WITH_EXAMPLES = sorted(path for path in SOURCES.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))
PYTHON = [code for code in CODE if code.language.split(" ")[0] == "python"]
OTHERS = {"--nproc-per-node", "--scale", "--bf16"}  # of torchrun and of benchmarks/
EVERYWHERE = re.compile(r"--offline\b|--(?:memory|limit)[ =]\S+")


@pytest.fixture(scope="module", autouse=True)
def _all_commands() -> None:
    _register()


def parse(arguments: str) -> None:
    """Parse a command as the command line does, without running it."""
    words = shlex.split(EVERYWHERE.sub("", arguments))
    app.parse_args(words, print_error=False, exit_on_error=False)


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(SOURCES).as_posix())
def test_examples_in_docstrings_run(path: Path) -> None:
    name = ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts)
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_commands_on_the_pages_parse() -> None:
    wrong, seen = [], 0
    for code in CODE:
        if code.language.startswith("python"):
            continue
        for arguments in code.commands:
            if "COMMAND" in arguments:
                continue
            seen += 1
            try:
                parse(arguments)
            except cyclopts.MissingArgumentError:
                if code.language != "inline":  # a sentence may name a command alone
                    wrong.append(f"{code}: biovita {arguments}: an argument is missing")
            except cyclopts.CycloptsError as error:
                wrong.append(f"{code}: biovita {arguments}: {error}")
    assert not wrong, "\n".join(wrong)
    assert seen > 80


def test_options_that_sentences_name_exist() -> None:
    known = {name for each in _apps(app) for name in _options(each)} | {"--memory", "--limit", "--offline"} | OTHERS
    named = [(code, option) for code in CODE if code.language == "inline" for option in _named(code.text)]
    wrong = [f"{code}: {option}" for code, option in named if option not in known]
    assert not wrong, "\n".join(wrong)
    assert len(named) > 50


def _apps(of: cyclopts.App) -> list[cyclopts.App]:
    found = [of]
    for name in of:
        if not name.startswith("-"):
            found += _apps(of[name])
    return found


def _options(of: cyclopts.App) -> set[str]:
    own = {*of.help_flags, *of.version_flags}
    return own | {name for argument in of.assemble_argument_collection() for name in argument.names}


def _named(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--[a-z][\w-]*", text)
