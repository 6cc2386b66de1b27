"""A run that trains towers: its parts, made from recipe, dataset and model, are handed to the trainer."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from biovita.compute.device import select_device
from biovita.dataset import Dataset
from biovita.errors import ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.model.knowledge import Knowledge
from biovita.training.directory import ResumableRecord, alone, begin, hash_of_weights, is_fresh
from biovita.training.exclusion import NOTHING, Exclusion
from biovita.training.log_lines import PageWriter, StepLine
from biovita.training.losses import Kinship
from biovita.training.recipe import TowersRecipe
from biovita.training.run_record import met_in_run, record_of
from biovita.training.towers.batches import Feed
from biovita.training.towers.checkpointer import Checkpointer
from biovita.training.towers.decode_failures import Failures
from biovita.training.towers.frozen_vectors import FrozenVectors, frozen_vectors
from biovita.training.towers.networks import Networks, has_towers_of, starting_model
from biovita.training.towers.objective import Objective
from biovita.training.towers.run_log import RunLog
from biovita.training.towers.schedule import phases_of
from biovita.training.towers.sharded import Whole
from biovita.training.towers.stopping import StopRequest
from biovita.training.towers.taxon_knowledge import facts_of_species, taxon_knowledge
from biovita.training.towers.trainer import Trainer
from biovita.training.towers.training_items import TrainingItems, training_items
from biovita.training.towers.validation import Validator, validation_items

if TYPE_CHECKING:
    from accelerate import PartialState

__all__ = ["train_towers"]

_BIAS = -10.0  # where SigLIP's bias starts


def train_towers(
    recipe: TowersRecipe,
    dataset: Dataset,
    out: Path,
    *,
    start: Path | None = None,
    exclude: Exclusion = NOTHING,
    device: str = "auto",
    allow_leak: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    stop_after: int | None = None,
    page: PageWriter | None = None,
) -> list[StepLine]:
    """Train by a recipe and return the lines of the steps in the log.

    ``out`` gets ``run.json``, ``log.jsonl``, checkpoints and two models: ``out/last`` is the model as training ended,
    ``out/best`` the one that validated best. A run that was stopped goes on from its last whole checkpoint when it is
    called again with the same arguments; on the CPU it ends with the same weights, bit for bit. Under ``torchrun`` the
    processes share the batches.

    Parameters
    ----------
    start
        The model to go on from; None is ``recipe.model``.
    exclude
        Taxa whose items are left out.
    allow_leak
        Go on from one that has trained on what the split holds out; the record says so.
    stop_after
        Return after so many steps of the run, as if it had been stopped there.
    page
        Writes the run's page, ``report.html``, as it goes; None where it gets none.

    Raises
    ------
    DatasetError
        Where the dataset does not serve, ``out`` holds another run, or more media fail than the recipe allows.
    ModelError
        Where the model cannot be trained, ``start`` has trained on what the split holds out or has other frozen towers
        than ``recipe.model``, or one process alone is to share them out.
    StoppedError
        After SIGTERM or Ctrl-C: the step at hand was finished and a checkpoint written. Under ``torchrun`` a signal to
        any of the processes stops all at the same step.
    """
    from accelerate import PartialState

    # The others wait while the first makes a dataset's vectors and validates, which may take hours.
    place = PartialState(cpu=select_device(device) == "cpu", timeout=timedelta(days=7))
    if recipe.sharded and place.num_processes == 1:
        raise ModelError(
            f"{recipe.name}: sharded=true shares the towers out over processes, and there is one. "
            "Start several with torchrun"
        )
    record = ResumableRecord(
        **vars(record_of(recipe, dataset, start=start, exclude=exclude, allow_leak=allow_leak)),
        start_sha256=None if start is None else hash_of_weights(start),
        processes=place.num_processes,
    )
    fresh = is_fresh(out, record, needed=(dataset.path, start), overwrite=overwrite)
    place.wait_for_everyone()
    trainer, checkpoints = _trainer(
        recipe, dataset, out, record, exclude, start=start, device=device, place=place, page=page, shown=progress
    )
    with alone(out) if place.is_main_process else nullcontext():
        if place.is_main_process and fresh:
            begin(out, record)
        place.wait_for_everyone()
        trainer.state, moments = checkpoints.restore()
        if recipe.sharded:
            trainer.whole.share_out(copied=place.is_main_process)
        trainer.run(moments, stop_after)
        if trainer.state.done:
            checkpoints.tell_what_was_left_out()
    return trainer.log.steps


def _trainer(
    recipe: TowersRecipe,
    dataset: Dataset,
    out: Path,
    record: ResumableRecord,
    exclude: Exclusion,
    *,
    start: Path | None,
    device: str,
    place: PartialState,
    page: PageWriter | None,
    shown: bool,
) -> tuple[Trainer, Checkpointer]:
    """Return the trainer of a run at its beginning, and what keeps it; vectors of frozen towers are made here."""
    main, stop, phases = place.is_main_process, StopRequest(), phases_of(recipe)
    trained = {modality for phase in phases.values() for modality in phase.trains}
    cached = recipe.cached and Modality.IMAGE not in trained
    validator = None
    if recipe.validate_epochs:
        ids = validation_items(dataset, species=recipe.validate_species, seed=recipe.seed, exclude=exclude)
        kept = {Modality.IMAGE, Modality.TEXT} - trained if cached else set()
        validator = Validator(recipe, dataset, record.as_json(), ids, stop, kept, trained)
    items = training_items(dataset, sounds=recipe.stage > 0, exclude=exclude)
    knowledge = taxon_knowledge(items, recipe.text.features)
    where = str(place.device) if place.num_processes > 1 else select_device(device)
    networks = _networks(recipe, start, knowledge, where, cached=cached)
    failures = Failures(recipe.undecodable, {modality: len(rows) for modality, rows in items.media.items()})
    seen = any(phase.compares(Modality.IMAGE) for phase in phases.values())
    vectors = FrozenVectors({}, None)
    if cached:
        vectors = _cached(recipe, items, failures, networks.device, place, images=seen, progress=shown and main)
    feed = Feed(
        recipe,
        items,
        {m: load for m, load in networks.loaders.items() if m == Modality.AUDIO or (seen and not cached)},
        vectors.missing(),
        failures,
        rank=place.process_index,
        processes=place.num_processes,
    )
    kinship = None
    if recipe.positives == "taxonomy":
        kinship = Kinship.of(items.taxa, recipe.kinship).to(networks.device)
    facts = facts_of_species(items, knowledge)
    objective = Objective(recipe, networks, items.prompts, vectors, kinship, facts)
    scaler = torch.amp.GradScaler(networks.device.type, enabled=recipe.precision == "fp16")
    log, whole = RunLog(out, writes=main, page=page), Whole(networks)
    heard = [modality for modality in MEDIA if any(phase.compares(modality) for phase in phases.values())]
    met = met_in_run(record, dataset, items.taxa, modalities=heard, start=start, before=networks.model.met)
    stated = record.as_json()
    checkpoints = Checkpointer(out, whole, recipe.name, stated, met, phases, failures, scaler, log, place)
    trainer = Trainer(
        recipe,
        phases,
        objective,
        feed,
        scaler,
        whole,
        checkpoints,
        validator if main else None,
        log,
        stop,
        shown=shown and main,
    )
    return trainer, checkpoints


def _networks(
    recipe: TowersRecipe, start: Path | None, knowledge: Knowledge | None, device: str, *, cached: bool
) -> Networks:
    """Return the networks as the run begins, checked to have the frozen towers whose vectors are read."""
    networks = Networks(
        starting_model(recipe, start, device),
        logit_scale=recipe.start_logit_scale,
        bias=_BIAS if recipe.loss == "sigmoid" else None,
        knowledge=knowledge,
        compiled=recipe.compiled,
    )
    if start is None or not cached or start == Path(recipe.model):
        return networks
    if not has_towers_of(networks, load_model(recipe.model, "cpu", [Modality.IMAGE, Modality.TEXT])):
        raise ModelError(
            f"{start} has other image or text towers than {recipe.model!r}, whose vectors the dataset holds. "
            "Name the model that it was trained from with --set model=..., or train with --set cached=false"
        )
    return networks


def _cached(
    recipe: TowersRecipe,
    items: TrainingItems,
    failures: Failures,
    device: torch.device,
    place: PartialState,
    *,
    images: bool,
    progress: bool,
) -> FrozenVectors:
    """Return the vectors of frozen towers; the main process makes what is missing, and then the others read it."""
    read = partial(frozen_vectors, items, recipe.model, failures, images=images, device=device, progress=progress)
    if place.is_main_process:
        found = read()
    place.wait_for_everyone()
    return found if place.is_main_process else read(compute=False)
