"""A command in a child process that is watched: ended when it takes too long or too much resident memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from support.forked import run_each, start, start_call

MIB = 1 << 20
_LOOK_FOR_CHILDREN_S = 0.1
_MOST_MIB = 1500
IMPORTS_MIB = 500  # of the process that others are forked from


@dataclass(frozen=True)
class Outcome:
    """What a watched command did; ``peak_mib`` is the most resident memory of it and its children together."""

    code: int
    out: str
    err: str
    peak_mib: float
    seconds: float

    @property
    def said(self) -> str:
        return self.out + self.err

    def failed_plainly(self) -> Outcome:
        """Assert that it ended with a message of ours, and return itself."""
        assert self.code == 1, self.said
        assert "Traceback" not in self.said, self.said
        assert self.err.count("biovita: ") >= 1, self.said
        return self

    def succeeded(self) -> Outcome:
        """Assert that it ended well, and return itself."""
        assert self.code == 0, self.said
        assert "Traceback" not in self.said, self.said
        return self


def biovita(
    *arguments: object,
    seconds: float = 60,
    mib: float | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] = {},
) -> Outcome:
    """Run ``biovita`` with arguments in a watched child process.

    It is forked from one that has imported what models need. Where ``mib`` says what it may take, or the environment
    sets up Python itself, an interpreter starts anew.
    """
    if mib is not None or any(name.startswith("PYTHON") for name in env):
        command = [sys.executable, "-m", "biovita", *map(str, arguments)]
        return watched(command, seconds=seconds, mib=mib or _MOST_MIB, cwd=cwd, env=env)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        began = time.monotonic()
        process = start(arguments, err, env, partial(os.chdir, cwd or Path.cwd()), out)
        assert process.pid is not None
        peak, why = _watch(process.pid, process.is_alive, seconds, _MOST_MIB + IMPORTS_MIB)
        taken = time.monotonic() - began
        process.join()
        texts = [file.read_text(encoding="utf-8", errors="surrogateescape") for file in (out, err)]
    assert process.exitcode is not None
    return _held(Outcome(process.exitcode, *texts, peak, taken), why, " ".join(map(str, arguments)))


def python(
    code: str, *arguments: object, seconds: float = 60, mib: float = 1500, env: Mapping[str, str] = {}
) -> Outcome:
    """Run a piece of Python in a watched child process."""
    return watched([sys.executable, "-c", code, *map(str, arguments)], seconds=seconds, mib=mib, env=env)


def watched(
    command: Sequence[str], *, seconds: float, mib: float, cwd: Path | None = None, env: Mapping[str, str] = {}
) -> Outcome:
    """Run a command; fail where it takes longer than ``seconds`` or, children included, more than ``mib``."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        child = subprocess.Popen(
            command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=cwd, env={**os.environ, **env}
        )
        peak, why = _watch(child.pid, lambda: child.poll() is None, seconds, mib)
        taken = time.monotonic() - began
        child.wait()
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", errors="surrogateescape"))
    return _held(Outcome(child.returncode, *texts, peak, taken), why, " ".join(command))


def _held(outcome: Outcome, why: str, command: str) -> Outcome:
    assert not why, f"{command} {why}\n{outcome.said[-3000:]}"
    return outcome


def _watch(pid: int, runs: Callable[[], bool], seconds: float, mib: float) -> tuple[float, str]:
    """Watch a process until it ends, or end it; return its peak in MiB, and what it took that is not allowed."""
    began, peak, why = time.monotonic(), 0.0, ""
    process = psutil.Process(pid)
    family, looked = [process], began
    while runs():
        if time.monotonic() - looked > _LOOK_FOR_CHILDREN_S:
            family, looked = _family(process), time.monotonic()
        peak = max(peak, _resident(family) / MIB)
        if peak > mib:
            why = f"took {peak:.0f} MiB, and {mib:.0f} are allowed"
        elif time.monotonic() - began > seconds:
            why = f"took more than {seconds:g} s"
        if why:
            _end(process)
            break
        time.sleep(0.01)
    return peak, why


def _family(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and all below it. This reads the whole table of processes: 100 times a second is half a core."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return [process]  # it has just ended


def _resident(family: Sequence[psutil.Process]) -> int:
    total = 0
    for each in family:
        with contextlib.suppress(psutil.Error):  # it has just ended
            total += each.memory_info().rss
    return total


def _end(process: psutil.Process) -> None:
    try:
        for each in (*process.children(recursive=True), process):
            each.kill()
    except psutil.Error:
        pass


def call_watched(
    folder: Path, function: Callable[..., object], *arguments: object, seconds: float, mib: float
) -> str:
    """Call a function of a module of `support` in a watched process that has imported what models need.

    Returns what it said on standard error.
    """
    process = start_call(function, *arguments, said=folder / "said")
    assert process.pid is not None
    _, why = _watch(process.pid, process.is_alive, seconds, mib)
    process.join()
    said = (folder / "said").read_text(encoding="utf-8", errors="surrogateescape")
    assert not why, f"{arguments} {why}\n{said[-3000:]}"
    return said


def run_many(
    tmp_path: Path, commands: Sequence[Sequence[object]], *, code: int = 1, mib: float = 1500
) -> list[str]:
    """Run commands in one watched process in a folder, and return what each said on standard error.

    Each has to end with ``code``; with 1 after a message of ours.
    """
    given = [[str(argument) for argument in command] for command in commands]
    said = call_watched(tmp_path, run_each, given, tmp_path, seconds=120, mib=mib)
    assert "RAISED" not in said, said[-4000:]
    assert "Traceback" not in said, said[-4000:]
    assert said.count(f"ENDED {code}\n") == len(commands), said[-4000:]
    assert code != 1 or said.count("biovita: ") >= len(commands), said[-4000:]
    return said.split(f"ENDED {code}\n")
