"""``biovita train``: a recipe on a dataset."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from biovita.cli.kit import Device, Json, Overwrite, group, print_json, say
from biovita.errors import BiovitaError, StoppedError

__all__ = ["app"]

app = group("train")


@app.default
def train(
    recipe: str | None = None,
    /,
    *,
    data: Path | None = None,
    out: Path | None = None,
    start: Path | None = None,
    exclude: Path | None = None,
    settings: Annotated[tuple[str, ...] | None, Parameter(name="--set", consume_multiple=True)] = None,
    device: Device = "auto",
    allow_leak: bool = False,
    overwrite: Overwrite = False,
    listing: Annotated[bool, Parameter(name="--list")] = False,
    shown: Annotated[bool, Parameter(name="--print")] = False,
    as_json: Json = False,
) -> int:
    """Train projections of frozen towers, or the towers themselves, by a recipe, and write a model directory.

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
    exclude
        Taxa that training must not meet: a file of names, one a line or a table with a column name or
        scientific_name; or a dataset, whose unseen species are meant, or all its taxa where it has not been split.
    settings
        Changes to the recipe, as name=value: --set steps=400 weights.aic=0.5
    allow_leak
        Go on from a start that has trained on what the dataset holds out, and say so in the record.
    listing
        List the recipes and stop.
    shown
        Print the recipe with its settings as JSON and stop.
    """
    from biovita.training import RECIPES

    if listing:
        summaries = {name: (make.__doc__ or "").splitlines()[0] for name, make in RECIPES.items()}
        if as_json:
            print_json(summaries)
        else:
            say(*(f"{name:<16} {summary}" for name, summary in summaries.items()))
        return 0
    if recipe is None:
        raise BiovitaError(f"Name a recipe: {', '.join(RECIPES)}")
    changes = dict(_setting(text) for text in settings or ())
    if shown:
        from biovita.training import recipe as named

        print_json(named(recipe, changes).model_dump(mode="json"))
        return 0
    if data is None or out is None:
        raise BiovitaError(f"biovita train {recipe} needs --data DATASET and --out MODEL")
    given = {
        "data": data,
        "out": out,
        "start": start,
        "exclude": exclude,
        "device": device,
        "allow_leak": allow_leak,
        "overwrite": overwrite,
    }
    return _train(recipe, changes, given, as_json=as_json)


def _train(recipe: str, settings: dict[str, str], given: dict[str, Any], *, as_json: bool) -> int:
    import biovita

    speaks = os.environ.get("RANK", "0") == "0"  # under torchrun one process does
    try:
        report = biovita.train(recipe, settings=settings, **given)
    except StoppedError as error:
        if speaks:
            raise
        return error.exit_code
    if not speaks:
        return 0
    if as_json:
        print_json({"model": report.model, "first_loss": report.first_loss, "last_loss": report.last_loss})
    else:
        say(
            *([str(report.excluded)] if report.excluded.taxa else []),
            f"{recipe}: {report.steps} steps, loss {report.first_loss:.3f} to {report.last_loss:.3f}",
            f"model: {report.model}",
            f"report: {report.page}",
        )
    return 0


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BiovitaError(f"--set {text}: write it as name=value")
    return name.strip(), value.strip()
