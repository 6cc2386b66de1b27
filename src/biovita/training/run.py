"""A training run: one recipe on one dataset, to a directory with the model and its losses."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from math import nan
from pathlib import Path

from biovita.dataset import Dataset
from biovita.errors import ModelError
from biovita.files import new_directory, write_whole
from biovita.model import describe, load_model, write_model
from biovita.model.formats.projections import read_projections
from biovita.model.formats.projections_config import CONFIG, Config, read_config
from biovita.training.recipe import FrozenRecipe, Recipe, TowersRecipe

__all__ = ["TrainReport", "run_recipe"]

_MOST_BIAS = 1_000_000


@dataclass(frozen=True)
class TrainReport:
    """Where the model and the page are, how many steps made it, and its loss at the first and the last of them."""

    model: Path
    page: Path
    recipe: Recipe
    steps: int
    first_loss: float
    last_loss: float


def run_recipe(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    start: Path | None = None,
    given: Collection[str] = (),
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = True,
) -> TrainReport:
    """Train by a recipe on a split dataset, and write the model to ``out``.

    Projections of frozen towers train on the dataset's embeddings, which are made where they are missing; ``out`` is
    then the model, and beside ``config.json`` and ``model.safetensors`` lie ``losses.jsonl``, one line a step, and
    ``report.html``. A recipe that trains towers
    leaves the directory that `biovita.training.towers.parts.train_towers` describes, and goes on where it was stopped.

    Parameters
    ----------
    start
        A model directory to go on from: that of a stage 1, for a stage 2. None starts untrained. What it has learned
        for projections of frozen towers is gone on from: they, ``logit_scale``, and ``logit_bias`` where it has one.
    given
        Names of the settings that were asked for; one that differs from its default need not be named.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or ``out`` exists.
    ModelError
        Where ``start`` does not fit the recipe, a setting asked for is one that ``start`` has learned, or there is
        nothing to train on.
    """
    if recipe.stage == 2 and start is None:
        raise ModelError(f"{recipe.name} goes on from a stage 1: give its model with --start MODEL")
    if isinstance(recipe, TowersRecipe):
        from biovita.training.towers.parts import train_towers

        log = train_towers(
            recipe, dataset, out, start=start, device=device, overwrite=overwrite, progress=progress
        )
        losses = [line["loss"] for line in log if line["kind"] == "step"] or [nan]  # where the log was lost
        return TrainReport(out / "last", out / "report.html", recipe, len(losses), losses[0], losses[-1])
    assert isinstance(recipe, FrozenRecipe)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ModelError(f"{recipe.name} trains in one process, in seconds: start it without torchrun")
    if start is not None:
        _check_start(start, recipe, given)
    with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
        losses = _train_projections(recipe, dataset, scratch, start=start, device=device, progress=progress)
    return TrainReport(out, out / "report.html", recipe, recipe.steps, losses[0], losses[-1])


def _train_projections(
    recipe: FrozenRecipe,
    dataset: Dataset,
    out: Path,
    *,
    start: Path | None,
    device: str,
    progress: bool,
) -> list[float]:
    """Write the model, its losses and its page into ``out``, which is empty; return the losses."""
    from biovita.progress import progress_bar
    from biovita.report.training import write_training_page
    from biovita.training.projections.frozen import model_of, training_set
    from biovita.training.projections.loop import Aligned, align, untrained

    base = load_model(describe(recipe.model).towers, device)
    data = training_set(dataset, base, names=recipe.weights.names > 0, progress=progress)
    begin = untrained(data, recipe)
    if start is not None:
        config = read_config(start)
        begin = Aligned(read_projections(start, config), config.logit_scale, (), _bias(start, config))
    with progress_bar(recipe.name, recipe.steps, shown=progress) as advance:
        aligned = align(data, recipe, begin, on_step=advance)
    model = model_of(aligned, recipe, base, dataset, start=start)
    write_model(model, out)
    lines = [json.dumps({"step": step, **values}) for step, values in enumerate(aligned.history)]
    write_whole(out / "losses.jsonl", "\n".join(lines) + "\n")
    drawn = [
        {"kind": "step", "phase": recipe.name, "total": step, "temperature": 1 / values["logit_scale"], **values}
        for step, values in enumerate(aligned.history)
    ]
    write_training_page(out, drawn, model.record, files=("losses.jsonl", "config.json"))
    return [values["loss"] for values in aligned.history]


def _bias(path: Path, config: Config) -> float | None:
    """Return the bias that a model has learned, if any."""
    bias = config.record.get("logit_bias")
    if bias is not None and (type(bias) not in {int, float} or not abs(bias) <= _MOST_BIAS):
        raise ModelError(f"{path / CONFIG}: record.logit_bias is no number within {_MOST_BIAS:,}")
    return None if bias is None else float(bias)


def _check_start(path: Path, recipe: FrozenRecipe, given: Collection[str]) -> None:
    config = read_config(path)
    if config.dim != recipe.dim:
        raise ModelError(f"{path} has {config.dim} dimensions, and the recipe asks for {recipe.dim}")
    for modality, tower in describe(recipe.model).encoders.items():
        ref = config.towers.get(modality)
        if ref is None or (ref.revision, ref.dim) != (tower.revision, tower.dim):
            found = "not there" if ref is None else f"{ref.name} of {ref.dim} numbers at {ref.revision}"
            raise ModelError(
                f"{path} is not of the towers of {recipe.model!r}: its {modality} tower is {found}, and wanted is "
                f"{tower.name} of {tower.dim} at {tower.revision}. Name the model that it was trained on with "
                "--set model=..."
            )
    brought = {"logit_scale": config.logit_scale, "logit_bias": _bias(path, config)}
    for name, learned in brought.items():
        asked = getattr(recipe, name)
        if learned is not None and (name in given or asked != FrozenRecipe.model_fields[name].default):
            raise ModelError(
                f"{name} = {asked:g} would change nothing: {path} has learned {learned:.4g}, and training goes on "
                f"from there. Leave {name} out here; it is set for the run without a start"
            )
