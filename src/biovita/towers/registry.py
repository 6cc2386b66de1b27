"""The known towers and the models made of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from biovita.errors import ModelError, unknown_name
from biovita.modality import Modality
from biovita.towers import birdnet, efficientnet, minilm
from biovita.towers.base import Encoder, EncoderCard
from biovita.towers.hub_models import HUB_MODELS
from biovita.towers.sources import Source, find_source, is_source

__all__ = [
    "MODELS",
    "TOWERS",
    "ModelRow",
    "TowerRow",
    "load_tower",
    "load_towers",
    "model_row",
    "tower_row",
    "towers_of",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TowerRow:
    """A tower and how it is opened.

    Attributes
    ----------
    card
        What it is, its source and its terms.
    open
        From a device name (``auto``, ``cpu``, ``cuda``, ...) to the tower, its weights read and checked.
    """

    card: EncoderCard
    open: Callable[[str], Encoder]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A set of towers, at most one a modality, that are used together."""

    name: str
    about: str
    towers: tuple[str, ...]


def _by_name(*rows: TowerRow) -> dict[str, TowerRow]:
    return {row.card.name: row for row in rows}


TOWERS: dict[str, TowerRow] = _by_name(
    TowerRow(birdnet.CARD, birdnet.BirdNET),
    TowerRow(efficientnet.CARD, efficientnet.EfficientNetLite2),
    TowerRow(minilm.CARD, minilm.MiniLM),
)

MODELS: dict[str, ModelRow] = {
    "starter": ModelRow(
        "starter",
        "installs with pip, needs no hub and no GPU",
        ("birdnet-2.4", "efficientnet-lite2", "minilm-l6-v2"),
    ),
}


def _register(source: Source) -> ModelRow:
    """Enter a source and its towers."""
    for info in source.towers:
        TOWERS[info.name] = TowerRow(info, partial(source.open, info.modality))
    return ModelRow(source.name, source.about, tuple(info.name for info in source.towers))


for _name in HUB_MODELS:
    MODELS[_name] = _register(find_source(_name))

_told: set[str] = set()  # towers whose notice this process has given


def tower_row(name: str) -> TowerRow:
    """Return the row of a tower.

    Raises
    ------
    ModelError
        Where there is none; the message names those there are.
    """
    if name not in TOWERS:
        raise ModelError(unknown_name("tower", name, TOWERS))
    return TOWERS[name]


def model_row(name: str) -> ModelRow:
    """Return the row of a model: of a name in `MODELS`, or of where one lies, as `find_source` reads it.

    Raises
    ------
    ModelError
        Where there is none; the message names those there are.
    """
    if name in MODELS:
        return MODELS[name]
    if is_source(name) or Path(name).is_dir():
        return _register(find_source(name))
    raise ModelError(f"{unknown_name('model', name, MODELS)}. There is no file or directory {name} either")


def towers_of(model: str) -> dict[Modality, EncoderCard]:
    """Return the rows of a model's towers by modality, without opening them.

    Raises
    ------
    ModelError
        Where the model is not in `MODELS`.
    """
    rows = (tower_row(name).card for name in model_row(model).towers)
    return {info.modality: info for info in rows}


def load_tower(name: str, device: str = "auto") -> Encoder:
    """Open a tower by its name in `TOWERS`. A notice that comes with its weights is logged, once a process.

    Raises
    ------
    ModelError
        Where the name is unknown, the weights are missing or not those expected, or there is no such device.
    """
    row = tower_row(name)
    if row.card.notice and name not in _told:
        logger.warning("%s", row.card.notice)
        _told.add(name)
    return row.open(device)


def load_towers(
    model: str, device: str = "auto", modalities: Collection[Modality] | None = None
) -> dict[Modality, Encoder]:
    """Open the towers of a model in `MODELS`, or of some of its modalities.

    Raises
    ------
    ModelError
        As `load_tower` does, and where the model has no tower for a modality asked for.
    """
    rows = towers_of(model)
    for modality in modalities or ():
        if modality not in rows:
            raise ModelError(f"the model {model!r} has no {modality} tower; it has {', '.join(rows)}")
    return {
        modality: load_tower(info.name, device)
        for modality, info in rows.items()
        if modalities is None or modality in modalities
    }
