"""The published BioVITA model's files: its repository layout and its training checkpoints, read and checked.

Both hold an open_clip model (image and text), a CLAP model (audio) and a linear adapter without a bias from CLAP's
512 numbers to the shared space. In the repository the first is in open_clip's own layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.errors import ModelError
from biovita.towers.clap import clap_network
from biovita.towers.open_clip import ClipNetwork, architecture, build_clip
from biovita.weights.state_dicts import read_checkpoint, read_json, read_state, tensors_of, under, without_wrappers

if TYPE_CHECKING:
    import torch
    from transformers import ClapModel

__all__ = [
    "ARCHITECTURE",
    "CLAP_CONFIG_FILE",
    "CLAP_FILE",
    "checkpoint_dim",
    "read_checkpoint_audio",
    "read_checkpoint_clip",
    "read_published_audio",
]

ARCHITECTURE = "ViT-L-14"  # open_clip's name; a training checkpoint does not say
CLAP_FILE = "clap_weights.pth"
CLAP_CONFIG_FILE = "clap_config.json"  # only where CLAP's architecture is another than the published one
_CLIP, _CLAP, _ADAPTER, _SCALE = "oc_model.", "clap_audio.", "audio_adapter.", "logit_scale"


def read_published_audio(directory: Path) -> tuple[ClapModel, torch.Tensor]:
    """Return the CLAP model and the adapter ``(dim, projection_dim)`` of a directory in the published layout.

    Raises
    ------
    ModelError
        Where the file is missing, damaged, refused, or does not fit; the message names what differs.
    """
    file = directory / CLAP_FILE
    content = read_checkpoint(file)
    wanted = "It has to hold the state dicts clap_audio and audio_adapter"
    for part in ("clap_audio", "audio_adapter"):
        if not isinstance(content, Mapping) or not isinstance(content.get(part), Mapping) or not content[part]:
            raise ModelError(f"{file} has no {part}. {wanted}")
    if unexpected := set(content) - {"clap_audio", "audio_adapter"}:
        raise ModelError(f"{file} also has {', '.join(sorted(unexpected))}. {wanted}, and nothing else")
    where = f"{file} (clap_audio)"
    state = without_wrappers(tensors_of(content["clap_audio"], where))
    described = directory / CLAP_CONFIG_FILE
    config = read_json(described) if described.is_file() else None
    return clap_network(state, where, config), _adapter(content["audio_adapter"], f"{file} (audio_adapter)")


def read_checkpoint_audio(file: Path) -> tuple[ClapModel, torch.Tensor]:
    """Return the CLAP model and the adapter ``(dim, projection_dim)`` of a training checkpoint (``epochNNN.pth``).

    Raises
    ------
    ModelError
        As `read_published_audio`.
    """
    state = _training_state(file)
    clap = clap_network(under(state, _CLAP), f"{file} (clap_audio)")
    return clap, _adapter(under(state, _ADAPTER), f"{file} (audio_adapter)")


def read_checkpoint_clip(file: Path, clip_architecture: str = ARCHITECTURE) -> ClipNetwork:
    """Return the open_clip model of a training checkpoint, with the temperature of the alignment.

    Parameters
    ----------
    clip_architecture
        open_clip's name for it.

    Raises
    ------
    ModelError
        As `read_published_audio`.
    """
    state = _training_state(file)
    where = f"{file} (oc_model, read as {clip_architecture})"
    clip = build_clip(
        architecture(clip_architecture), under(state, _CLIP), where, tokenizer_name=clip_architecture
    )
    return replace(clip, logit_scale=float(state[_SCALE].float().exp())) if _SCALE in state else clip


def checkpoint_dim(file: Path) -> int:
    """Return the length of the vectors of a training checkpoint's model.

    Raises
    ------
    ModelError
        As `read_published_audio`.
    """
    return int(_adapter(under(_training_state(file), _ADAPTER), f"{file} (audio_adapter)").shape[0])


def _training_state(file: Path) -> dict[str, torch.Tensor]:
    state = read_state(file)
    prefixes = (_CLIP, _CLAP, _ADAPTER)
    problems = [f"nothing under {prefix}" for prefix in prefixes if not under(state, prefix)]
    if strange := [name for name in state if name != _SCALE and not name.startswith(prefixes)]:
        problems.append(f"{len(strange)} with other names, such as {strange[0]}")
    if problems:
        raise ModelError(f"{file} is not a training checkpoint of the published code: {'; '.join(problems)}")
    return state


def _adapter(content: Mapping[str, Any], where: str) -> torch.Tensor:
    state = without_wrappers(tensors_of(content, where))
    if set(state) != {"weight"} or state["weight"].ndim != 2:
        found = ", ".join(f"{name} {tuple(value.shape)}" for name, value in state.items())
        raise ModelError(f"{where} has to hold one matrix named weight. It has {found}")
    return state["weight"].float().clone()
