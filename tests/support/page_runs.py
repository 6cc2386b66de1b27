"""The steps of pages, each in a process of its own, made small where a page's numbers would take hours."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from support import forked
from support.page_processes import run_program, run_python
from support.page_steps import Step

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
_SECONDS = 600


@dataclass(frozen=True)
class Ended:
    """How a step ended: its status, and what it printed on both streams, in the order in which a terminal shows it."""

    status: int
    printed: str


def run_step(step: Step, folder: Path) -> Ended:
    """Run a step in a new process, in a folder; what it prints names that folder nowhere, as no page knows it."""
    said = folder.with_name(f"{folder.name}.said")
    said.write_text("", encoding="utf-8")
    if step.language == "python":
        process = forked.start_call(run_python, folder, step.text, said=said)
    else:
        process = forked.start_call(run_program, folder, _smaller(step.text), said=said)
    status = forked.finish(process, _SECONDS)
    return Ended(status, said.read_text(encoding="utf-8").replace(f"{folder}{os.sep}", ""))


def _smaller(command: str) -> str:
    for pattern, change in SMALLER:
        command = pattern.sub(change, command)
    return command
