"""Commands that errors and notes tell a user to run: each exists, has the options that are named, and can be run."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from cyclopts import CycloptsError

import biovita
from biovita.cli.app import command_line
from biovita.suggestion import suggested
from support.commands import run_command
from support.folders import make_folder

SOURCE = Path(biovita.__file__).parent
GROUPS = "bench|data|demo|doctor|embed|identify|models|simulate|taxonomy|train|traits"
MENTIONED = re.compile(rf"biovita ((?:{GROUPS})(?: [^.:;,()`\"\n]*)?)")
TOLD = re.compile(rf"(?:[Rr]un|[Ww]ith|network|back first): biovita ((?:{GROUPS})[^.;,()`\"\n]*)")
NUMBERS = {"N": "2", "S": "1"}


def text_of(node: ast.expr) -> str:
    """Return the text of an expression; what is only known when it runs is the word ``X``."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value) if isinstance(node.value, ast.Call) else "X"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "suggested":
        return " ".join(["biovita", *map(text_of, node.args)])
    return "X"


@cache
def texts() -> tuple[tuple[str, str, bool], ...]:
    """Return where it is, each text of the source but docstrings, and whether it is a suggested command alone."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        content = file.read_text(encoding="utf-8")
        if "suggested(" not in content and not MENTIONED.search(content):
            continue
        nodes = list(ast.walk(ast.parse(content)))
        passed = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        passed |= {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in nodes:
            if isinstance(node, ast.Constant | ast.JoinedStr | ast.Call) and id(node) not in passed:
                text = text_of(node)
                if "biovita " in text:
                    where = f"{file.relative_to(SOURCE).as_posix()}:{node.lineno}"
                    found.append((where, text, isinstance(node, ast.Call)))
    return tuple(found)


def suggestions() -> dict[str, str]:
    """Return commands that are told to be run, and where they are told."""
    found = {}
    for where, text, alone in texts():
        for command in [text.removeprefix("biovita ")] if alone else TOLD.findall(text):
            found[command.strip()] = where
    return found


def test_what_is_told_to_be_run_can_be_run() -> None:
    found = suggestions()
    assert {"data split X --unseen N", "data relink X X NEW", "data unpack X --out X"} <= set(found)
    assert len(found) >= 10
    for command, where in found.items():
        words = shlex.split(
            re.sub("--(unseen|seed) X", r"--\1 N", command.replace("--modality X", "--modality audio"))
        )
        given = [NUMBERS.get(word, word) for word in words]
        try:
            command_line(given[:1]).parse_args(given, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            pytest.fail(f"{where}: {command}: {error}")


def test_what_is_mentioned_exists_with_its_options() -> None:
    root = command_line()
    for where, text, _ in texts():
        for mentioned in MENTIONED.findall(text):
            app, words = root, mentioned.split()
            while words and not words[0].startswith("-") and words[0] in app:
                app = app[words.pop(0)]
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            if options:
                known = {name for each in app.assemble_argument_collection() for name in each.names}
                assert options <= known, (where, mentioned)


def test_paths_are_quoted_and_words_are_not() -> None:
    said = suggested("data split", Path("my birds"), "--unseen N")
    assert shlex.split(said) == ["biovita", "data", "split", "my birds", "--unseen", "N"]


def told(err: str) -> list[str]:
    """Return the command that a message ends with."""
    words = shlex.split(err[err.index(": biovita ") + 2 :])
    assert words[0] == "biovita"
    return [NUMBERS.get(word, word) for word in words[1:]]


@pytest.mark.slow
def test_what_is_told_works(tmp_path: Path) -> None:
    src, birds = make_folder(tmp_path / "my src", 4), tmp_path / "my birds"
    first = run_command("data", "show", birds)
    assert run_command(*[str(src) if word == "SRC" else word for word in told(first.err)]).code == 0
    unsplit = run_command("train", "starter/names", "--data", birds, "--out", tmp_path / "model")
    assert "has not been split" in unsplit.err
    assert run_command(*told(unsplit.err)).code == 0
    packed = run_command("data", "pack", birds, "--out", tmp_path / "my birds.lance", "--allow-outside")
    assert packed.code == 0
    stuck = run_command("data", "relink", birds, src, tmp_path)
    assert "Unpack them first" in stuck.err
    assert run_command(*told(stuck.err)).code == 0
    assert not (tmp_path / "model").exists()
