"""What small towers learn from nothing on the simulated fauna, through both published stages.

    python benchmarks/from_scratch.py DATASET [--out scratch-run] [--epochs 12 4 6]

DATASET is a simulated fauna that has been split (`biovita demo` without --data leaves one). A small HTS-AT, a small ViT
and a small text tower begin with random weights. Phases, losses, gate and sampling are those of paper/stage1 and
paper/stage2. What random weights want otherwise is set: learning rates of 1e-3, fewer epochs, and ramps and unfreezing
after tens of steps in place of hundreds. Prints Top-1 on unseen species as times chance, direction by direction.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import open_clip
import torch
from transformers import ClapConfig, ClapModel

from biovita.bench import headline
from biovita.dataset import Dataset, Modality
from biovita.model import Model, load_model
from biovita.model.published import save_published
from biovita.towers import TowerInfo
from biovita.towers.audio import AudioInput
from biovita.towers.clap import ClapAudio
from biovita.towers.device import choose_device
from biovita.towers.open_clip import OpenClipImage, OpenClipText, build_clip
from biovita.train import TowersRecipe, recipe
from biovita.train.trainer import train_towers
from biovita.train.validate import scores_of

DIM, RATE = 64, 1e-3
CLIP: dict[str, Any] = {
    "embed_dim": DIM,
    "vision_cfg": {"image_size": 64, "layers": 3, "width": 96, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 48, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 2},
}
CLAP: dict[str, Any] = {
    "projection_dim": DIM,
    "audio_config": {
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [2, 4, 8, 16],
        "patch_embeds_hidden_size": 24,
        "hidden_size": 192,
        "projection_dim": DIM,
    },
    "text_config": {
        "num_hidden_layers": 1,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 100,
        "projection_dim": DIM,
    },
}


def write_towers(out: Path, seed: int) -> Path:
    """Write towers with random weights in the published layout."""
    torch.manual_seed(seed)
    clip = build_clip(CLIP, open_clip.model.CLIP(**CLIP).state_dict(), "random weights")
    clap = ClapModel(ClapConfig.from_dict(CLAP))
    with torch.no_grad():  # the level of ordinary sound, dB, which a pretrained tower has learned
        norm = clap.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(-50)
        norm.running_var.fill_(200)
    device = choose_device("cpu")
    info = [TowerInfo(f"random-{m}", m, DIM, "random", "0", "none") for m in Modality]
    adapter = torch.randn(DIM, DIM) / DIM**0.5
    towers: dict[Modality, Any] = {
        Modality.AUDIO: ClapAudio(info[0], clap.eval(), device, listen=AudioInput(), adapter=adapter),
        Modality.IMAGE: OpenClipImage(info[1], clip, device),
        Modality.TEXT: OpenClipText(info[2], clip, device),
    }
    return save_published(Model("random", towers), out, overwrite=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, default=Path("scratch-run"))
    parser.add_argument("--epochs", type=int, nargs=3, default=[12, 4, 6], metavar=("STAGE1", "WARMUP", "FULL"))
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    dataset, out = Dataset.open(arguments.dataset), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    towers = out / "towers"
    if not towers.exists():
        write_towers(towers, arguments.seed)
    shared = {"model": str(towers), "audio_model": None, "pairs.at_most": 8, "validate_epochs": 0}
    shared["seed"] = arguments.seed
    first, warmup, full = arguments.epochs
    settings: dict[int, dict[str, Any]] = {
        1: {
            "phases.atc.epochs": first,
            "phases.atc.batch_size": arguments.batch,
            "phases.atc.audio.learning_rate": RATE,
            "phases.atc.adapter.learning_rate": RATE,
        },
        2: {
            "phases.warmup.epochs": warmup,
            "phases.warmup.batch_size": arguments.batch,
            "phases.warmup.audio.learning_rate": RATE,
            "phases.warmup.adapter.learning_rate": RATE,
            "phases.full.epochs": full,
            "phases.full.batch_size": arguments.batch,
            "phases.full.adapter.learning_rate": RATE,
            "phases.full.text.learning_rate": RATE,
            "phases.full.audio_top.from_step": 10,
            "phases.full.temperature.from_step": 20,
            "phases.full.aic.steps": 20,
            "phases.full.itc.steps": 10,
        },
    }
    models = {"random towers": towers}
    start = None
    for stage in (1, 2):
        chosen = recipe(f"paper/stage{stage}", {**shared, **settings[stage]}, TowersRecipe)
        train_towers(chosen, dataset, out / f"stage{stage}", start=start, device="cpu")
        start = models[f"stage {stage}"] = out / f"stage{stage}" / "last"
    print(f"{'':<14} {'mean':>5}   each direction, Top-1 on unseen species as times chance (95 % interval)")
    for title, path in models.items():
        rows = scores_of(load_model(path, "cpu"), dataset, seed=arguments.seed, text="tax_com").rows()
        mean = headline(rows, stage=None, part="unseen", k=1)
        assert mean is not None
        each = "  ".join(
            f"{row['direction']} {row['accuracy'] / row['chance']:.1f} "
            f"({row['low'] / row['chance']:.1f}-{row['high'] / row['chance']:.1f})"
            for row in rows
            if (row["part"], row["level"], row["k"]) == ("unseen", "species", 1)
        )
        print(f"{title:<14} {mean.times_chance:5.2f}   {each}", flush=True)


if __name__ == "__main__":
    main()
