"""Our own directory with all weights, as training writes it: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from biovita.files import new_directory, write_whole
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import Origin, joined_model, towers_card
from biovita.model.formats.open_clip_directory import TOKENIZER_FILES, clip_towers
from biovita.model.formats.own_files import (
    ADAPTER,
    CLAP,
    CLIP,
    CONFIG,
    WEIGHTS,
    WholeConfig,
    read_whole_audio,
    read_whole_clip,
    read_whole_config,
    read_whole_state,
)
from biovita.model.formats.published_repository import copy_tokenizer, joined_parts, on_cpu, preprocess_cfg
from biovita.model.met import read_met, write_met
from biovita.model.model import Model
from biovita.towers.clap import BUFFERS
from biovita.weights.state_dicts import read_json

__all__ = ["Own"]


class Own:
    """All three towers, with how they listen and what made them."""

    name = "own"
    files = f"{CONFIG} and {WEIGHTS} that training or `models export --layout own` wrote"
    weights = ((WEIGHTS,),)
    extras = TOKENIZER_FILES

    def matches(self, path: Path) -> bool:
        """Return whether the configuration says so."""
        return (path / CONFIG).is_file() and read_json(path / CONFIG).get("kind") == "whole"

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configuration says."""
        config = read_whole_config(path)
        audio = (Modality.AUDIO, config.dim, config.listen.describe())
        towers = [audio, *clip_towers(config.model_cfg, config.preprocess_cfg)]
        return replace(towers_card(self.name, origin, towers, about=config.name), record=config.record)

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model; its weights are read once."""
        config, state = read_whole_config(path), read_whole_state(path)
        model = joined_model(
            card,
            device,
            modalities,
            read_clip=lambda: read_whole_clip(path, config, state),
            read_audio=lambda: read_whole_audio(path, config, state),
            listen=config.listen,
            mel=config.mel,
        )
        return replace(
            model,
            name=config.name,
            logit_scale=config.logit_scale,
            record=config.record,
            met=read_met(path),
        )

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:
        """Write a model of one open_clip model and a CLAP audio tower with an adapter."""
        from safetensors.torch import save_file

        audio, image = joined_parts(model)
        assert audio.adapter is not None
        tensors = {
            **{CLIP + key: value for key, value in on_cpu(image.clip.network).items()},
            **{CLAP + key: value for key, value in on_cpu(audio.network).items() if key not in BUFFERS},
            ADAPTER: on_cpu(audio.adapter)["weight"],
        }
        with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
            config = WholeConfig(
                name=model.name,
                dim=image.clip.dim,
                logit_scale=model.logit_scale,
                model_cfg=image.clip.model_cfg,
                preprocess_cfg=preprocess_cfg(image),
                clap_config=audio.network.config.to_dict(),
                listen=audio.listen,
                mel=audio.mel.config,
                record={**model.record, **write_met(model.met, scratch)},
            )
            save_file(tensors, scratch / WEIGHTS)
            write_whole(scratch / CONFIG, config.model_dump_json(indent=2) + "\n")
            copy_tokenizer(image, scratch)
        return out
