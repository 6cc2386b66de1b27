"""What to do to follow a page: its commands and Python in order, and the files whose contents it shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from support.pages import CODE, Code

__all__ = ["MARKS", "Step", "Written", "every_step", "pages_with_steps", "steps_not_run", "steps_of"]

_PROGRAMS = re.compile(r"(?:\S*/)?(?:biovita|duckdb|make|pip|python3?|torchrun)(?:\s|$)")
_NOT_RUN = re.compile(r"not run(?:, lines? (?P<lines>\d+(?:(?:, | and )\d+)*))?: (?P<reason>.+)", re.DOTALL)
_FILE = re.compile(r"(?P<more>more of )?the file (?P<name>\S+)")
_PRINTED = re.compile(r"(?P<part>part of what is )?printed by: (?P<command>.+)")
MARKS = (_NOT_RUN, _FILE, _PRINTED)


@dataclass(frozen=True)
class Written:
    """A file that a page shows: its name in the folder of the page, and its text or what is added to it."""

    where: str
    name: str
    text: str
    more: bool


@dataclass(frozen=True)
class Step:
    """A command line, or Python, with the lines that the page shows below it.

    Attributes
    ----------
    shown
        None where the page shows nothing of what is printed.
    reason
        Why it is not run here; empty where it is.
    """

    where: str
    language: str
    text: str
    shown: tuple[str, ...] | None = None
    reason: str = ""

    @property
    def is_known(self) -> bool:
        """Whether it is Python, or the command of a program that pages may name."""
        return self.language == "python" or _PROGRAMS.match(self.text) is not None


def steps_of(page: str) -> list[Step | Written]:
    """Return what the blocks of a page say to do, in order.

    The comment before a block says what is special about it:

    - ``not run: REASON``, or ``not run, lines 1 and 2: REASON`` for some of its lines;
    - ``the file NAME``, or ``more of the file NAME``: the block is a file that commands read;
    - ``printed by: COMMAND``, or ``part of what is printed by: COMMAND``: the block shows what that command prints.

    A block in the language ``text`` is a picture. Any other consists of commands. Where they have prompts, the lines
    below a command are what it prints. Python that does not import biovita goes on with the Python before it.
    """
    steps: list[Step | Written] = []
    python: int | None = None
    for code in CODE:
        if code.page != page or code.language in {"inline", "text"} or code.language.startswith("{"):
            continue
        if code.language != "python":
            steps += _of_block(code)
        elif python is None or "import biovita" in code.text:
            python = len(steps)
            steps.append(Step(str(code), "python", code.text, reason=_not_run(code).get(0, "")))
        else:
            before = steps[python]
            assert isinstance(before, Step)
            steps[python] = replace(before, text=f"{before.text}\n{code.text}")
    return steps


def every_step() -> list[Step]:
    """Return the commands and the Python of all pages."""
    return [step for page in pages_with_steps() for step in steps_of(page) if isinstance(step, Step)]


def pages_with_steps() -> list[str]:
    """Return the pages that have commands or Python."""
    return sorted({code.page for code in CODE if code.language != "inline" and steps_of(code.page)})


def steps_not_run() -> list[str]:
    """Return lines that say how many commands and pieces of Python are marked as not run: a line a reason."""
    steps = every_step()
    marked = Counter(step.reason for step in steps if step.reason)
    return [
        f"{marked.total()} of {len(steps)} commands and pieces of Python",
        *(f"  {count} {reason}" for reason, count in marked.most_common()),
    ]


def _not_run(code: Code) -> dict[int, str]:
    """Return the reasons of lines that are not run; line 0 is the whole block."""
    found = _NOT_RUN.fullmatch(code.mark)
    if not found:
        return {}
    return dict.fromkeys(map(int, re.findall(r"\d+", found["lines"] or "0")), " ".join(found["reason"].split()))


def _of_block(code: Code) -> Iterator[Step | Written]:
    lines = tuple(code.text.rstrip("\n").split("\n"))
    if found := _FILE.fullmatch(code.mark):
        yield Written(str(code), found["name"], code.text, found["more"] is not None)
    elif found := _PRINTED.fullmatch(code.mark):
        yield Step(str(code), "shell", found["command"], ("...", *lines, "...") if found["part"] else lines)
    elif (reason := _not_run(code).get(0)) and not _PROGRAMS.match(lines[0].removeprefix("$ ")):
        yield Step(str(code), "shell", code.text, reason=reason)
    else:
        yield from _commands(code, lines)


def _commands(code: Code, lines: tuple[str, ...]) -> Iterator[Step]:
    prompts = lines[0].startswith("$ ")
    reasons = _not_run(code)
    place = 0
    while place < len(lines):
        first = place
        command = lines[place].removeprefix("$ ") if prompts else lines[place]
        while command.endswith("\\"):
            place += 1
            command = f"{command[:-1].rstrip()} {lines[place].strip()}"
        place += 1
        if not command.strip():
            continue
        end = place
        while prompts and end < len(lines) and not lines[end].startswith("$ "):
            end += 1
        shown = lines[place:end] if end > place else None
        place = end
        reason = reasons.get(first + 1, reasons.get(0, ""))
        yield Step(f"{code.page}:{code.line + first}", "shell", command.split(" #")[0].strip(), shown, reason)
