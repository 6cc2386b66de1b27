"""The root command, and what every command does about errors, Ctrl-C and a full disk."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Collection, Iterator
from importlib import import_module

import cyclopts

from biovita.cli.kit import DEFAULTS
from biovita.version import __version__

__all__ = ["command_line", "main"]

_HELP = (
    "Recordings, photographs and names of animals in one vector space.\n\n"
    "Before or after any command: --offline reads models from this machine and does not try the network; --memory MIB "
    "(1024) is what all workers together may take for data; --limit NAME=VALUE sets one of the limits that keep "
    "foreign files from taking this machine down: answer, archive, cell, decoding, pages, pixels, request, rows."
)
# Group, whose module holds its `app`, and what it is for: so the root command can list it without importing it.
# Modules import what is heavy inside their commands.
_GROUPS = {
    "archive": "Keep an archive of recordings and photographs that can be searched.",
    "bench": "Build, verify and run benchmarks, compare runs, and score what identify detects.",
    "data": "Make, show and check datasets.",
    "demo": "Go from a folder of recordings and photographs to a model, its scores and a report.",
    "doctor": "Say what is installed, what the device is, which formats decode, and what is missing for which feature.",
    "embed": "Write a vector for each recording, photograph and name of a dataset.",
    "identify": "Say what is heard in recordings and seen in photographs.",
    "models": "List, describe, fetch and export models; without a command, list those that are known.",
    "search": "Find what is like sounds, photographs, words, names, or a mix of them, in an archive.",
    "simulate": "Make a dataset of a simulated fauna: drawn animals, synthesised calls, names and traits along one "
    "tree.",
    "taxonomy": "Match names to a taxonomic backbone, and make one of the checklists that people download.",
    "train": "Train projections of frozen towers, or the towers themselves, by a recipe, and write a model directory.",
    "traits": "Import trait tables into a dataset, show what they cover, and tell traits from sound and pictures.",
}

_GLOBAL = {"--memory": "--memory MIB", "--limit": "--limit NAME=VALUE"}  # that take a value
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO}
_WAYS_OUT = {
    errno.ENOSPC: ". Make room there, or choose another place",
    errno.EDQUOT: ". Your quota is used up: make room, ask for more, or choose another place",
    errno.EFBIG: ". A limit on the size of files is reached (ulimit -f shows it), or the disk takes none so large: "
    "raise it, or choose another place",
    errno.EACCES: ". Ask for the right to read and write there, or choose another place",
    errno.EPERM: ". Ask for the right to read and write there, or choose another place",
    errno.EROFS: ". Choose another place",
    errno.EIO: ". The disk, or the way to it, fails: look after it, or choose another place",
    errno.ENOENT: ". Correct the path",
    errno.ENOTDIR: ". A part of the path is a file: correct the path",
    errno.EISDIR: ". Give a file",
    errno.EEXIST: ". Choose another place",
    errno.ENOTEMPTY: ". Choose another place",
    errno.ENAMETOOLONG: ". Choose a shorter name",
    errno.ELOOP: ". Links lead round there: remove one, or give the place itself",
}
# What a path that was given can be wrong in; where the error names none, it is our own.
_OF_PLACES = {
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENXIO, errno.ENODEV, errno.EINVAL),
}
_OF_A_CLOSED_PIPE = 128 + 13  # what a shell says of SIGPIPE, for which Windows has no name
_ODD_BYTES = re.compile("[\udc80-\udcff]")  # as Python writes bytes of names that are not UTF-8
_LOOP = "Symlink loop from "  # what Path.resolve says of links that lead round, up to Python 3.12


def command_line(wanted: Collection[str] = tuple(_GROUPS)) -> cyclopts.App:
    """Return the root command; the modules of groups that are not wanted are imported only if one of them is run."""
    root = cyclopts.App(
        name="biovita",
        help=_HELP,
        help_format="plaintext",  # Markdown takes a tenth of a second to load; the groups use it
        version=__version__,
        default_parameter=DEFAULTS,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for group, about in _GROUPS.items():
        if group in wanted:
            root.command(import_module(f"biovita.cli.{group}").app)
        else:
            root.command(f"biovita.cli.{group}:app", name=group, help=about)
    return root


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 mendable error or failed check, 2 wrong usage, 128 + n by signal n."""
    from biovita.errors import BiovitaError
    from biovita.terminal import guard_output

    if arguments is None:
        _begin_in_utf8()
    guard_output()
    try:
        code = _run(_settled(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BiovitaError as error:
        _stop(str(error), error.exit_code)
    except KeyboardInterrupt:
        _stop("Stopped. Nothing was left half-written: the same command goes on or starts again", 130)
    except BrokenPipeError:  # whoever read our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it exits
        sys.exit(_OF_A_CLOSED_PIPE)
    except Exception as error:
        said = _mendable(error)
        if said is None:
            raise
        _stop(said, 1)
    sys.exit(code if isinstance(code, int) else 0)


def _mendable(error: Exception) -> str | None:
    """Return what to say of an error of the system that a user can mend; None of one that only we can."""
    from biovita.files import full_disk

    number = full_disk(error)
    if isinstance(error, OSError):
        where = error.filename2 or error.filename  # a failed copy names its target second
        number = number or error.errno
        if number in _OF_DISKS or (where and number in _OF_PLACES):
            place = _named(where) if where else "while writing"
            return f"{os.strerror(number)}: {place}{_WAYS_OUT.get(number, '')}"
    elif number is not None:
        return f"{os.strerror(number)}: {str(error)[:300]}{_WAYS_OUT.get(number, '')}"
    elif isinstance(error, UnicodeEncodeError) and _ODD_BYTES.search(error.object):
        line = next(line for line in error.object.splitlines() if _ODD_BYTES.search(line))
        return (
            f"{line.strip()[:1000]} holds bytes that are not UTF-8, and biovita writes names of files in UTF-8. Rename "
            "the file or folder"
        )
    elif isinstance(error, RuntimeError) and str(error).startswith(_LOOP):
        return f"{os.strerror(errno.ELOOP)}: {str(error).removeprefix(_LOOP)}{_WAYS_OUT[errno.ELOOP]}"
    return None


def _begin_in_utf8() -> None:
    """Start anew in Python's UTF-8 mode where the locale has another encoding for the names of files.

    The tables name files in UTF-8, and Python chooses the encoding of names once, before it runs anything (PEP 540).
    What is printed keeps the encoding of the console.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    environment = {**os.environ, "PYTHONUTF8": "1"}
    environment.setdefault("PYTHONIOENCODING", getattr(sys.stdout, "encoding", None) or "ascii")
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - ourselves


def _run(arguments: list[str]) -> object:
    from biovita.console import Console

    return command_line(arguments)(arguments, console=Console(), error_console=Console(stderr=True))


def _named(place: object) -> str:
    return os.fsdecode(place) if isinstance(place, bytes) else str(place)


def _settled(arguments: list[str]) -> list[str]:
    """Apply the options that all commands share, and return the other arguments."""
    from biovita.limits import set_limit, set_memory

    rest: list[str] = []
    waiting = iter(arguments)
    _check(arguments)
    for argument in waiting:
        name, equals, value = argument.partition("=")
        if argument == "--":
            return [*rest, argument, *waiting]
        if argument == "--offline":
            from biovita.weights.hub import go_offline

            go_offline()
        elif name in _GLOBAL:
            given = value if equals else _following(name, waiting)
            if name == "--memory":
                set_memory(given)
            else:
                set_limit(*_pair(given))
        else:
            rest.append(_at_home(argument))
    return rest


def _at_home(argument: str) -> str:
    """Return an argument with the home folder in place of ``~``, which shells leave within quotes and behind ``=``."""
    name, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    if not value.startswith("~") or os.path.lexists(value):
        return argument
    from biovita.filenames import at_home

    return f"{name}{equals}{at_home(value)}"


def _check(arguments: list[str]) -> None:
    from biovita.errors import BiovitaError

    bad = next((argument for argument in arguments if "\0" in argument), None)
    if bad is not None:
        raise BiovitaError(f"the argument {bad!r} holds the character NUL, which no name or path can hold")


def _following(name: str, waiting: Iterator[str]) -> str:
    given = next(waiting, None)
    if given is None:
        from biovita.errors import BiovitaError

        raise BiovitaError(f"{name} needs a value: {_GLOBAL[name]}")
    return given


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _stop(message: str, code: int) -> None:
    from biovita.redact import redacted

    sys.stderr.write(f"biovita: {redacted(message)}\n")
    sys.exit(code)
