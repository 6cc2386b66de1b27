"""CLAP as transformers writes it: ``config.json``, the weights, ``preprocessor_config.json``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from biovita.compute.device import choose_device
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import NotWritten, Origin, towers_card
from biovita.model.model import Model
from biovita.towers.clap import WEIGHT_FILES, ClapAudio, read_clap
from biovita.towers.clap_config import read_clap_config, read_clap_input
from biovita.towers.encoder import Encoder
from biovita.weights.state_dicts import read_json

__all__ = ["Clap"]

_CONFIG = "config.json"


class Clap(NotWritten):
    """An audio tower."""

    name = "clap"
    files = f"{_CONFIG} of the model_type clap with its weights (CLAP)"
    weights = (WEIGHT_FILES,)
    extras = ("preprocessor_config.json",)

    def matches(self, path: Path) -> bool:
        """Return whether the configuration is CLAP's."""
        return (path / _CONFIG).is_file() and read_json(path / _CONFIG).get("model_type") == "clap"

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configurations say."""
        dim = read_clap_config(path).get("projection_dim", 512)
        return towers_card(self.name, origin, [(Modality.AUDIO, dim, read_clap_input(path)[0].describe())])

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model."""
        towers: dict[Modality, Encoder] = {}
        if Modality.AUDIO in modalities:
            listen, mel = read_clap_input(path)
            info, network = card.encoder(Modality.AUDIO), read_clap(path)
            towers[Modality.AUDIO] = ClapAudio(info, network, choose_device(device), listen=listen, mel=mel)
        return Model(card.name, card, towers)
