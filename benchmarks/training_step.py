"""One step of stage 2 warm-up at full size against the published way: ViT-L/14, HTS-AT, 12-layer text, random weights.

    python benchmarks/training_step.py [--batch 8] [--steps 3] [--device cpu]

The published way is written out below: mel spectrograms clip by clip in NumPy (transformers' extractor, from waveforms
copied back from the device), the frozen image tower and the whole text tower run at every step, one text a pair. Ours
takes the vectors of the frozen towers from a table and the spectrograms of the batch at once on the device; its loss is
the same but for the dropout, which is drawn anew. Each runs in a process of its own, for the peak of its memory.
Decoding is left out of both: waveforms and pixels are in memory. Times are the medians of the steps after the first;
"to data" is the part of a step until the towers' input is on the device, "cores idle" the share of the cores' time that
the process does not use.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from biovita.compute.device import choose_device
from biovita.embedding import Vectors
from biovita.modality import Modality
from biovita.model import Model
from biovita.taxonomy import Taxon, prompts
from biovita.towers import EncoderCard
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import ClapAudio, pooled
from biovita.towers.open_clip import OpenClipImage, OpenClipText, architecture, build_clip
from biovita.training import TowersRecipe, recipe
from biovita.training.towers.batches import TrainingBatch
from biovita.training.towers.frozen_vectors import FrozenVectors
from biovita.training.towers.networks import Networks
from biovita.training.towers.objective import Objective
from biovita.training.towers.sampling import Epoch
from biovita.training.towers.schedule import groups_of, loss_terms, trainable
from biovita.training.towers.step import backward

SAMPLES, RATE, SPECIES = 480_000, 48_000, 16


def networks_of(device: str) -> Networks:
    torch.manual_seed(0)
    clip = build_clip(architecture("ViT-L-14"), None, "random weights", tokenizer_name="ViT-L-14")
    clap = ClapModel(ClapConfig())
    place = choose_device(device)
    info = [EncoderCard(f"random-{m}", m, 768, "random", "0", "none") for m in Modality]
    adapter = torch.randn(768, 512) / 512**0.5
    towers: dict[Modality, Any] = {
        Modality.AUDIO: ClapAudio(info[0], clap.eval(), place, listen=AudioInput(), adapter=adapter),
        Modality.IMAGE: OpenClipImage(info[1], clip, place),
        Modality.TEXT: OpenClipText(info[2], clip, place),
    }
    return Networks(Model.of_towers("random", towers), logit_scale=1 / 0.07)


class Setting:
    """The same batch, towers, optimiser and loss for both ways."""

    def __init__(self, batch: int, device: str) -> None:
        rng = np.random.default_rng(0)
        self.networks = networks_of(device)
        self.recipe = recipe("paper/stage2", None, TowersRecipe)
        self.phase = self.recipe.phases["warmup"]
        groups = groups_of(self.phase, self.networks.dims)
        self.networks.set_trainable(trainable(groups, 0))
        self.optimiser = torch.optim.AdamW(
            [p for p in self.networks.parameters() if p.requires_grad], lr=1e-4, weight_decay=0.05
        )
        taxa = tuple(
            Taxon(f"t{n}", f"Genus species{n}", f"Bird {n}", class_="Aves", order="O", family="F", genus="Genus")
            for n in range(SPECIES)
        )
        self.texts = tuple(tuple(prompts(taxon).values()) for taxon in taxa)
        self.sounds = rng.normal(0, 0.1, (batch, SAMPLES)).astype(np.float32)
        self.pixels = rng.integers(0, 255, (batch, 3, 224, 224), dtype=np.uint8)
        species = rng.integers(0, SPECIES, batch)
        self.pairs = Epoch(
            species, np.zeros(batch, np.int64), dict.fromkeys((Modality.AUDIO, Modality.IMAGE), np.arange(batch))
        )


Way = tuple[Callable[[], float], Callable[[], torch.Tensor]]


def published(setting: Setting) -> Way:
    """Return a step as the released code makes it, and the part of it that makes the spectrograms."""
    networks, device = setting.networks, setting.networks.device
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding="pad", frequency_min=50)
    texts = [setting.texts[species][0] for species in setting.pairs.species]
    # "Not quite frozen": these stay trainable in the released warm-up.
    for name, parameter in networks.clip.named_parameters():
        if name.startswith(("positional_embedding", "ln_final", "text_projection")):
            parameter.requires_grad_(requires_grad=True)
    names = [p for p in networks.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(names, lr=1e-4, weight_decay=0.05)

    def info_nce(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        logits = networks.log_scale.exp() * a @ b.T
        own = torch.arange(len(a), device=device)
        return 0.5 * (cross_entropy(logits, own) + cross_entropy(logits.T, own))

    def data() -> torch.Tensor:
        waveforms = torch.from_numpy(setting.sounds).to(device)
        mels = [
            extractor(waveform, sampling_rate=RATE, return_tensors="pt")["input_features"]
            for waveform in waveforms.cpu().numpy()
        ]
        return torch.cat(mels).to(device)

    def step() -> float:
        features = data()
        audio = normalize(
            networks.adapter(pooled(networks.clap.get_audio_features(input_features=features))), dim=1
        )
        with torch.no_grad():
            image = normalize(networks.image.forward(torch.from_numpy(setting.pixels).to(device)), dim=1)
        tokens = torch.from_numpy(np.stack([networks.text.load(text) for text in texts])).to(device)
        text = normalize(networks.text.forward(tokens), dim=1)
        loss = 0.8 * info_nce(audio, text) + 0.2 * info_nce(audio, image)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return float(loss.detach())

    return step, data


def ours(setting: Setting) -> Way:
    """Return a step of this package, and the part of it that makes what the towers take."""
    networks, device = setting.networks, setting.networks.device
    used = [setting.texts[species][0] for species in dict.fromkeys(setting.pairs.species)]
    table = networks.text.encode([networks.text.load(text) for text in used])
    images = torch.from_numpy(networks.image.encode(list(setting.pixels)))
    photographs = {Modality.IMAGE: normalize(images, dim=1).to(device)}
    cached = FrozenVectors(photographs, Vectors(used, table))
    objective = Objective(setting.recipe, networks, setting.texts, cached, None)
    batch, terms = TrainingBatch(setting.pairs, {Modality.AUDIO: setting.sounds}), loss_terms(setting.phase, 0)

    def data() -> torch.Tensor:
        return objective.inputs(batch, terms)[Modality.AUDIO].values

    def step() -> float:
        setting.optimiser.zero_grad(set_to_none=True)
        found = backward(
            objective.inputs(batch, terms),
            lambda vectors: objective.losses(setting.phase, terms, None, vectors, batch),
            networks,
            chunk=None,
            seed=0,
        )
        setting.optimiser.step()
        return found.terms["loss"]

    return step, data


WAYS = {"published": published, "ours": ours}


def measured(way: str, batch: int, steps: int, device: str) -> dict[str, float]:
    setting = Setting(batch, device)
    step, data = WAYS[way](setting)
    device = setting.networks.device

    def timed(work: Callable[[], object]) -> tuple[float, float, object]:
        began, used = time.perf_counter(), time.process_time()
        found = work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began, time.process_time() - used, found

    taken = [timed(step) for _ in range(steps + 1)]
    seconds = statistics.median(wall for wall, _, _ in taken[1:])
    busy = sum(used for _, used, _ in taken[1:]) / sum(wall for wall, _, _ in taken[1:])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if device.type == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**30
    return {
        "seconds": seconds,
        "data": statistics.median(timed(data)[0] for _ in range(3)),
        "idle": max(0.0, 1 - busy / torch.get_num_threads()),
        "memory": memory,
        "loss": taken[0][2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--way", choices=WAYS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(measured(arguments.way, arguments.batch, arguments.steps, arguments.device)))
        return
    found = {}
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way, "--device", arguments.device]
        command += ["--batch", str(arguments.batch), "--steps", str(arguments.steps)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found[way] = json.loads(output.splitlines()[-1])
    base = found["published"]["seconds"]
    print(f"stage 2 warm-up, {arguments.batch} pairs, {arguments.device}, {torch.get_num_threads()} threads")
    print(
        f"{'way':<12} {'s a step':>9} {'ratio':>6} {'s to data':>10} {'cores idle':>11} {'peak GiB':>9} "
        f"{'first loss':>11}"
    )
    for way, row in found.items():
        print(
            f"{way:<12} {row['seconds']:9.2f} {base / row['seconds']:6.1f} {row['data']:10.2f} {row['idle']:11.0%} "
            f"{row['memory']:9.1f} {row['loss']:11.4f}"
        )


if __name__ == "__main__":
    main()
