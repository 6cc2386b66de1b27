"""What small towers without pretrained weights learn on the simulated fauna, through both published stages.

    biovita simulate --species 400 --photographs 12 --out fauna
    biovita data split fauna --unseen 100
    python benchmarks/from_scratch.py fauna --seeds 0 1 2

A small HTS-AT, ViT and text tower begin with random weights. scratch/stage0 aligns photographs with names, in the place
of BioCLIP 2's pretraining; then come paper/stage1 and paper/stage2 with their phases, losses, gate and sampling. For
towers and data this small, what they state otherwise is: rates ten times as high, ramps and unfreezing after a tenth of
the steps, fewer epochs, batches of 64, and before stage 2 at most 8 items a species.

Prints Top-1 on unseen species as times chance, in each direction and their mean, with 95 % intervals from drawing the
unseen species anew (a species' queries stand or fall together), and what stage 2 adds to stage 1 between sounds and
photographs on the same draws. A run that was stopped goes on; one that is there is scored again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import open_clip
import torch
from transformers import ClapConfig, ClapModel

from biovita.benchmark import Scores
from biovita.compute.device import choose_device
from biovita.dataset import Dataset
from biovita.modality import Modality
from biovita.model import Model, load_model, write_model
from biovita.taxonomy import Rank
from biovita.towers import EncoderCard
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import ClapAudio
from biovita.towers.mel_config import MelConfig
from biovita.towers.open_clip import OpenClipImage, OpenClipText, build_clip
from biovita.training import TowersRecipe, recipe
from biovita.training.recipe import ParameterGroup, Ramp
from biovita.training.towers.train_towers import train_towers
from biovita.training.towers.validation import embedded, scores_of

DIM = 64
CLIP: dict[str, Any] = {
    "embed_dim": DIM,
    "vision_cfg": {"image_size": 64, "layers": 4, "width": 128, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 48, "vocab_size": 49408, "width": 96, "heads": 3, "layers": 2},
}
CLAP: dict[str, Any] = {
    "projection_dim": DIM,
    "audio_config": {
        "spec_size": 128,
        "patch_size": 8,
        "patch_stride": [8, 8],
        "window_size": 4,
        "depths": [1, 2, 1],
        "num_attention_heads": [1, 2, 4],
        "patch_embeds_hidden_size": 32,
        "hidden_size": 128,
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
LISTEN, MEL = (
    AudioInput(seconds=4.0),
    MelConfig(hop=960),
)  # 4 of the 5 s of a clip, from a random place in training
SOUND_AND_SIGHT = ("A2I", "I2A")
DIRECTIONS = ("A2T", "T2A", *SOUND_AND_SIGHT, "I2T", "T2I")
EPOCHS = {"itc": 12, "atc": 12, "warmup": 6, "full": 4}
RECIPES = ("scratch/stage0", "paper/stage1", "paper/stage2")

Found: TypeAlias = tuple[np.ndarray, np.ndarray]  # hits over chance and queries, as `by_species` has them


def write_towers(out: Path, seed: int) -> Path:
    """Write towers with random weights."""
    torch.manual_seed(seed)
    clip = build_clip(CLIP, open_clip.model.CLIP(**CLIP).state_dict(), "random weights")
    clap = ClapModel(ClapConfig.from_dict(CLAP))
    with torch.no_grad():  # the level of ordinary sound, dB, which a pretrained tower has learned
        norm = clap.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(-50)
        norm.running_var.fill_(200)
    device = choose_device("cpu")
    info = [EncoderCard(f"random-{m}", m, DIM, "random", "0", "none") for m in Modality]
    adapter = torch.randn(DIM, DIM) / DIM**0.5
    towers: dict[Modality, Any] = {
        Modality.AUDIO: ClapAudio(info[0], clap.eval(), device, listen=LISTEN, mel=MEL, adapter=adapter),
        Modality.IMAGE: OpenClipImage(info[1], clip, device),
        Modality.TEXT: OpenClipText(info[2], clip, device),
    }
    return write_model(Model.of_towers("random", towers), out)


def small(name: str, shared: Mapping[str, Any]) -> TowersRecipe:
    """Return a recipe for small towers."""
    settings = dict(shared)
    quick = 10 if name.startswith("paper/") else 1
    for title, phase in recipe(name, None, TowersRecipe).phases.items():
        place = f"phases.{title}."
        settings |= {f"{place}epochs": EPOCHS[title], f"{place}batch_size": 64}
        for field, value in phase:
            if isinstance(value, ParameterGroup):
                settings[f"{place}{field}.learning_rate"] = quick * value.learning_rate
                settings[f"{place}{field}.from_step"] = value.from_step // quick
            elif isinstance(value, Ramp):
                settings[f"{place}{field}.steps"] = value.steps // quick
    return recipe(name, settings, TowersRecipe)


def train(dataset: Dataset, out: Path, seed: int, device: str) -> dict[str, Path]:
    """Train all stages and return where the models are, the untrained one first."""
    towers = out / "towers"
    models = {"random": towers if towers.exists() else write_towers(towers, seed)}
    start = None
    for name in RECIPES:
        stage = name.removeprefix("scratch/").removeprefix("paper/")
        # The towers of stage 0 have no table of vectors in the dataset: they run at every step.
        shared = {"model": str(towers), "audio_model": None, "cached": False, "seed": seed}
        shared |= {"validate_epochs": 0} if stage == "stage2" else {"validate_epochs": 0, "pairs.at_most": 8}
        train_towers(small(name, shared), dataset, out / stage, start=start, device=device)
        start = models[stage] = out / stage / "last"
    return models


def seconds_of(model: Path) -> float:
    """Return how long the steps of a run took."""
    lines = map(json.loads, (model.parent / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return sum(line["seconds"] + line["waited"] for line in lines)


def by_species(scores: Scores) -> Found:
    """Return Top-1 hits over chance, summed, and queries of each direction and unseen species: ``(6, species)``."""
    found: dict[tuple[str, str], list[float]] = {}
    for score in scores.tasks:
        if (score.task.part, score.task.level) == ("unseen", Rank.SPECIES):
            values = score.hits(1) / score.chance(1)
            for taxon, value in zip(score.task.correct_taxa, values, strict=True):
                found.setdefault((score.task.direction, score.task.taxa[taxon]), []).append(float(value))
    species = sorted({name for _, name in found})
    cells = [[found.get((direction, name), []) for name in species] for direction in DIRECTIONS]
    return np.array([[sum(c) for c in row] for row in cells]), np.array([[len(c) for c in row] for row in cells])


def draws(seeds: Sequence[Found], directions: Sequence[str]) -> np.ndarray:
    """Return the mean over seeds and directions of times chance: of the species there are, then of 2,000 draws."""
    number = seeds[0][0].shape[1]
    drawn = np.random.default_rng(0).multinomial(number, np.full(number, 1 / number), 2000)
    weights = np.vstack([np.ones(number), drawn])  # (1 + draws, species)
    chosen = [DIRECTIONS.index(direction) for direction in directions]
    return np.mean(
        [(weights @ hits[chosen].T) / (weights @ queries[chosen].T) for hits, queries in seeds], axis=(0, 2)
    )


def interval(values: np.ndarray) -> str:
    """Return the first value and what 95 % of the others lie between."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{values[0]:5.2f} ({low:5.2f} to {high:5.2f})"


def line(title: str, seeds: Sequence[Found]) -> str:
    """Return the mean of the six directions with its interval, and each direction."""
    each = "  ".join(f"{direction} {draws(seeds, [direction])[0]:5.2f}" for direction in DIRECTIONS)
    return f"{title:<14} {interval(draws(seeds, DIRECTIONS))}   {each}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, default=Path("scratch-run"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    dataset = Dataset.open(arguments.dataset)
    found: dict[str, list[Found]] = {}
    print("Top-1 on unseen species as times chance (95 % interval)")
    for seed in arguments.seeds:
        for title, path in train(dataset, arguments.out / f"seed{seed}", seed, arguments.device).items():
            find = partial(embedded, load_model(path, arguments.device))
            scores = scores_of(dataset, find, seed=0, text="tax_com")
            found.setdefault(title, []).append(by_species(scores))
            taken = "" if title == "random" else f"   {seconds_of(path):4.0f} s"
            print(line(f"seed {seed} {title}", found[title][-1:]) + taken, flush=True)
    print()
    for title, seeds in found.items():
        print(line(f"mean   {title}", seeds))
    added = draws(found["stage2"], SOUND_AND_SIGHT) - draws(found["stage1"], SOUND_AND_SIGHT)
    number = found["random"][0][0].shape[1]
    print(f"\nstage 2 above stage 1, mean of A2I and I2A: {interval(added)}; {number} unseen species")


if __name__ == "__main__":
    main()
