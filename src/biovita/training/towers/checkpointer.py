"""What a run leaves in its directory as it goes: checkpoints, models, the list of what was left out, its page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from biovita.modality import Modality
from biovita.model import write_model
from biovita.model.met import Met
from biovita.training.recipe import Phase
from biovita.training.towers.checkpoint import Checkpoint, Progress, latest_checkpoint, save_checkpoint
from biovita.training.towers.decode_failures import Failures
from biovita.training.towers.networks import Networks
from biovita.training.towers.run_log import RunLog
from biovita.training.towers.schedule import groups_of
from biovita.training.towers.sharded import Whole, whole_state
from biovita.weights.state_dicts import check_fit

if TYPE_CHECKING:
    from accelerate import PartialState

__all__ = ["Checkpointer"]

logger = logging.getLogger(__name__)

_LEFT_OUT = "left-out.jsonl"


@dataclass(frozen=True, eq=False)
class Checkpointer:
    """Writes the checkpoints and models of a run, and takes up its last checkpoint.

    Every process has to call each of its methods at the same place; the main one writes.

    Attributes
    ----------
    record
        What the models say of the run that made them.
    met
        What they have met.
    phases
        What any of them trains is in a checkpoint.
    """

    out: Path
    whole: Whole
    name: str
    record: Mapping[str, Any]
    met: Met
    phases: Mapping[str, Phase]
    failures: Failures
    scaler: torch.amp.GradScaler
    log: RunLog
    place: PartialState

    @property
    def directory(self) -> Path:
        """Where the checkpoints lie."""
        return self.out / "checkpoints"

    def restore(self) -> tuple[Progress, Mapping[str, Any] | None]:
        """Take up the last whole checkpoint: return where the run was, and its optimiser's state, if any.

        The networks, the scaler, the failures and the log are as they were then. Networks are not yet shared out.

        Raises
        ------
        ModelError
            Where all checkpoints are damaged, or the last one does not fit.
        """
        found = latest_checkpoint(self.directory)
        state = Progress() if found is None else found.state
        if found is not None:
            networks = self.whole.networks
            own = networks.state_dict()
            check_fit({name: own[name] for name in self._kept(networks)}, found.tensors, str(self.out))
            networks.load_state_dict({**own, **found.tensors})
            self.scaler.load_state_dict(state.scaler)
            for each in state.failures:
                self.failures.add(Modality(each.modality), each.id, each.why)
            logger.info("continuing %s after %d steps", self.out, state.total)
        self.log.begin(state.total)
        self.place.wait_for_everyone()
        self.log.rewrite()
        return state, None if found is None else found.optimiser

    def save(self, state: Progress, optimiser: torch.optim.Optimizer | None) -> None:
        """Write a checkpoint: what any phase trains, and the running statistics; None where no optimiser goes on."""
        failures = self.failures.gather()
        networks = self.whole()
        moments = {} if optimiser is None else whole_state(optimiser.state_dict())
        if self.place.is_main_process:
            kept = self._kept(networks)
            tensors = {name: value.detach().cpu() for name, value in networks.state_dict().items() if name in kept}
            state = replace(state, failures=failures, scaler=self.scaler.state_dict())
            save_checkpoint(self.directory, state.total, Checkpoint(state, tensors, moments))
            self.failures.write(self.out / _LEFT_OUT)
            self.log.publish(left_out=len(failures))
        self.place.wait_for_everyone()

    def keep(self, name: str, networks: Networks) -> None:
        """Write the model of networks with whole weights, over one of this name."""
        if self.place.is_main_process:
            with networks.evaluating():
                write_model(networks.as_model(self.name, self.record, self.met), self.out / name, overwrite=True)

    def tell_what_was_left_out(self) -> None:
        """Say how many items could not be decoded, and where they are listed."""
        if self.failures.found and self.place.is_main_process:
            logger.warning(
                "%d training items could not be decoded and were left out: %s",
                len(self.failures.found),
                self.out / _LEFT_OUT,
            )

    def _kept(self, networks: Networks) -> set[str]:
        """Return the names of what a checkpoint holds."""
        dims, stored = networks.dims, networks.state_dict().keys()
        names = {n for phase in self.phases.values() for group in groups_of(phase, dims) for n in group.names}
        return (names | {name for name, _ in networks.named_buffers()}) & stored
