"""A researcher's own PyTorch module: trained on a dataset with their own loop, and scored in another process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image
from torch import nn

import biovita

__all__ = ["OwnNet", "score", "train"]


class OwnNet(nn.Module):
    """Spectra of recordings and colours of photographs, each by a layer of its own, in 16 numbers."""

    name = "own-net"
    sample_rate = 8000

    def __init__(self, dim: int = 16) -> None:
        super().__init__()
        self.sound = nn.Sequential(nn.LayerNorm(128), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, dim))
        self.picture = nn.Sequential(nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, dim))

    def embed_audio(self, items: Sequence[tuple[np.ndarray, int]]) -> torch.Tensor:
        windows = torch.stack([torch.from_numpy(samples[:4096]) for samples, _ in items])
        return self.sound(torch.fft.rfft(windows).abs()[:, :2048].reshape(len(items), 128, 16).mean(-1))

    def embed_images(self, items: Sequence[Image.Image]) -> torch.Tensor:
        colours = [np.asarray(picture, np.float32).mean((0, 1)) / 255 for picture in items]
        return self.picture(torch.from_numpy(np.stack(colours)))


def train(here: Path, dataset: Path, weights: Path, steps: int) -> None:
    """Align recordings with photographs of the same species, with a loop that knows nothing of biovita but tables."""
    os.chdir(here)
    torch.manual_seed(0)
    data = biovita.Dataset.open(dataset)
    sounds = [row for row in data.audio.to_pylist() if row["split"] == "train"]
    pictures = [row for row in data.images.to_pylist() if row["split"] == "train"]
    heard = [soundfile.read(data.path / row["path"], dtype="float32") for row in sounds]
    seen = [Image.open(data.path / row["path"]).convert("RGB") for row in pictures]
    same = torch.tensor([[one["taxon_id"] == other["taxon_id"] for other in pictures] for one in sounds])
    net = OwnNet()
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        near = nn.functional.normalize(net.embed_audio(heard)) @ nn.functional.normalize(net.embed_images(seen)).T
        loss = nn.functional.binary_cross_entropy_with_logits(8 * near - 4, same.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.save(net.state_dict(), weights)


def score(here: Path, bench: Path, weights: Path, name: str) -> None:
    """Score what was trained."""
    os.chdir(here)
    net = OwnNet()
    net.load_state_dict(torch.load(weights, weights_only=True))
    run = biovita.run_benchmark(bench, model=net.eval(), name=name, device="cpu", progress=False)
    assert run.paths.report.is_file()
    assert not run.failed
