"""``biovita`` in processes of its own, forked from one that has imported what models need: ten seconds a start."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

METHOD = "forkserver"
SETTINGS = ("BIOVITA_MEMORY", "BIOVITA_LIMIT_ROWS", "HF_HUB_OFFLINE")  # as `tell_each` tells them
_CONTEXT = multiprocessing.get_context(METHOD)
_CONTEXT.set_forkserver_preload(
    [
        *("biovita.cli.app", "biovita.training.towers.train_towers", "biovita.towers.clap"),
        *("biovita.towers.open_clip", "open_clip", "transformers.models.clap.modeling_clap"),
        *("transformers.models.bert.modeling_bert", "timm", "ai_edge_litert.interpreter", "sklearn.linear_model"),
        *("pandas", "duckdb", "biovita.demo", "biovita.simulation", "biovita.training.projections.training_set"),
    ]
)


def start(
    arguments: Sequence[object],
    said: Path,
    env: Mapping[str, str] = {},
    first: Callable[[], None] | None = None,
    printed: Path = Path(os.devnull),
) -> BaseProcess:
    """Start ``biovita`` with arguments; standard error goes to the file ``said``, standard output to ``printed``.

    ``first`` is called before, in the new process.
    """
    given = ([str(each) for each in arguments], said, printed, {**os.environ, **env}, first)
    process = _CONTEXT.Process(target=_main, args=given)
    process.start()
    return process


def start_call(function: Callable[..., object], *arguments: object, said: Path) -> BaseProcess:
    """Start a process that calls a function of a module of `support`; its standard error goes to the file ``said``."""
    process = _CONTEXT.Process(target=_called, args=(function, arguments, said, dict(os.environ)))
    process.start()
    return process


def run_each(commands: Sequence[Sequence[str]], cwd: Path) -> None:
    """Run commands in turn in a folder; after what each says on standard error stands how it ended."""
    from biovita.cli import main

    os.chdir(cwd)
    for arguments in commands:
        try:
            main(list(arguments))
        except SystemExit as stopped:
            sys.stderr.write(f"ENDED {stopped.code}\n")
        except BaseException as error:  # noqa: BLE001 - what it is, is what the test tells
            sys.stderr.write(f"RAISED {type(error).__name__} {error} {arguments}\n")


def tell_each(commands: Sequence[Sequence[str]], cwd: Path) -> None:
    """Run commands in turn in a folder; on standard error stands as JSON what became of each.

    That is its arguments, its status, what it raised, what it printed and said, and the settings that it left.
    """
    from biovita.cli import main

    os.chdir(cwd)
    told = []
    for arguments in commands:
        for name in [name for name in os.environ if name.startswith(("BIOVITA_", "HF_HUB_OFFLINE"))]:
            del os.environ[name]
        code, trouble, out, err = None, "", io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(list(arguments))
            except SystemExit as stopped:
                code = stopped.code
            except BaseException as error:  # noqa: BLE001 - what it is, is what the test tells
                trouble = repr(error)
        settings = {name: os.environ.get(name) for name in SETTINGS}
        told.append([arguments, code, trouble, out.getvalue(), err.getvalue(), settings])
    sys.stderr.write(json.dumps(told) + "\n")


def finish(process: BaseProcess, seconds: float = 180) -> int:
    """Wait for a process and return its exit status."""
    process.join(seconds)
    assert process.exitcode is not None, f"it takes more than {seconds:g} s"
    return process.exitcode


def call(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function of a module of `support` in a new process, and return what it returns."""
    with _CONTEXT.Pool(1) as pool:
        return pool.apply(function, arguments)


def _main(
    arguments: list[str], said: Path, printed: Path, env: dict[str, str], first: Callable[[], None] | None
) -> None:
    from biovita.cli import main

    os.environ.update(env)
    if first is not None:
        first()
    _redirect(printed, said)
    main(arguments)


def _called(
    function: Callable[..., object], arguments: tuple[object, ...], said: Path, env: dict[str, str]
) -> None:
    os.environ.update(env)
    _redirect(Path(os.devnull), said)
    function(*arguments)


def _redirect(printed: Path, said: Path) -> None:
    for file, stream in ((printed, 1), (said, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
