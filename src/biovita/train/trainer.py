"""Training the towers themselves, phase by phase: one process or several, stopped and continued at any step."""

from __future__ import annotations

import logging
import math
import signal
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from biovita.compute.cores import cpu_count
from biovita.dataset import Dataset
from biovita.embed import Vectors, read_vectors
from biovita.errors import DatasetError, ModelError, StoppedError
from biovita.modality import Modality
from biovita.model import Model, load_model, save_model
from biovita.towers.device import select_device
from biovita.towers.state import check_fit
from biovita.train.batches import (
    Batch,
    Frozen,
    frozen_vectors,
    load_batches,
    training_items,
)
from biovita.train.checkpoint import Checkpoint, Progress, check_moments, latest_checkpoint, save_checkpoint
from biovita.train.directory import alone, begin, hash_of_weights, is_fresh
from biovita.train.failures import Failures
from biovita.train.gathered import largest
from biovita.train.log import RunLog
from biovita.train.losses import kinship_of
from biovita.train.networks import Networks, has_towers_of, starting_model
from biovita.train.objective import Objective
from biovita.train.recipe import Augment, Phase, TowersRecipe
from biovita.train.record import record_of
from biovita.train.sampling import Epoch, batches, stage0_epoch, stage1_epoch, stage2_epoch
from biovita.train.schedule import (
    MOST_LOG_SCALE,
    Gate,
    TrainedGroup,
    groups_of,
    loss_terms,
    phases_of,
    trainable,
)
from biovita.train.sharded import clip_gradients, copy_whole, shard, shared_out, whole_state
from biovita.train.step import average_gradients, average_statistics, backward
from biovita.train.stopping import Interrupted, StopRequest
from biovita.train.validate import Rows, criterion, tower_vectors, validate, validation_items

__all__ = ["train_towers"]

logger = logging.getLogger(__name__)

_BIAS = -10.0  # where SigLIP's bias starts
_LEFT_OUT = "left-out.jsonl"


@dataclass(frozen=True)
class _PhaseRun:
    """A phase with its optimiser."""

    name: str
    phase: Phase
    groups: tuple[TrainedGroup, ...]
    optimiser: torch.optim.AdamW


def train_towers(
    recipe: TowersRecipe,
    dataset: Dataset,
    out: Path,
    *,
    start: Path | None = None,
    device: str = "auto",
    overwrite: bool = False,
    progress: bool = True,
    stop_after: int | None = None,
) -> list[dict[str, Any]]:
    """Train by a recipe and return the log; ``out`` gets ``run.json``, ``log.jsonl``, checkpoints and two models.

    ``out/last`` is the model as training ended, ``out/best`` the one that validated best. A run that was stopped goes
    on from its last whole checkpoint when it is called again with the same arguments; on the CPU it ends with the same
    weights, bit for bit. Under ``torchrun`` the processes share the batches.

    Parameters
    ----------
    start
        The model to go on from; None is ``recipe.model``.
    stop_after
        Return after so many steps of the run, as if it had been stopped there.

    Raises
    ------
    DatasetError
        Where the dataset does not serve, ``out`` holds another run, or more media fail than the recipe allows.
    ModelError
        Where the model cannot be trained, ``start`` has other frozen towers than ``recipe.model``, or one process alone
        is to share them out.
    StoppedError
        After SIGTERM or Ctrl-C: the step at hand was finished and a checkpoint written. Under ``torchrun`` a signal to
        any of the processes stops all at the same step.
    """
    from accelerate import PartialState

    # The others wait while the first makes a dataset's vectors and validates, which may take hours.
    place = PartialState(cpu=select_device(device) == "cpu", timeout=timedelta(days=7))
    if recipe.sharded and place.num_processes == 1:
        raise ModelError(
            f"{recipe.name}: sharded=true shares towers out over processes; start several with torchrun"
        )
    identity = {
        **record_of(recipe, dataset, start=start),
        "start_sha256": None if start is None else hash_of_weights(start),
        "processes": place.num_processes,
    }
    fresh = is_fresh(out, identity, needed=(dataset.path, start), overwrite=overwrite)
    place.wait_for_everyone()
    runs = _Run(recipe, dataset, out, identity, start=start, place=place, device=device, progress=progress)
    with alone(out) if place.is_main_process else nullcontext():
        if place.is_main_process and fresh:
            begin(out, identity)
        place.wait_for_everyone()
        return runs.run(stop_after)


class _Run:
    def __init__(
        self,
        recipe: TowersRecipe,
        dataset: Dataset,
        out: Path,
        identity: dict[str, Any],
        *,
        start: Path | None,
        place: Any,
        device: str,
        progress: bool,
    ) -> None:
        self.recipe, self.dataset, self.out, self.place = recipe, dataset, out, place
        self.progress = progress and place.is_main_process
        self.identity = identity
        self.validation: Rows = {}
        if recipe.validate_epochs:
            self.validation = validation_items(dataset, species=recipe.validate_species, seed=recipe.seed)
        self.held_out_images: Vectors | None = None
        name = str(place.device) if place.num_processes > 1 else select_device(device)
        model = starting_model(recipe, start, name)
        bias = _BIAS if recipe.loss == "sigmoid" else None
        self.networks = Networks(model, logit_scale=recipe.start_logit_scale, bias=bias, compiled=recipe.compiled)
        self.phases = phases_of(recipe)
        cached = recipe.cached and not any(phase.image for phase in self.phases.values())
        if start is not None and cached and not has_towers_of(self.networks, load_model(recipe.model, "cpu")):
            raise ModelError(
                f"{start} has other image or text towers than {recipe.model!r}, whose vectors the dataset holds: "
                "name the model it was trained from with --set model=..., or train with --set cached=false"
            )
        self.items = training_items(dataset, sounds=recipe.stage > 0)
        total = {Modality.AUDIO: len(self.items.clips), Modality.IMAGE: len(self.items.photographs)}
        self.failures = Failures(recipe.undecodable, total)
        self.images = any(p.aic.to or p.itc.to for p in self.phases.values())
        self.frozen = self._frozen() if cached else Frozen(None, None)
        kinship = None
        if recipe.positives == "taxonomy":
            kinship = kinship_of(self.items.taxa, recipe.kinship).to(self.networks.device)
        self.objective = Objective(recipe, self.networks, self.items, self.frozen, kinship)
        rows = self.frozen.images
        self.bad_images = (
            np.zeros(max(1, total[Modality.IMAGE]), bool)
            if rows is None
            else rows.isnan().any(dim=1).cpu().numpy()
        )
        self.scaler = torch.amp.GradScaler(self.networks.device.type, enabled=recipe.precision == "fp16")
        self.copy: Networks | None = None
        self.state = Progress()
        self.stop = StopRequest()
        self.log = RunLog(out, writes=place.is_main_process)

    def _frozen(self) -> Frozen:
        make = partial(
            frozen_vectors,
            self.dataset,
            self.recipe.model,
            self.items,
            self.failures,
            images=self.images,
            device=self.networks.device,
            progress=self.progress,
        )
        if self.place.is_main_process:
            made = make()
        self.place.wait_for_everyone()
        return made if self.place.is_main_process else make(made=True)

    # -- the run

    def run(self, stop_after: int | None) -> list[dict[str, Any]]:
        optimiser = self._restore()
        if self.recipe.sharded:
            self.copy = deepcopy(self.networks) if self.place.is_main_process else None
            shard(self.networks)
        names = list(self.phases)
        with self.stop.listening():
            while self.state.phase < len(names):
                run = self._begin(names[self.state.phase], optimiser)
                optimiser = None
                while self.state.epoch < run.phase.epochs:
                    if self._epoch(run, stop_after):
                        return self.log.lines
                self.state.phase += 1
                self.state.epoch, self.state.step, self.state.gate = 0, 0, None
        if not self.state.done:
            self.state.done = True
            self._keep("last", self._whole())
            self._save(None)
        if self.failures.found and self.place.is_main_process:
            logger.warning(
                "%d training items could not be decoded and were left out: %s",
                len(self.failures.found),
                self.out / _LEFT_OUT,
            )
        return self.log.lines

    def _restore(self) -> Mapping[str, Any] | None:
        """Take up the last whole checkpoint; return its optimiser's state."""
        found = latest_checkpoint(self.out / "checkpoints")
        if found is not None:
            self.state = found.state
            own = self.networks.state_dict()
            check_fit({name: own[name] for name in self._kept(self.networks)}, found.tensors, str(self.out))
            self.networks.load_state_dict({**own, **found.tensors})
            self.scaler.load_state_dict(self.state.scaler)
            for modality, item, why in self.state.failures:
                self.failures.add(Modality(modality), item, why)
            logger.info("continuing %s after %d steps", self.out, self.state.total)
        self.log.begin(self.state.total)
        self.place.wait_for_everyone()
        self.log.rewrite()
        return None if found is None else found.optimiser

    def _begin(self, name: str, optimiser_state: Mapping[str, Any] | None) -> _PhaseRun:
        """Set a phase up, at its first step or where it was left."""
        phase = self.phases[name]
        groups = groups_of(phase, self.networks.dims)
        parameters = dict(self.networks.named_parameters())
        optimiser = torch.optim.AdamW(
            [
                {
                    "params": [parameters[n] for n in group.names],
                    "lr": group.learning_rate,
                    "weight_decay": group.weight_decay,
                }
                for group in groups
            ],
            betas=phase.betas,
            foreach=False if self.recipe.sharded else None,  # a group holds tensors of both kinds
        )
        if optimiser_state:
            self._load_optimiser(optimiser, optimiser_state)
        run = _PhaseRun(name, phase, groups, optimiser)
        if self.state.step == 0 and phase.reset_temperature is not None:
            with torch.no_grad():
                self.networks.log_scale.fill_(-math.log(phase.reset_temperature))
        if phase.clamp:
            self._clamp()
        self.networks.zero_grad(set_to_none=True)  # of the phase before
        self.networks.set_trainable(trainable(groups, self.state.step))
        if phase.gate is not None and self.state.gate is None:
            self.state.gate = asdict(Gate.at(self._base(run, phase.gate.batches)))
        return run

    def _load_optimiser(self, optimiser: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
        """Take up an optimiser's moments; its rates are the recipe's, whatever the checkpoint says of them."""
        order = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        settings = [{k: v for k, v in group.items() if k != "params"} for group in optimiser.param_groups]
        check_moments(state, order, f"the optimiser's state in {self.out / 'checkpoints'}")
        try:
            optimiser.load_state_dict(shared_out(state, order))
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
            raise ModelError(
                f"the optimiser's state in {self.out / 'checkpoints'} is not of this run: {error}. Start again with "
                "--overwrite"
            ) from error
        for group, own in zip(optimiser.param_groups, settings, strict=True):
            for name in group.keys() - {"params"} - own.keys():
                del group[name]
            group.update(own)

    def _base(self, run: _PhaseRun, count: int) -> float:
        """Return ATC over the first batches in evaluation mode, averaged."""
        epoch, places = self._plan(run, 0)
        batches = self._load(epoch, places[:count], 0)
        return float(np.mean([self.objective.evaluate(batch) for batch in batches]))

    # -- an epoch

    def _plan(self, run: _PhaseRun, number: int) -> tuple[Epoch, list[np.ndarray]]:
        items, pairs = self.items.items, self.recipe.pairs
        if self.recipe.stage == 2:
            epoch = stage2_epoch(items, pairs, self.recipe.seed, number, phase=self.state.phase)
        else:
            make = stage0_epoch if self.recipe.stage == 0 else stage1_epoch
            epoch = make(items, pairs, self._phase_seed(), number)
        places = batches(
            epoch.species,
            run.phase.batch_size,
            rank=self.place.process_index,
            processes=self.place.num_processes,
            distinct=self.recipe.pairs.distinct,
        )
        if not places or not len(places[0]):
            raise DatasetError(
                f"{self.dataset.path} has too few training items for {self.recipe.name}: {len(epoch)} pairs"
            )
        return epoch, places

    def _phase_seed(self) -> int:
        return self.recipe.seed * 16 + self.state.phase

    def _load(self, epoch: Epoch, places: list[np.ndarray], number: int) -> Any:
        return load_batches(
            self.items,
            epoch,
            places,
            self.networks,
            self.failures,
            seed=(self._phase_seed(), number),
            pixels=self.images and self.frozen.images is None,
            bad_images=self.bad_images,
            workers=cpu_count(),
        )

    def _epoch(self, run: _PhaseRun, stop_after: int | None) -> bool:
        """Make the rest of an epoch; return whether the run is to stop."""
        from biovita.progress import progress_bar

        epoch, places = self._plan(run, self.state.epoch)
        label = f"{self.recipe.name} {run.name} {self.state.epoch + 1}/{run.phase.epochs}"
        rest = places[self.state.batch :]
        with progress_bar(label, len(rest), shown=self.progress) as advance:
            began = time.perf_counter()
            for batch in self._load(epoch, rest, self.state.epoch):
                waited = time.perf_counter() - began
                self._step(run, batch, waited)
                advance(1)
                if self.state.total == stop_after:
                    return True
                if asked := self.stop.agreed(self.networks.device):
                    self._save(run)
                    self._stopped(asked)
                if self.state.total % self.recipe.checkpoint_steps == 0 and self.state.batch < len(places):
                    self._save(run)
                began = time.perf_counter()
        every, number = self.recipe.validate_epochs, self.state.epoch + 1
        if every and (number % every == 0 or number == run.phase.epochs) and not self._validate(run):
            self._save(run)  # the epoch is not over: the run goes on with its validation
            self._stopped(self.stop.agreed(self.networks.device) or signal.SIGTERM)
        self.state.epoch, self.state.batch = number, 0
        if self.state.epoch < run.phase.epochs or self.state.phase + 1 < len(self.phases):
            self._save(run)
            if asked := self.stop.agreed(self.networks.device):
                self._stopped(asked)
        return False

    def _stopped(self, number: int) -> NoReturn:
        raise StoppedError(
            number,
            f"stopped by {signal.Signals(number).name} after {self.state.total:,} steps; a checkpoint is in "
            f"{self.out / 'checkpoints'}. The same command continues, without --overwrite",
        )

    # -- a step

    def _step(self, run: _PhaseRun, batch: Batch, waited: float) -> None:
        began = time.perf_counter()
        step, phase, networks = self.state.step, run.phase, self.networks
        active = trainable(run.groups, step)
        if active != {name for name, p in networks.named_parameters() if p.requires_grad}:
            networks.set_trainable(active)
        gate = Gate(**self.state.gate) if self.state.gate else None
        terms = loss_terms(phase, step, gate)
        run.optimiser.zero_grad(set_to_none=True)
        seed = (self.recipe.seed * 1_000_003 + self.state.total) * 64 + self.place.process_index
        augmented = self.recipe.augment != Augment()
        found = backward(
            self.objective.inputs(batch, terms, seed if augmented else None),
            lambda vectors: self.objective.losses(phase, terms, gate, vectors, batch),
            networks,
            chunk=self.recipe.chunk,
            seed=seed,
            together=self.recipe.sharded,
            scaled=self.scaler.scale,
        )
        if not math.isfinite(found.terms["loss"]):
            raise self._not_finite(run, f"loss is {found.terms['loss']}")
        trained = [p for p in networks.parameters() if p.requires_grad]
        average_gradients(trained)
        average_statistics(networks)
        self.scaler.unscale_(run.optimiser)
        norm = clip_gradients(trained, phase.clip or math.inf)
        if not math.isfinite(norm) and not self.scaler.is_enabled():
            raise self._not_finite(run, "gradient is not finite")
        self.scaler.step(run.optimiser)
        self.scaler.update()
        if phase.clamp:
            self._clamp()
        line = {
            "kind": "step",
            "phase": run.name,
            "epoch": self.state.epoch,
            "step": step,
            "total": self.state.total,
            **found.terms,
            "weights": asdict(terms),
            "learning_rates": {group.part: group.learning_rate for group in run.groups if step >= group.from_step},
            "temperature": float(1 / networks.logit_scale().detach()),
            "gate": None if gate is None else {"open": gate.open, "average": gate.average},
            "gradient_norm": norm if math.isfinite(norm) else None,  # then fp16's scaler has left the step out
            **({"loss_scale": self.scaler.get_scale()} if self.scaler.is_enabled() else {}),
            "pairs": len(batch.pairs),
            "seconds": time.perf_counter() - began,
            "waited": waited,
        }
        if gate is not None and phase.gate is not None:
            self.state.gate = asdict(gate.after(found.terms["atc"], phase.gate))
        self.state.step, self.state.total, self.state.batch = step + 1, self.state.total + 1, self.state.batch + 1
        self.log.write(line)

    def _not_finite(self, run: _PhaseRun, what: str) -> ModelError:
        return ModelError(
            f"{self.recipe.name}: the {what} at step {self.state.step} of phase {run.name}. Try lower learning rates "
            f"(phases.{run.name}.*.learning_rate), or precision=fp32 where it is another"
        )

    def _clamp(self) -> None:
        with torch.no_grad():
            self.networks.log_scale.clamp_(-MOST_LOG_SCALE, MOST_LOG_SCALE)

    # -- what is written

    def _validate(self, run: _PhaseRun) -> bool:
        """Score the model as it is; keep it where it is the best so far. Return whether no signal cut that off."""
        found = None
        networks = self._whole()
        if self.place.is_main_process:
            with suppress(Interrupted), self.stop.at_once(), networks.evaluating():
                model = networks.as_model(self.recipe.name, self.identity)
                images = self._held_out_images(model)
                found = validate(model, self.dataset, self.validation, seed=self.recipe.seed, images=images)
        if found is not None:
            place = {"phase": run.name, "epoch": self.state.epoch + 1, "total": self.state.total}
            self.log.write({"kind": "validation", **place, **found})
            reached = criterion(found)
            if self.state.best is None or reached > self.state.best:
                self.state.best = reached
                self._keep("best", networks)
        cut = self.place.is_main_process and found is None
        return not largest(int(cut), self.networks.device)

    def _held_out_images(self, model: Model) -> Vectors | None:
        """Return the vectors of the held-out photographs, once, unless their tower is trained."""
        if any(phase.image for phase in self.phases.values()):
            return None
        if self.held_out_images is None:
            if self.frozen.images is not None:
                self.held_out_images = read_vectors(self.dataset, self.recipe.model, Modality.IMAGE)
            else:
                rows = self.validation[Modality.IMAGE]
                self.held_out_images = tower_vectors(model, self.dataset, Modality.IMAGE, rows)
        return self.held_out_images

    def _whole(self) -> Networks:
        """Return the networks with whole weights, on the main process; every process has to call this."""
        if not self.recipe.sharded:
            return self.networks
        copy_whole(self.networks, self.copy)
        return self.copy or self.networks

    def _keep(self, name: str, networks: Networks) -> None:
        if self.place.is_main_process:
            with networks.evaluating():
                save_model(networks.as_model(self.recipe.name, self.identity), self.out / name, overwrite=True)

    def _kept(self, networks: Networks) -> set[str]:
        """Return the names of what a checkpoint holds: what any phase trains, and the running statistics."""
        dims, stored = networks.dims, networks.state_dict().keys()
        names = {n for p in self.phases.values() for g in groups_of(p, dims) for n in g.names}
        return (names | {name for name, _ in networks.named_buffers()}) & stored

    def _save(self, run: _PhaseRun | None) -> None:
        """Write a checkpoint: what any phase trains, and the running statistics."""
        failures = self.failures.gather()
        networks = self._whole()
        ended = run is None or self.state.epoch == run.phase.epochs
        optimiser = {} if ended or run is None else whole_state(run.optimiser.state_dict())
        if self.place.is_main_process:
            kept = self._kept(networks)
            tensors = {name: value.detach().cpu() for name, value in networks.state_dict().items() if name in kept}
            state = replace(self.state, failures=failures, scaler=self.scaler.state_dict())
            if ended and run is not None:  # the next phase begins with an optimiser of its own
                state = replace(state, phase=state.phase + 1, epoch=0, step=0, gate=None)
            save_checkpoint(self.out / "checkpoints", state.total, Checkpoint(state, tensors, optimiser))
            self.failures.write(self.out / _LEFT_OUT)
            self.log.publish(left_out=len(failures))
        self.place.wait_for_everyone()
