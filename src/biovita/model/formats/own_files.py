"""A directory of our own that holds all of a model's weights: ``config.json`` and ``model.safetensors``, read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from biovita.errors import ModelError
from biovita.towers.audio_windows import AudioInput
from biovita.towers.clap import clap_network
from biovita.towers.clap_config import check_clap_config, check_listening
from biovita.towers.clip_config import check_model_cfg, check_preprocess_cfg
from biovita.towers.mel_config import MelConfig
from biovita.towers.open_clip import ClipNetwork, build_clip
from biovita.weights.state_dicts import read_json, read_state, under

if TYPE_CHECKING:
    import torch
    from transformers import ClapModel

__all__ = [
    "ADAPTER",
    "CLAP",
    "CLIP",
    "CONFIG",
    "WEIGHTS",
    "Dimensions",
    "LogitScale",
    "ModelName",
    "WholeConfig",
    "read_whole_audio",
    "read_whole_clip",
    "read_whole_config",
    "read_whole_state",
]

CONFIG, WEIGHTS = "config.json", "model.safetensors"
CLIP, CLAP, ADAPTER = "open_clip.", "clap_audio.", "audio_adapter.weight"

ModelName = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Dimensions = Annotated[int, Field(ge=1, le=65_536)]
LogitScale = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class WholeConfig(BaseModel):
    """What ``config.json`` of a directory with all weights holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    kind: Literal["whole"] = "whole"
    name: ModelName
    dim: Dimensions
    logit_scale: LogitScale
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    clap_config: dict[str, Any]
    listen: AudioInput
    mel: MelConfig
    record: dict[str, Any]


def read_whole_config(directory: Path) -> WholeConfig:
    """Return what ``config.json`` says.

    Raises
    ------
    ModelError
        Where a field is not as it has to be; the message names it.
    """
    file = directory / CONFIG
    try:
        config = WholeConfig.model_validate(read_json(file))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ModelError(f"{file}: {where}: {first['msg']}") from error
    check_listening(config.listen, config.mel, f"{file}: listen and mel")
    model_cfg = check_model_cfg(config.model_cfg, f"{file}: model_cfg")
    if model_cfg.get("embed_dim") != config.dim:
        raise ModelError(
            f"{file}: dim is {config.dim}, and model_cfg.embed_dim is {model_cfg.get('embed_dim')}: not the same"
        )
    return config.model_copy(
        update={
            "model_cfg": model_cfg,
            "preprocess_cfg": check_preprocess_cfg(config.preprocess_cfg, f"{file}: preprocess_cfg"),
            "clap_config": check_clap_config(config.clap_config, f"{file}: clap_config"),
        }
    )


def read_whole_state(directory: Path) -> dict[str, torch.Tensor]:
    """Return the weights, each of which belongs to a part.

    Raises
    ------
    ModelError
        Where the file is missing or damaged, lacks the adapter or has more than it should.
    """
    file = directory / WEIGHTS
    state = read_state(file)
    if ADAPTER not in state:
        raise ModelError(f"{file} has no {ADAPTER}")
    strange = [key for key in state if not key.startswith((CLIP, CLAP)) and key != ADAPTER]
    if strange:
        raise ModelError(f"{file} has weights that belong to no part of the model: {', '.join(strange[:5])}")
    return state


def read_whole_clip(
    directory: Path, config: WholeConfig | None = None, state: dict[str, torch.Tensor] | None = None
) -> ClipNetwork:
    """Return the open_clip model; what was read already need not be read again.

    Raises
    ------
    ModelError
        As `read_whole_config` and `read_whole_state`, and where the weights do not fit.
    """
    config = config or read_whole_config(directory)
    state = state or read_whole_state(directory)
    where = str(directory / WEIGHTS)
    return build_clip(config.model_cfg, under(state, CLIP), where, config.preprocess_cfg, directory)


def read_whole_audio(
    directory: Path, config: WholeConfig | None = None, state: dict[str, torch.Tensor] | None = None
) -> tuple[ClapModel, torch.Tensor]:
    """Return the CLAP model and the adapter ``(dim, projection_dim)``; as `read_whole_clip`."""
    config = config or read_whole_config(directory)
    state = state or read_whole_state(directory)
    adapter = state[ADAPTER]
    if adapter.ndim != 2 or adapter.shape[0] != config.dim:
        raise ModelError(
            f"{directory / WEIGHTS}: the audio adapter has the shape {tuple(adapter.shape)}. It has to be a matrix "
            f"of {config.dim} rows"
        )
    return clap_network(under(state, CLAP), str(directory / WEIGHTS), config.clap_config), adapter
