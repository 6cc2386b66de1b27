"""What runs in the process of a step of a page; it imports little, for it is imported in each of them.

``make`` says what it would do: its targets set up environments.
"""

from __future__ import annotations

import gc
import os
import runpy
import shlex
import sys
from pathlib import Path
from typing import Any

__all__ = ["run_program", "run_python"]

ROOT = Path(__file__).parents[2]
STEPS = 2  # of each stage that the demo trains
FEW = {"species": 4, "recordings": 2, "photographs": 2, "workers": 1}  # of a simulated fauna


def run_python(folder: Path, text: str) -> None:
    """Run Python in a folder."""
    _begin(folder)
    exec(compile(text, "page", "exec"), {"__name__": "__main__"})


def run_program(folder: Path, command: str) -> None:
    """Run a command line in a folder, whose program is one that pages may name."""
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
        sys.path.insert(0, str((ROOT / words[1]).parent))
        runpy.run_path(str(ROOT / words[1]), run_name="__main__")


def _begin(folder: Path) -> None:
    """Print to one file as to a terminal; train in few steps on few of the names that classifiers know."""
    from biovita import simulation, training
    from biovita.training.projections import training_set
    from biovita.training.projections.names_without_media import NamedClasses

    gc.freeze()  # what was imported before the fork is not looked through again in each process
    os.chdir(folder)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    recipe, named, simulate = training.recipe, training_set.named_classes, simulation.simulate_media

    def in_few_steps(name: str, settings: dict[str, Any], kind: Any) -> Any:
        return recipe(name, {**settings, "steps": STEPS}, kind)

    def few_names(tower: Any) -> NamedClasses | None:
        known = named(tower)
        if known is None:
            return None
        return NamedClasses(known.modality, known.names[::200], known.texts[::200], known.weights[::200])

    def few_animals(out: Path, *_: Any, **options: Any) -> Any:
        return simulate(out, **{**options, **FEW})

    training.recipe = in_few_steps
    training_set.named_classes = few_names
    simulation.simulate_media = few_animals
