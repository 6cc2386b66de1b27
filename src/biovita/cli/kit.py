"""What all commands share: flags of one meaning, and how results and notes are printed.

Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

__all__ = [
    "DEFAULTS",
    "AllowOutside",
    "Device",
    "Json",
    "MediaRoot",
    "Overwrite",
    "Seed",
    "Workers",
    "group",
    "heading",
    "note",
    "print_json",
    "print_table",
    "say",
]

Json = Annotated[bool, Parameter(name="--json", help="Print the result as JSON.")]
Device = Annotated[str, Parameter(help="Where the towers run: auto, cpu, cuda, cuda:N or mps.")]
Overwrite = Annotated[bool, Parameter(help="Replace OUT where it exists.")]
Seed = Annotated[int, Parameter(help="The same seed gives the same result.")]
Workers = Annotated[int | None, Parameter(help="Threads or processes that work at once. Default: one a core.")]
AllowOutside = Annotated[bool, Parameter(help="Take files that lie outside the dataset, too.")]
MediaRoot = Annotated[
    Path | None,
    Parameter(help="Where the benchmark's file paths start. Default: what its manifest says, or its directory."),
]

_NUMBER = re.compile(
    r"[-+]?[\d.,]+(e-\d+)?( [a-zA-Z]+( \d+ [a-z]+)?| \([\d,]+\))?|-?"
)  # 1,234; 5 min 02 s; 12 (3)


def _shown_default(value: Any) -> Any:
    """Return what help says of a default: nothing of flags, which are off, and of empty lists."""
    return None if value is False or value is None or value == () else value


DEFAULTS = Parameter(negative=(), show_default=_shown_default)
"""What holds for the parameters of all commands: flags have no negative such as --no-json."""


def group(name: str, about: str | None = None) -> App:
    """Return the app of a command or group; without ``about`` its default command's docstring is its help."""
    return App(name=name, help=about, help_format="markdown", default_parameter=DEFAULTS)


def say(*lines: object) -> None:
    """Print lines of a result."""
    sys.stdout.writelines(f"{line}\n" for line in lines)


def note(*lines: object) -> None:
    """Print lines about a result: hints, warnings, what a run is doing."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()


def heading(text: str) -> None:
    """Print a line of a result that stands out in a terminal."""
    from biovita.console import Console

    Console().print(text, style="bold", soft_wrap=True)


def print_json(value: object) -> None:
    """Print a result as JSON; dataclasses become objects of their fields, paths and times text."""
    say(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, a line a row; columns of numbers stand to the right, and lines are never broken."""
    from rich.cells import cell_len

    from biovita.terminal import visible

    lines = [[_cell(value) for value in row] for row in rows]
    shown = [[visible(cell, sys.stdout.encoding) for cell in line] for line in (columns, *lines)]
    widths = [max(map(cell_len, cells)) for cells in zip(*shown, strict=True)]
    numbers = [all(map(_NUMBER.fullmatch, cells[1:])) for cells in zip(*shown, strict=True)]
    for place, line in enumerate(shown):
        cells = [
            " " * (width - cell_len(cell)) + cell if right else cell + " " * (width - cell_len(cell))
            for cell, width, right in zip(line, widths, numbers, strict=True)
        ]
        (say if place else heading)("  ".join(cells).rstrip())


def _cell(value: object) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("\n", "\\n").replace("\t", "\\t")


def _plain(value: object) -> Any:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a result holds a {type(value).__name__}, which is no JSON")
