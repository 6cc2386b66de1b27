"""A phase with its optimiser: from a batch to weights that are one step further."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from biovita.errors import ModelError
from biovita.training.gate import Gate
from biovita.training.recipe import Phase
from biovita.training.towers.batches import TrainingBatch
from biovita.training.towers.checkpoint import check_moments
from biovita.training.towers.objective import Objective
from biovita.training.towers.schedule import MOST_LOG_SCALE, groups_of, trainable
from biovita.training.towers.sharded import clip_gradients, shared_out
from biovita.training.towers.step import average_gradients, average_statistics, backward

__all__ = ["Descent", "StepResult"]


@dataclass(frozen=True)
class StepResult:
    """What a step came to: the loss and its terms over all processes, and the norm that the gradient had."""

    terms: Mapping[str, float]
    norm: float


class Descent:
    """A phase of a run with an optimiser of its own, new or taken up.

    Parameters
    ----------
    scaler
        Of fp16; it goes on through all phases.
    """

    def __init__(self, name: str, phase: Phase, objective: Objective, scaler: torch.amp.GradScaler) -> None:
        self.name, self.phase, self.objective, self.scaler = name, phase, objective, scaler
        self.networks = objective.networks
        self.groups = groups_of(phase, self.networks.dims)
        parameters = dict(self.networks.named_parameters())
        self.optimiser = torch.optim.AdamW(
            [
                {
                    "params": [parameters[n] for n in group.names],
                    "lr": group.learning_rate,
                    "weight_decay": group.weight_decay,
                }
                for group in self.groups
            ],
            betas=phase.betas,
            foreach=False if objective.recipe.sharded else None,  # a group holds tensors of both kinds
        )

    def take_up(self, state: Mapping[str, Any], where: str) -> None:
        """Take up an optimiser's moments; its rates are the recipe's, whatever the checkpoint says of them.

        Raises
        ------
        ModelError
            Where the state is of another optimiser; ``where`` says in it what the state is.
        """
        groups = self.optimiser.param_groups
        order = [parameter for group in groups for parameter in group["params"]]
        settings = [{k: v for k, v in group.items() if k != "params"} for group in groups]
        check_moments(state, order, where)
        try:
            self.optimiser.load_state_dict(shared_out(state, order))
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
            raise ModelError(
                f"{where} does not belong to this run: {error}. Start again with --overwrite"
            ) from error
        for group, own in zip(self.optimiser.param_groups, settings, strict=True):
            for name in group.keys() - {"params"} - own.keys():
                del group[name]
            group.update(own)

    def begin(self, step: int) -> None:
        """Set the networks up for a step of the phase: its first, or one where it was left."""
        if step == 0 and self.phase.reset_temperature is not None:
            with torch.no_grad():
                self.networks.log_scale.fill_(-math.log(self.phase.reset_temperature))
        self._clamp()
        self.networks.zero_grad(set_to_none=True)  # of the phase before
        self.networks.set_trainable(trainable(self.groups, step))

    def step(
        self, batch: TrainingBatch, terms: Mapping[str, float], gate: Gate | None, *, step: int, seed: int
    ) -> StepResult:
        """Make a step of the phase; ``terms`` are the weights of the loss, ``seed`` fixes all that is random.

        Raises
        ------
        ModelError
            Where the loss or a gradient is not finite. Under fp16 a gradient may be: the step is then left out.
        """
        networks, recipe = self.networks, self.objective.recipe
        active = trainable(self.groups, step)
        if active != {name for name, p in networks.named_parameters() if p.requires_grad}:
            networks.set_trainable(active)
        self.optimiser.zero_grad(set_to_none=True)
        found = backward(
            self.objective.inputs(batch, terms, seed),
            lambda vectors: self.objective.losses(self.phase, terms, gate, vectors, batch),
            networks,
            chunk=recipe.chunk,
            seed=seed,
            together=recipe.sharded,
            scaled=self.scaler.scale,
        )
        if not math.isfinite(found.terms["loss"]):
            raise self._not_finite(step, f"loss is {found.terms['loss']}")
        trained = [p for p in networks.parameters() if p.requires_grad]
        average_gradients(trained)
        average_statistics(networks)
        self.scaler.unscale_(self.optimiser)
        norm = clip_gradients(trained, self.phase.clip or math.inf)
        if not math.isfinite(norm) and not self.scaler.is_enabled():
            raise self._not_finite(step, "gradient is not finite")
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._clamp()
        return StepResult(found.terms, norm)

    def learning_rates(self, step: int) -> dict[str, float]:
        """Return the rates of the parts that are trained at a step."""
        return {group.part: group.learning_rate for group in self.groups if step >= group.from_step}

    def _clamp(self) -> None:
        if self.phase.clamp:
            with torch.no_grad():
                self.networks.log_scale.clamp_(-MOST_LOG_SCALE, MOST_LOG_SCALE)

    def _not_finite(self, step: int, what: str) -> ModelError:
        return ModelError(
            f"{self.objective.recipe.name}: the {what} at step {step} of phase {self.name}. Try lower learning rates "
            f"(phases.{self.name}.*.learning_rate), or precision=fp32"
        )
