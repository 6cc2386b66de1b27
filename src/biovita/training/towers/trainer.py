"""The loop of a run that trains towers: phases, epochs and steps, each of which it can be stopped after."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import torch

from biovita.errors import StoppedError
from biovita.training.gate import Gate
from biovita.training.log_lines import GateLine, StepLine, ValidationLine
from biovita.training.recipe import WATCHED, Phase, TowersRecipe
from biovita.training.towers.batches import Feed, TrainingBatch
from biovita.training.towers.checkpoint import Progress
from biovita.training.towers.descent import Descent
from biovita.training.towers.distributed import largest
from biovita.training.towers.networks import Networks
from biovita.training.towers.objective import Objective
from biovita.training.towers.run_log import RunLog
from biovita.training.towers.schedule import loss_terms
from biovita.training.towers.sharded import Whole
from biovita.training.towers.stopping import StopRequest
from biovita.training.towers.validation import Validation, criterion

__all__ = ["Checkpoints", "Trainer"]


class Checkpoints(Protocol):
    """What keeps a run, such as `biovita.training.towers.checkpointer.Checkpointer`."""

    @property
    def directory(self) -> Path:
        """Where the checkpoints lie."""
        ...

    def save(self, state: Progress, optimiser: torch.optim.Optimizer | None) -> None:
        """Keep where the run is, with its networks; None where no optimiser goes on."""
        ...

    def keep(self, name: str, networks: Networks) -> None:
        """Keep the networks as the model of this name."""
        ...


@dataclass(eq=False)
class Trainer:
    """Trains the networks of an objective by the phases of a recipe, from where ``state`` says.

    Attributes
    ----------
    whole
        The networks with whole weights.
    validator
        Scores networks; None where a signal cut that off. It is itself None in all processes but one.
    state
        Where the run is: it moves on as the run does.
    shown
        Whether to show a bar.
    """

    recipe: TowersRecipe
    phases: Mapping[str, Phase]
    objective: Objective
    feed: Feed
    scaler: torch.amp.GradScaler
    whole: Whole
    checkpoints: Checkpoints
    validator: Callable[[Networks], Validation | None] | None
    log: RunLog
    stop: StopRequest
    state: Progress = field(default_factory=Progress)
    shown: bool = False

    @property
    def networks(self) -> Networks:
        """What is trained."""
        return self.objective.networks

    def run(self, moments: Mapping[str, Any] | None = None, stop_after: int | None = None) -> None:
        """Train to the end, or for ``stop_after`` steps; ``moments`` is the optimiser's state to go on from.

        Raises
        ------
        StoppedError
            After a signal.
        """
        names = list(self.phases)
        with self.stop.listening():
            while self.state.phase < len(names):
                descent = self._begin(names[self.state.phase], moments)
                moments = None
                while self.state.epoch < descent.phase.epochs:
                    if self._epoch(descent, stop_after):
                        return
                self.state.phase += 1
                self.state.epoch, self.state.step, self.state.gate = 0, 0, None
        if not self.state.done:
            self.state.done = True
            self.checkpoints.keep("last", self.whole())
            self.checkpoints.save(self.state, None)

    def _begin(self, name: str, moments: Mapping[str, Any] | None) -> Descent:
        """Set a phase up, at its first step or where it was left."""
        descent = Descent(name, self.phases[name], self.objective, self.scaler)
        if moments:
            descent.take_up(moments, f"the optimiser's state in {self.checkpoints.directory}")
        descent.begin(self.state.step)
        gate = descent.phase.gate
        if gate is not None and self.state.gate is None:
            epoch, places = self.feed.plan(descent.phase, self.state.phase, 0)
            batches = self.feed.load(epoch, places[: gate.batches], self.state.phase, 0)
            base = float(np.mean([self.objective.evaluate(batch) for batch in batches]))
            self.state.gate = Gate.at(base)
        return descent

    def _epoch(self, descent: Descent, stop_after: int | None) -> bool:
        """Make the rest of an epoch; return whether the run is to stop."""
        from biovita.progress import progress_bar

        epochs = descent.phase.epochs
        epoch, places = self.feed.plan(descent.phase, self.state.phase, self.state.epoch)
        label = f"{self.recipe.name} {descent.name} {self.state.epoch + 1}/{epochs}"
        rest = places[self.state.batch :]
        with progress_bar(label, len(rest), shown=self.shown) as advance:
            began = time.perf_counter()
            for batch in self.feed.load(epoch, rest, self.state.phase, self.state.epoch):
                self._step(descent, batch, time.perf_counter() - began)
                advance(1)
                if self.state.total == stop_after:
                    return True
                if asked := self._asked():
                    self._save(descent)
                    self._stopped(asked)
                if self.state.total % self.recipe.checkpoint_steps == 0 and self.state.batch < len(places):
                    self._save(descent)
                began = time.perf_counter()
        every, number = self.recipe.validate_epochs, self.state.epoch + 1
        if every and (number % every == 0 or number == epochs) and not self._validate(descent):
            self._save(descent)  # the epoch is not over: the run goes on with its validation
            asked = self._asked()
            assert asked is not None, "a signal alone cuts a validation off"
            self._stopped(asked)
        self.state.epoch, self.state.batch = number, 0
        if self.state.epoch < epochs or self.state.phase + 1 < len(self.phases):
            self._save(descent)
            if asked := self._asked():
                self._stopped(asked)
        return False

    def _step(self, descent: Descent, batch: TrainingBatch, waited: float) -> None:
        """Make a step and write its line."""
        began = time.perf_counter()
        state, phase = self.state, descent.phase
        gate = state.gate
        terms = loss_terms(phase, state.step, gate)
        seed = (self.recipe.seed * 1_000_003 + state.total) * 64 + self.feed.rank
        made = descent.step(batch, terms, gate, step=state.step, seed=seed)
        line = StepLine(
            phase=descent.name,
            epoch=state.epoch,
            step=state.step,
            total=state.total,
            losses=made.terms,
            temperature=float(1 / self.networks.logit_scale().detach()),
            weights=terms,
            learning_rates=descent.learning_rates(state.step),
            gate=None if gate is None else GateLine(gate.open, gate.average),
            gradient_norm=made.norm if math.isfinite(made.norm) else None,
            loss_scale=self.scaler.get_scale() if self.scaler.is_enabled() else None,
            pairs=len(batch.pairs),
            seconds=time.perf_counter() - began,
            waited=waited,
        )
        if gate is not None and phase.gate is not None:
            state.gate = gate.after(made.terms[WATCHED], phase.gate)
        state.step, state.total, state.batch = state.step + 1, state.total + 1, state.batch + 1
        self.log.write(line)

    def _validate(self, descent: Descent) -> bool:
        """Score the model as it is; keep it where it is the best so far. Return whether no signal cut that off."""
        networks = self.whole()
        found = None if self.validator is None else self.validator(networks)
        if found is not None:
            self.log.write(ValidationLine(descent.name, self.state.epoch + 1, self.state.total, found))
            reached = criterion(found)
            if self.state.best is None or reached > self.state.best:
                self.state.best = reached
                self.checkpoints.keep("best", networks)
        cut = self.validator is not None and found is None
        return not largest(int(cut), self.networks.device)

    def _save(self, descent: Descent) -> None:
        """Keep a checkpoint; after the last epoch of a phase it is where the next one begins."""
        if self.state.epoch < descent.phase.epochs:
            self.checkpoints.save(self.state, descent.optimiser)
        else:
            begun = replace(self.state, phase=self.state.phase + 1, epoch=0, step=0, gate=None)
            self.checkpoints.save(begun, None)

    def _asked(self) -> int | None:
        """Return the signal that asked any process to stop."""
        return self.stop.agreed(self.networks.device)

    def _stopped(self, number: int) -> NoReturn:
        raise StoppedError(
            number,
            f"stopped by {signal.Signals(number).name} after {self.state.total:,} steps; a checkpoint is in "
            f"{self.checkpoints.directory}. The same command continues, without --overwrite",
        )
