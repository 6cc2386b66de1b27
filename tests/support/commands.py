"""Commands run in this process, with standard output and standard error of any encoding."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cyclopts import App

from biovita.cli import main
from biovita.cli.app import command_line

__all__ = ["Printed", "all_commands", "run_command"]


@dataclass(frozen=True)
class Printed:
    """What a command printed, and what it ended with."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what standard output holds: JSON and nothing else."""
        return json.loads(self.out)


def all_commands() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Give every command, and the function that it runs."""

    def within(app: App, names: tuple[str, ...]) -> Iterator[tuple[str, Callable[..., Any]]]:
        if app.default_command is not None and names:
            yield " ".join(names), app.default_command
        for name in app:
            if not name.startswith("-"):
                yield from within(app[name], (*names, name))

    yield from within(command_line(), ())


def run_command(*arguments: object, encoding: str = "utf-8") -> Printed:
    """Run ``biovita`` with arguments; a character that the encoding lacks is an error of the stream itself."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, errors="strict", newline="\n") for _ in range(2)]
    before = sys.stdout, sys.stderr, sys.excepthook
    sys.stdout, sys.stderr = streams
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    finally:
        sys.stdout, sys.stderr, sys.excepthook = before
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]
    assert isinstance(code, int)
    return Printed(code, *texts)
