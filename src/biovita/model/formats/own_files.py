"""A directory of our own that holds all of a model's weights: ``config.json`` and ``model.safetensors``, read."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from biovita.errors import ModelError
from biovita.taxonomy.known_taxa import table_hash
from biovita.taxonomy.taxon_features import Feature, feature_count
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

    from biovita.model.projection import AddedFacts

logger = logging.getLogger(__name__)

__all__ = [
    "ADAPTER",
    "CLAP",
    "CLIP",
    "CONFIG",
    "FACTS",
    "WEIGHTS",
    "Dimensions",
    "FactsRef",
    "LogitScale",
    "ModelName",
    "TableHash",
    "WholeConfig",
    "check_table",
    "read_whole_audio",
    "read_whole_clip",
    "read_whole_config",
    "read_whole_facts",
    "read_whole_state",
]

CONFIG, WEIGHTS = "config.json", "model.safetensors"
CLIP, CLAP, ADAPTER = "open_clip.", "clap_audio.", "audio_adapter.weight"
FACTS = "text_facts.weight"

ModelName = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Dimensions = Annotated[int, Field(ge=1, le=65_536)]
LogitScale = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
TableHash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class FactsRef(BaseModel):
    """What is known of taxa that enters the vectors of texts.

    Attributes
    ----------
    features
        Which of it.
    table
        Hash of the package's table of taxa that the model was made with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    table: TableHash


class WholeConfig(BaseModel):
    """What ``config.json`` of a directory with all weights holds. Format 2 has ``facts``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1, 2] = 1
    kind: Literal["whole"] = "whole"
    name: ModelName
    dim: Dimensions
    logit_scale: LogitScale
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]
    clap_config: dict[str, Any]
    listen: AudioInput
    mel: MelConfig
    facts: FactsRef | None = None
    record: dict[str, Any]

    @model_validator(mode="after")
    def _fits_format(self) -> WholeConfig:
        if (self.facts is None) == (self.format == 2):
            raise ValueError("format 2 needs facts, and format 1 cannot have them")
        return self


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
    strange = [key for key in state if not key.startswith((CLIP, CLAP)) and key not in {ADAPTER, FACTS}]
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


def read_whole_facts(directory: Path, config: WholeConfig, state: dict[str, torch.Tensor]) -> AddedFacts | None:
    """Return the map of what is known of taxa, not trained any further; None where the model goes by words alone.

    Raises
    ------
    ModelError
        Where the weights and the configuration do not agree on it.
    """
    from biovita.model.projection import AddedFacts

    weight = state.get(FACTS)
    shape = None if config.facts is None else (config.dim, feature_count(config.facts.features))
    found = None if weight is None else tuple(weight.shape)
    if shape != found:
        raise ModelError(
            f"{directory / WEIGHTS}: {FACTS} has the shape {found}, and by facts in {CONFIG} it has to be {shape}"
        )
    if weight is None or shape is None or config.facts is None:
        return None
    check_table(directory, config.facts.table)
    facts = AddedFacts(*shape)
    facts.load_state_dict({"linear.weight": weight})
    return facts.eval().requires_grad_(requires_grad=False)


def check_table(directory: Path, table: str) -> None:
    """Warn where a model was made with another table of taxa than the package's, by its hash."""
    if table != table_hash():
        logger.warning(
            "%s was made with another version of the package's table of taxa. Texts can lie a little elsewhere than "
            "they did. Install the version that it was made with, or train it again",
            directory,
        )
