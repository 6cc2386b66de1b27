"""A training run: one recipe on one dataset, to a directory with the model and its losses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biovita.dataset import Dataset, Modality
from biovita.errors import ModelError
from biovita.model import Model, save_model
from biovita.model.store import read_config, with_towers
from biovita.towers import Tower
from biovita.train.recipe import FrozenRecipe, Recipe, TowersRecipe

__all__ = ["TrainReport", "train"]


@dataclass(frozen=True)
class TrainReport:
    """Where the model is, how many steps made it, and its loss at the first and the last of them."""

    model: Path
    recipe: Recipe
    steps: int
    first_loss: float
    last_loss: float


def train(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    start: Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = True,
) -> TrainReport:
    """Train by a recipe on a split dataset, and write the model to ``out``.

    Projections of frozen towers need the dataset's embeddings; ``out`` is then the model, and beside ``config.json``
    and ``model.safetensors`` lie ``losses.jsonl``, one line a step, and ``report.html``. A recipe that trains towers
    leaves the directory that `biovita.train.trainer.train_towers` describes, and goes on where it was stopped.

    Parameters
    ----------
    start
        A model directory to go on from: that of a stage 1, for a stage 2. None starts untrained.

    Raises
    ------
    DatasetError
        Where the dataset has not been split or embedded, or ``out`` exists.
    ModelError
        Where ``start`` does not fit the recipe.
    """
    if recipe.stage == 2 and start is None:
        raise ModelError(f"{recipe.name} goes on from a stage 1: give its model with --start MODEL")
    if isinstance(recipe, TowersRecipe):
        from biovita.train.trainer import train_towers

        log = train_towers(
            recipe, dataset, out, start=start, device=device, overwrite=overwrite, progress=progress
        )
        losses = [line["loss"] for line in log if line["kind"] == "step"]
        return TrainReport(out / "last", recipe, len(losses), losses[0], losses[-1])
    assert isinstance(recipe, FrozenRecipe)
    return _train_projections(
        recipe, dataset, out, start=start, device=device, overwrite=overwrite, progress=progress
    )


def _train_projections(
    recipe: FrozenRecipe,
    dataset: Dataset,
    out: Path,
    *,
    start: Path | None,
    device: str,
    overwrite: bool,
    progress: bool,
) -> TrainReport:
    from biovita.progress import progress_bar
    from biovita.report.training import write_training_page
    from biovita.towers import load_towers
    from biovita.train.frozen import model_of, training_set
    from biovita.train.loop import Aligned, align, untrained

    towers = load_towers(recipe.model, device)
    data = training_set(dataset, recipe.model, towers, names=recipe.weights.names > 0, progress=progress)
    begin = untrained(data, recipe)
    if start is not None:
        before = _opened(start, towers, recipe)
        begin = Aligned(before.projections, before.logit_scale, ())
    with progress_bar(recipe.name, recipe.steps, shown=progress) as advance:
        aligned = align(data, recipe, begin, on_step=advance)
    model = model_of(aligned, recipe, towers, dataset, start=start)
    save_model(model, out, overwrite=overwrite)
    lines = [json.dumps({"step": step, **values}) for step, values in enumerate(aligned.history)]
    (out / "losses.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    drawn = [
        {"kind": "step", "phase": recipe.name, "total": step, "temperature": 1 / values["logit_scale"], **values}
        for step, values in enumerate(aligned.history)
    ]
    write_training_page(out, drawn, model.record, files=("losses.jsonl", "config.json"))
    return TrainReport(out, recipe, recipe.steps, aligned.history[0]["loss"], aligned.history[-1]["loss"])


def _opened(path: Path, towers: Mapping[Modality, Tower], recipe: FrozenRecipe) -> Model:
    config = read_config(path)
    if config.dim != recipe.dim:
        raise ModelError(f"{path} has {config.dim} dimensions, and the recipe asks for {recipe.dim}")
    return with_towers(path, config, towers)
