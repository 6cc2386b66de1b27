"""The steps of pages, each in a process of its own, made small where a page's numbers would take hours.

``make`` says what it would do: its targets set up environments.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import forked
from support.page_steps import Step
from support.pages import ROOT
from support.short_demo import in_few_steps

__all__ = ["Ended", "run_step"]

# What is changed in a command that a page shows, so that it ends here: numbers alone, and settings of training.
SMALLER = [
    (re.compile(r"--unseen 40\b"), "--unseen 2"),
    (re.compile(r"--species 60\b"), "--species 3 --recordings 2 --photographs 2 --workers 1"),
    (re.compile(r"--species 8\b"), "--species 4"),
    (re.compile(r"--species 14133 --audio 1300000 --images 2300000"), "--species 5 --audio 20 --images 20"),
    (re.compile(r"--hours 2 --events 300 --species 24"), "--hours 0.01 --events 4 --species 2 --any-background"),
    (re.compile(r"train starter/.*"), r"\g<0> --set steps=2"),
    (re.compile(r"--out run-with-traits --set"), "--out run-with-traits --set model=towers audio_model=none"),
    (re.compile(r"train paper/stage1 .*--set .*"), r"\g<0> phases.atc.epochs=1 phases.atc.batch_size=6"),
    (re.compile(r"train scratch/stage0 .*--set .*"), r"\g<0> phases.itc.epochs=1 phases.itc.batch_size=6"),
    (
        re.compile(r"train paper/stage2 .*--set .*"),
        r"\g<0> phases.warmup.epochs=1 phases.warmup.batch_size=6 phases.full.epochs=1 phases.full.batch_size=6",
    ),
    (
        re.compile(r"train (?:paper|scratch)/.*--set .*"),
        r"\g<0> pairs.at_most=4 pairs.at_least=2 validate_epochs=0",
    ),
]
FEW = {"species": 4, "recordings": 2, "photographs": 2, "workers": 1}  # of a simulated fauna
_SECONDS = 600


@dataclass(frozen=True)
class Ended:
    """How a step ended: its status, and what it printed on both streams, in the order in which a terminal shows it."""

    status: int
    printed: str


def run_step(step: Step, folder: Path) -> Ended:
    """Run a step in a new process, in a folder; what it prints names that folder nowhere, as no page knows it."""
    said = folder.with_name(f"{folder.name}.said")
    if step.language == "python":
        process = forked.start_call(_run_python, folder, step.text, said=said)
    else:
        process = forked.start_call(_run_program, folder, _smaller(step.text), said=said)
    status = forked.finish(process, _SECONDS)
    return Ended(status, said.read_text(encoding="utf-8").replace(f"{folder}{os.sep}", ""))


def _smaller(command: str) -> str:
    for pattern, change in SMALLER:
        command = pattern.sub(change, command)
    return command


def _run_python(folder: Path, text: str) -> None:
    _begin(folder)
    exec(compile(text, "page", "exec"), {"__name__": "__main__"})


def _run_program(folder: Path, command: str) -> None:
    _begin(folder)
    words = shlex.split(command)
    program = Path(words[0]).name
    sys.argv = words
    if program == "biovita":
        from biovita.cli import main

        main(words[1:])
    elif program == "make":
        os.chdir(ROOT)
        os.execvp("make", ["make", "--dry-run", *words[1:]])
    elif program == "duckdb":
        import duckdb

        option, query = words[1:]
        assert option == "-c"
        sys.stdout.write(f"{duckdb.sql(query)}\n")
    else:
        assert program.startswith("python"), f"{program} is not run here: mark its lines"
        sys.argv = words[1:]
        runpy.run_path(str(ROOT / words[1]), run_name="__main__")


def _begin(folder: Path) -> None:
    """Print to one file as to a terminal; train in few steps on few of the names that classifiers know."""
    from biovita import simulation
    from biovita.training.projections import training_set
    from biovita.training.projections.names_without_media import NamedClasses

    os.chdir(folder)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    in_few_steps(pytest.MonkeyPatch(), 2)
    named, simulate = training_set.named_classes, simulation.simulate_media

    def few_names(tower: Any) -> NamedClasses | None:
        known = named(tower)
        if known is None:
            return None
        return NamedClasses(known.modality, known.names[::200], known.texts[::200], known.weights[::200])

    def few_animals(out: Path, *_: Any, **options: Any) -> Any:
        return simulate(out, **{**options, **FEW})

    training_set.named_classes = few_names
    simulation.simulate_media = few_animals
