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
    FACTS,
    WEIGHTS,
    FactsRef,
    WholeConfig,
    read_whole_audio,
    read_whole_clip,
    read_whole_config,
    read_whole_facts,
    read_whole_state,
)
from biovita.model.formats.published_repository import copy_tokenizer, joined_parts, on_cpu, preprocess_cfg
from biovita.model.knowledge import Knowledge, Pull, in_words
from biovita.model.landmarks import LANDMARKS, landmarks_bytes, read_landmarks
from biovita.model.met import MET, read_met, write_met
from biovita.model.model import Model
from biovita.taxonomy.known_taxa import table_hash
from biovita.towers.clap import BUFFERS
from biovita.weights.state_dicts import read_json

__all__ = ["Own"]


class Own:
    """All three towers, with how they listen and what made them."""

    name = "own"
    files = f"{CONFIG} and {WEIGHTS} that training or `models export --layout own` wrote"
    weights = ((WEIGHTS,),)
    extras = (*TOKENIZER_FILES, MET, LANDMARKS)

    def matches(self, path: Path) -> bool:
        """Return whether the configuration says so."""
        return (path / CONFIG).is_file() and read_json(path / CONFIG).get("kind") == "whole"

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configuration says."""
        config = read_whole_config(path)
        audio = (Modality.AUDIO, config.dim, config.listen.describe())
        towers = [audio, *clip_towers(config.model_cfg, config.preprocess_cfg)]
        card = towers_card(self.name, origin, towers, about=config.name)
        features = () if config.facts is None else config.facts.features
        return replace(card, record=config.record, features=features, knows=in_words(features, Pull()))

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
        facts = read_whole_facts(path, config, state)
        knowledge = None
        if facts is not None:
            knowledge = Knowledge(card.features, Pull(), read_landmarks(path, 0))
        return replace(
            model,
            name=config.name,
            logit_scale=config.logit_scale,
            record=config.record,
            met=read_met(path),
            projections={} if facts is None else {Modality.TEXT: facts},
            knowledge=knowledge,
        )

    def save(self, model: Model, out: Path, *, overwrite: bool = False) -> Path:
        """Write a model of one open_clip model and a CLAP audio tower with an adapter, and what it knows of taxa."""
        from safetensors.torch import save_file

        from biovita.model.projection import added_facts

        facts, knowledge = added_facts(model.projections), model.knowledge
        audio, image = joined_parts(model if facts is None else replace(model, projections={}, knowledge=None))
        assert audio.adapter is not None
        tensors = {
            **{CLIP + key: value for key, value in on_cpu(image.clip.network).items()},
            **{CLAP + key: value for key, value in on_cpu(audio.network).items() if key not in BUFFERS},
            ADAPTER: on_cpu(audio.adapter)["weight"],
        }
        if facts is not None:
            tensors[FACTS] = on_cpu(facts.linear)["weight"]
        with new_directory(out, replace=overwrite, marker=CONFIG) as scratch:
            config = WholeConfig(
                format=1 if facts is None else 2,
                name=model.name,
                dim=image.clip.dim,
                logit_scale=model.logit_scale,
                model_cfg=image.clip.model_cfg,
                preprocess_cfg=preprocess_cfg(image),
                clap_config=audio.network.config.to_dict(),
                listen=audio.listen,
                mel=audio.mel.config,
                facts=None if knowledge is None else FactsRef(features=knowledge.features, table=table_hash()),
                record={**model.record, **write_met(model.met, scratch)},
            )
            save_file(tensors, scratch / WEIGHTS)
            left_out = {"facts"} if knowledge is None else None  # as it was before there were any
            write_whole(scratch / CONFIG, config.model_dump_json(indent=2, exclude=left_out) + "\n")
            if knowledge is not None:
                (scratch / LANDMARKS).write_bytes(landmarks_bytes(knowledge.landmarks))
            copy_tokenizer(image, scratch)
        return out
