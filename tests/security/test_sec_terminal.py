"""What is printed: names, files, arguments and answers are shown, and steer no terminal."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from support.hostile import biovita, python, watched
from support.injected import TERMINAL, write_injected

# What would steer a terminal, or turn or break a line of text, when it is printed.
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What rich itself sends: styles without links, the cursor hidden, shown and moved up, a line erased.
STYLES = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[1?A|\x1b\[2K|\r")
# Runs commands, each in a terminal of its own, and writes what it ended with and shows there.
IN_TERMINALS = """
import json, os, pty, sys
from biovita import collect, dataset, taxonomy
from biovita.cli import main
for arguments in json.loads(sys.argv[1]):
    child, terminal = pty.fork()
    if not child:
        main(arguments)
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([code, shown.decode("utf-8", "surrogateescape")]))
"""


def in_terminals(commands: list[list[str]], cwd: Path) -> list[tuple[int, str]]:
    """Run commands in turn, and return what each ended with and what it shows in a terminal."""
    env = {"TERM": "xterm", "COLUMNS": "200", "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", IN_TERMINALS, json.dumps(commands)]
    done = watched(command, seconds=60, mib=1500, cwd=cwd, env=env)
    found = [(code, shown) for code, shown in map(json.loads, done.out.splitlines())]
    assert len(found) == len(commands), done.said
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("terminal")
    write_injected(out / "data", terminal=True)
    for photograph in (out / "data").glob("=0-*.png"):
        photograph.unlink()
    names = "".join(f'"{text}",Aves\n' for text in TERMINAL)
    (out / "\x1b[2Jnames\x9b.csv").write_text(f"name,class\n{names}", encoding="utf-8", newline="")
    (out / "taxa\x1b[2J.csv").write_text("taxonID,scientificName,taxonRank\n1,Astur gentilis,species\n")
    (out / "list.txt").write_text(
        "\n".join(["Nonsensia fictiva", *TERMINAL[:2], *TERMINAL[3:5], TERMINAL[7]]), "utf-8"
    )
    (out / "src").mkdir()
    (out / "src" / "audio.csv").write_text("file,scientific_name\n\x1b[2J.wav,[red]a b[/red]\n", encoding="utf-8")
    (out / "plan.toml").write_text(
        'name = "x"\n[taxa]\nchecklist = "list.txt"\n[[sources]]\nkind = "folder"\npath = "src"\n', "utf-8"
    )
    return out


COMMANDS = {
    "show": ["data", "show", "data"],
    "check": ["data", "check", "data"],
    "plan": ["data", "plan", "plan.toml"],
    "match": [
        *("taxonomy", "match", "\x1b[2Jnames\x9b.csv", "--backbone", "taxa\x1b[2J.csv", "--out", "\x1b[2Jd.csv"),
    ],
    "path": ["data", "show", "\x1b]0;boo\x07[red]nothing[/red]\u202e\x9b"],
    "option": ["data", "show", "--\x1b]8;;http://evil.example\x07\u202e[bold]x[/bold]"],
}


@pytest.fixture(scope="module")
def shown(place: Path) -> dict[str, tuple[int, str]]:
    """What each command ends with and shows in a terminal."""
    return dict(zip(COMMANDS, in_terminals([*COMMANDS.values()], place), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_that_is_printed_steers(place: Path, shown: dict[str, tuple[int, str]], name: str) -> None:
    command = COMMANDS[name]
    piped = biovita(*command, cwd=place)
    assert "Traceback" not in piped.said
    assert not STEERS.search(piped.said), "through a pipe"
    code, text = shown[name]
    assert code == piped.code
    text = STYLES.sub("", text)
    assert not STEERS.search(text), "in a terminal"
    for said in (piped.said, text):
        assert re.search(r"\\u(001b|009b|202e)", "".join(said.split())), "it is shown what there was"
    if command[1] == "show":
        assert "[red]" in piped.said or "[bold]" in piped.said, "markup is text"


def test_styles_of_our_own_are_there_in_a_terminal(shown: dict[str, tuple[int, str]]) -> None:
    assert "\x1b[1m" in shown["show"][1]


@pytest.mark.slow
def test_json_says_exactly_what_there_was(place: Path) -> None:
    for command in (["data", "show", "data"], ["data", "check", "data"], ["data", "plan", "plan.toml"]):
        outcome = biovita(*command, "--json", cwd=place)
        assert not STEERS.search(outcome.out)
        told = json.dumps(json.loads(outcome.out))
        if "plan" in command:
            assert json.loads(outcome.out)["missing"] == (place / "list.txt").read_text().split("\n")
        if "show" in command:
            assert json.dumps(TERMINAL[3])[1:-1] in told


@pytest.mark.slow
def test_what_an_encoding_lacks_is_no_traceback(place: Path) -> None:
    outcome = biovita("data", "show", "data", cwd=place, env={"PYTHONIOENCODING": "ascii"}).succeeded()
    assert "\\uff1d1+1" in outcome.out
    env = {"PYTHONIOENCODING": "utf-8:surrogateescape"}
    outcome = biovita("data", "show", "P\u012bca\udc9b31m\U0001f600", cwd=place, env=env).failed_plainly()
    assert "\\udc9b31m" in outcome.err
    assert not STEERS.search(outcome.said)


def test_warnings_logs_tracebacks_and_bars_of_others_do_not_steer() -> None:
    code = f"""
import logging, sys, threading, warnings
from biovita.cli import main
try:
    main(["models"])
except SystemExit:
    pass
hostile = {"".join(TERMINAL)!r}
logging.getLogger("x").warning(hostile)
warnings.warn(hostile)
print(hostile)
from biovita.progress import progress_bar
with progress_bar(hostile, 2, shown=True) as advance:
    advance(1)
    warnings.warn("in a bar " + hostile)
from tqdm import tqdm
for _ in tqdm(range(2), desc="bar"):
    pass
def fail():
    raise ValueError(hostile)
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise RuntimeError(hostile)
"""
    outcome = python(code)
    assert outcome.err.count("ValueError") == outcome.err.count("RuntimeError") == 1
    assert not STEERS.search(outcome.out)
    assert not STEERS.search(outcome.err.replace("\rbar: ", ""))
    assert outcome.err.count("\rbar: ") >= 2, "bars of others still go back to the beginning of their line"
