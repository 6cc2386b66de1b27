"""Encoders of one modality each, behind one protocol, and the registry of those that are known."""

from biovita.towers.base import Encoder, EncoderCard
from biovita.towers.device import select_device
from biovita.towers.registry import (
    MODELS,
    TOWERS,
    ModelRow,
    TowerRow,
    load_tower,
    load_towers,
    model_row,
    tower_row,
    towers_of,
)

__all__ = [
    "MODELS",
    "TOWERS",
    "Encoder",
    "EncoderCard",
    "ModelRow",
    "TowerRow",
    "load_tower",
    "load_towers",
    "model_row",
    "select_device",
    "tower_row",
    "towers_of",
]
