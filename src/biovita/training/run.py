"""A training run: one recipe on one dataset, to a directory with the model and its losses."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from math import nan
from pathlib import Path

from biovita.dataset import Dataset
from biovita.dataset.split import require_split
from biovita.errors import ModelError
from biovita.files import new_directory
from biovita.model.formats.projections_config import CONFIG
from biovita.one_line import OneLine
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.log_lines import PageWriter
from biovita.training.recipe import FrozenRecipe, Recipe, TowersRecipe
from biovita.training.run_record import record_of

__all__ = ["TrainReport", "run_recipe"]


@dataclass(frozen=True, repr=False)
class TrainReport(OneLine):
    """What a training run made.

    Attributes
    ----------
    model
        Directory of the model; of a recipe that trains towers, the last one.
    page
        The page about it, ``report.html``.
    recipe
        What it was trained by.
    steps
        How many are in the log.
    first_loss, last_loss
        At the first and the last step; NaN where the log was lost.
    excluded
        What training was kept from.
    """

    model: Path
    page: Path
    recipe: Recipe
    steps: int
    first_loss: float
    last_loss: float
    excluded: Exclusion = NOTHING


def run_recipe(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    page: PageWriter,
    start: Path | None = None,
    exclude: Exclusion = NOTHING,
    given: Collection[str] = (),
    device: str = "auto",
    allow_leak: bool = False,
    overwrite: bool = False,
    progress: bool = True,
) -> TrainReport:
    """Train by a recipe on a split dataset, and write the model to ``out``.

    Projections of frozen towers train on the dataset's embeddings, which are made where they are missing; ``out`` is
    then the model, and beside ``config.json`` and ``model.safetensors`` lie ``losses.jsonl``, one line a step, and
    ``report.html``. A recipe that trains towers leaves the directory that
    `biovita.training.towers.train_towers.train_towers` describes, and goes on where it was stopped.

    Parameters
    ----------
    page
        Writes ``report.html``.
    start
        A model directory to go on from: that of a stage 1, for a stage 2. None starts untrained. What it has learned
        for projections of frozen towers is gone on from: they, ``logit_scale``, and ``logit_bias`` where it has one.
    exclude
        Taxa whose items, and whose classes in the towers' classifiers, are left out.
    given
        Names of the settings that were asked for; one that differs from its default need not be named.
    allow_leak
        Go on from a ``start`` that has trained on what the split holds out or on what is excluded; the record says so.

    Raises
    ------
    DatasetError
        Where the dataset has not been split, or ``out`` exists.
    ModelError
        Where ``start`` does not fit the recipe, it has trained on what the split holds out, a setting asked for is one
        that ``start`` has learned, or there is nothing to train on.
    """
    require_split(dataset)
    if recipe.stage == 2 and start is None:
        raise ModelError(f"{recipe.name} goes on from a stage 1. Give its model with --start MODEL")
    if isinstance(recipe, TowersRecipe):
        from biovita.training.towers.train_towers import train_towers

        log = train_towers(
            recipe,
            dataset,
            out,
            start=start,
            exclude=exclude,
            device=device,
            allow_leak=allow_leak,
            overwrite=overwrite,
            progress=progress,
            page=page,
        )
        losses = [line.losses["loss"] for line in log] or [nan]  # where the log was lost
        return TrainReport(out / "last", out / "report.html", recipe, len(losses), losses[0], losses[-1], exclude)
    assert isinstance(recipe, FrozenRecipe)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ModelError(f"{recipe.name} trains in one process. Start it without torchrun")
    from biovita.training.projections.train_projections import check_items, check_start, train_projections

    check_items(recipe, dataset)
    if start is not None:
        check_start(start, recipe, given)
    record = record_of(recipe, dataset, start=start, exclude=exclude, allow_leak=allow_leak)
    with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
        history = train_projections(
            recipe, dataset, scratch, record, exclude, page=page, start=start, device=device, progress=progress
        )
    losses = [came.losses["loss"] for came in history]
    return TrainReport(out, out / "report.html", recipe, len(losses), losses[0], losses[-1], exclude)
