"""Short runs of small towers through the published stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from biovita.dataset import Dataset
from biovita.report.training import write_training_page
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.networks import Networks
from biovita.training.towers.train_towers import train_towers
from support.tiny_training import read_log

FEW = {"audio_model": "none", "pairs.at_most": 4, "pairs.at_least": 2, "validate_epochs": 0}
STAGE1 = {**FEW, "phases.atc.epochs": 1, "phases.atc.batch_size": 6}
STAGE2 = {
    **FEW,
    "phases.warmup.epochs": 1,
    "phases.warmup.batch_size": 6,
    "phases.full.epochs": 1,
    "phases.full.batch_size": 6,
    "phases.full.gate.batches": 2,
}


def tiny_recipe(stage: int, towers: Path, **settings: Any) -> TowersRecipe:
    base = STAGE1 if stage == 1 else STAGE2
    return recipe(f"paper/stage{stage}", {**base, "model": str(towers), **settings}, TowersRecipe)


def losses(log: list[dict[str, Any]], name: str = "loss") -> list[float]:
    return [line[name] for line in log if line["kind"] == "step"]


def run_tiny(chosen: TowersRecipe, dataset: Dataset, out: Path, **options: Any) -> list[dict[str, Any]]:
    train_towers(chosen, dataset, out, device="cpu", progress=False, page=write_training_page, **options)
    return read_log(out)


def without_chance(put: Callable[[Any, str, Any], None] = setattr) -> None:
    """Train as in evaluation mode: dropout differs from process to process, and so do the statistics of batch norm."""
    set_trainable = Networks.set_trainable

    def quiet(self: Networks, names: Any) -> None:
        set_trainable(self, names)
        self.eval()

    put(Networks, "set_trainable", quiet)
