"""Which model a name stands for."""

from __future__ import annotations

from pathlib import Path

from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.towers.base import Encoder
from biovita.towers.registry import load_tower, model_row, towers_of

__all__ = ["describe", "load_encoder"]


def describe(name: str | Path) -> ModelCard:
    """Return what is known of a model, without opening its weights."""
    row, towers = model_row(str(name)), towers_of(str(name))
    revision = ",".join(dict.fromkeys(card.revision for card in towers.values()))
    return ModelCard(row.name, row.about, "", str(name), revision, towers)


def load_encoder(card: ModelCard, modality: Modality, device: str = "auto") -> Encoder:
    """Open one tower of a model."""
    return load_tower(card.encoder(modality).name, device)
