"""Small towers with random weights learn through stage 0 and both published stages."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from biovita.compute.device import choose_device
from biovita.dataset import Dataset
from biovita.dataset.split import split_dataset
from biovita.modality import Modality
from biovita.model import Model, load_model, write_model
from biovita.towers import EncoderCard
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import ClapAudio
from biovita.towers.mel_config import MelConfig
from biovita.towers.open_clip import OpenClipImage, OpenClipText, build_clip
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.train_towers import train_towers
from biovita.training.towers.validation import embedded, scores_of
from support.published_layouts import SMALL_CLAP, SMALL_CLIP, make

CLIP: dict[str, Any] = {
    "embed_dim": 48,
    "vision_cfg": {**SMALL_CLIP["vision_cfg"], "head_width": 32},
    "text_cfg": {**SMALL_CLIP["text_cfg"], "context_length": 48},
}
CLAP: dict[str, Any] = {
    **SMALL_CLAP,
    "audio_config": {
        "spec_size": 128,
        "patch_size": 8,
        "patch_stride": [8, 8],
        "window_size": 4,
        "depths": [1, 1, 1],
        "num_attention_heads": [1, 2, 4],
        "patch_embeds_hidden_size": 32,
        "hidden_size": 128,
        "projection_dim": 24,
    },
}
SHARED: dict[str, Any] = {"audio_model": None, "cached": False, "validate_epochs": 0, "pairs.at_most": 6}


def _write_towers(path: Path) -> Path:
    made = make(CLIP, CLAP)
    device = choose_device("cpu")
    clip = build_clip(CLIP, made.clip.state_dict(), "a test")
    info = [EncoderCard(f"random-{m}", m, 48, "random", "0", "none") for m in Modality]
    listen, mel = AudioInput(seconds=2.0), MelConfig(hop=960)
    adapter = made.adapter.weight.detach()
    towers: dict[Modality, Any] = {
        Modality.AUDIO: ClapAudio(info[0], made.clap, device, listen=listen, mel=mel, adapter=adapter),
        Modality.IMAGE: OpenClipImage(info[1], clip, device),
        Modality.TEXT: OpenClipText(info[2], clip, device),
    }
    return write_model(Model.of_towers("random", towers), path)


def _phase(name: str, epochs: int, *parts: str) -> dict[str, Any]:
    rates = {f"phases.{name}.{part}.learning_rate": 1e-3 for part in parts}
    return {f"phases.{name}.epochs": epochs, f"phases.{name}.batch_size": 32, **rates}


@pytest.mark.slow
def test_towers_without_weights_learn_to_place_species_they_never_met(fauna: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(shutil.copytree(fauna, tmp_path / "fauna"))
    split_dataset(dataset, unseen=15, seed=0)
    towers = _write_towers(tmp_path / "towers")
    shared = {**SHARED, "model": str(towers)}
    stages = {
        "scratch/stage0": _phase("itc", 12, "image", "text"),
        "paper/stage1": _phase("atc", 12, "audio", "adapter"),
        "paper/stage2": {
            **_phase("warmup", 6, "audio", "adapter"),
            **_phase("full", 1, "adapter"),
            "phases.full.aic.steps": 6,
            "phases.full.itc.steps": 3,
        },
    }
    start, reached = towers, {}
    for name, settings in stages.items():
        out = tmp_path / name.replace("/", "-")
        chosen = recipe(name, {**shared, **settings}, TowersRecipe)
        train_towers(chosen, dataset, out, start=start, device="cpu", progress=False)
        start = out / "last"
        reached[name] = _times_chance(start, dataset)
    zero, one, two = reached.values()
    heard = ("A2T", "T2A", "A2I", "I2A")
    assert min(zero["seen", "I2T"], zero["seen", "T2I"]) > 8
    assert max(zero["seen", direction] for direction in heard) < 3, "nothing was heard yet"
    assert min(two["seen", direction] for direction in heard) > 2
    assert two["seen", "A2I"] + two["seen", "I2A"] > one["seen", "A2I"] + one["seen", "I2A"]
    assert sum(value for (part, _), value in two.items() if part == "unseen") / 6 > 1.5


def _times_chance(model: Path, dataset: Dataset) -> dict[tuple[str, str], float]:
    """Return Top-1 at species level as times chance, by part and direction."""
    find = partial(embedded, load_model(model, "cpu"))
    rows = scores_of(dataset, find, seed=0, text="tax_com").rows(ks=(1,))
    return {(row.part, row.direction): row.accuracy / row.chance for row in rows if row.level == "species"}
