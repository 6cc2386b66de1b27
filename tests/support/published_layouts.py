"""Models in the layouts of others, with random weights: small ones, and the real architectures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import nn
from transformers import ClapConfig, ClapModel

SMALL_CLIP: dict[str, Any] = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
SMALL_CLAP: dict[str, Any] = {
    "projection_dim": 24,
    "audio_config": {
        "patch_size": 8,
        "patch_stride": [8, 8],
        "window_size": 4,
        "depths": [1, 1, 1, 1],
        "patch_embeds_hidden_size": 16,
        "hidden_size": 128,
        "projection_dim": 24,
    },
    "text_config": {
        "num_hidden_layers": 1,
        "hidden_size": 32,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 100,
        "projection_dim": 24,
    },
}
PREPROCESS = {
    "mode": "RGB",
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}


@dataclass
class Made:
    """The modules behind the files, to compare with."""

    clip: nn.Module
    clap: ClapModel
    adapter: nn.Linear


def make(clip_cfg: dict[str, Any] = SMALL_CLIP, clap_cfg: dict[str, Any] = SMALL_CLAP, seed: int = 0) -> Made:
    torch.manual_seed(seed)
    clip = open_clip.model.CLIP(**json.loads(json.dumps(clip_cfg)))
    clap = ClapModel(ClapConfig.from_dict(clap_cfg))
    lively(clap)
    return Made(clip.eval(), clap.eval(), nn.Linear(clap.config.projection_dim, clip_cfg["embed_dim"], bias=False))


def lively(clap: ClapModel) -> None:
    """Draw weights that tell sounds apart: at first they are so small that all embeddings are nearly one."""
    with torch.no_grad():
        norm = clap.audio_model.audio_encoder.batch_norm
        norm.running_mean.uniform_(-60, -20)  # decibels, as of real sound
        norm.running_var.uniform_(100, 300)
        for parameter in [*clap.audio_model.parameters(), *clap.audio_projection.parameters()]:
            if parameter.ndim > 1:
                parameter.normal_(std=2 * parameter[0].numel() ** -0.5)


def audio_features(clap: ClapModel, **inputs: torch.Tensor) -> torch.Tensor:
    """Return CLAP's vectors; transformers returns them bare before version 5, and in an object from then on."""
    output = clap.get_audio_features(**inputs)
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def write_published(made: Made, directory: Path, clip_cfg: dict[str, Any] = SMALL_CLIP) -> Path:
    write_open_clip(made.clip, directory, clip_cfg)
    content = {"clap_audio": made.clap.state_dict(), "audio_adapter": made.adapter.state_dict()}
    torch.save(content, directory / "clap_weights.pth")
    if made.clap.config.projection_dim != 512:
        (directory / "clap_config.json").write_text(json.dumps(made.clap.config.to_dict()))
    return directory


def write_open_clip(clip: nn.Module, directory: Path, clip_cfg: dict[str, Any] = SMALL_CLIP) -> Path:
    directory.mkdir(exist_ok=True)
    config = {"model_cfg": clip_cfg, "preprocess_cfg": PREPROCESS}
    (directory / "open_clip_config.json").write_text(json.dumps(config))
    torch.save(clip.state_dict(), directory / "open_clip_pytorch_model.bin")
    return directory
