"""``biovita train``: a recipe on a dataset."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from biovita.errors import BiovitaError, StoppedError

app = App(name="train", help="Train projections of frozen towers, or the towers themselves, on a split dataset.")


@app.default
def train(
    recipe: str | None = None,
    /,
    *,
    data: Path | None = None,
    out: Path | None = None,
    start: Path | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=True)] = (),
    device: str = "auto",
    overwrite: bool = False,
    listing: Annotated[bool, Parameter(name="--list")] = False,
    shown: Annotated[bool, Parameter(name="--print")] = False,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Train by a recipe and write a model directory.

    Parameters
    ----------
    recipe
        Its name; --list shows those there are.
    data
        Dataset that has been split (biovita data split). A starter recipe embeds what has no vectors yet.
    out
        Directory to write: the model, or for a paper recipe the run, with its models in last and best. Such a run
        keeps a checkpoint at SIGTERM and Ctrl-C, and the same command continues it.
    start
        Model to go on from; a stage 2 needs one.
    settings
        Changes to the recipe, as name=value: --set steps=400 weights.aic=0.5
    device
        auto, cpu, cuda, cuda:1 or mps.
    overwrite
        Replace OUT where it exists.
    listing
        List the recipes and stop.
    shown
        Print the recipe with its settings as JSON and stop.
    json_
        Print the result as JSON.
    """
    from biovita.dataset import Dataset
    from biovita.training import RECIPES, Recipe
    from biovita.training import recipe as find
    from biovita.training.run import train as run

    if listing:
        for name, make in RECIPES.items():
            sys.stdout.write(f"{name:<16} {(make.__doc__ or '').splitlines()[0]}\n")
        return 0
    if recipe is None:
        raise BiovitaError(f"name a recipe: {', '.join(RECIPES)}")
    given = dict(_setting(text) for text in settings)
    chosen: Recipe = find(recipe, given)
    if shown:
        sys.stdout.write(chosen.model_dump_json(indent=2) + "\n")
        return 0
    if data is None or out is None:
        raise BiovitaError(f"biovita train {recipe} needs --data DATASET and --out MODEL")
    speaks = os.environ.get("RANK", "0") == "0"  # under torchrun one process does
    try:
        report = run(chosen, Dataset.open(data), out, start=start, given=given, device=device, overwrite=overwrite)
    except StoppedError as error:
        if speaks:
            raise
        return error.exit_code
    if not speaks:
        return 0
    if json_:
        result = {"model": str(report.model), "first_loss": report.first_loss, "last_loss": report.last_loss}
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        sys.stdout.write(
            f"{recipe}: {report.steps} steps, loss {report.first_loss:.3f} to {report.last_loss:.3f}\n"
            f"model: {report.model}\nreport: {report.page}\n"
        )
    return 0


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BiovitaError(f"--set {text}: write it as name=value")
    return name.strip(), value.strip()
