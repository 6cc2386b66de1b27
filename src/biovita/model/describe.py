"""Which model a name stands for, and opening it."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from pathlib import Path

from biovita.errors import ModelError, unknown_name
from biovita.hashing import sha256_of
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import Format, Origin
from biovita.model.formats.installed import STARTER
from biovita.model.formats.projections import Projections
from biovita.model.lookup import FORMATS, KNOWN, find_towers, local_path, open_towers
from biovita.model.met import MET, Met, read_met
from biovita.model.model import Model
from biovita.model.repository import file_of, place_of
from biovita.towers.encoder import Encoder

__all__ = ["describe", "format_named", "load_encoder", "load_model", "met_of", "write_model"]

_PROJECTIONS = Projections()
_STARTER = Path(__file__).parent / "starter"  # made by scripts/starter_projections.py


def describe(name: str | Path) -> ModelCard:
    """Return what is known of a model, without opening its weights; files on this machine are hashed.

    Parameters
    ----------
    name
        A name that ``biovita models`` lists (``starter``, ``biovita``, ``bioclip-2``); a directory that training or
        `save_model` wrote, or in the published repository's, open_clip's or CLAP's layout, plain or as
        ``local-dir:PATH``; a training checkpoint (``epoch030.pth``), which is read for the length of its vectors;
        ``hf-hub:owner/repository``, with ``@revision`` or without, of which the configuration is fetched.

    Raises
    ------
    ModelError
        Where there is no such model, its configuration cannot be read, or the towers that it was trained on are not
        found as they were.
    """
    if str(name) == STARTER.name:
        return _starter()
    path = local_path(str(name))
    if path is not None and os.path.exists(path) and _PROJECTIONS.matches(path):  # noqa: PTH110
        return _PROJECTIONS.describe(path, Origin.of(path, _PROJECTIONS.files_of(path)))
    return find_towers(str(name))


@cache
def _starter() -> ModelCard:
    """Return the card of the projections that come with the package, over the towers of ``starter``."""
    hashes = [sha256_of(file)[:16] for file in _PROJECTIONS.files_of(_STARTER)]  # nothing is kept beside them
    origin = Origin(STARTER.name, STARTER.place, "sha256:" + ",".join(hashes))
    about = f"{STARTER.about}; aligned by names alone"
    return replace(_PROJECTIONS.describe(_STARTER, origin), name=STARTER.name, about=about)


def load_model(
    name: str | Path | ModelCard, device: str = "auto", modalities: Collection[Modality] | None = None
) -> Model:
    """Return a model: one of those that `describe` describes, or of a card.

    Parameters
    ----------
    name
        As `describe` takes it, or what it returned.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    modalities
        Whose towers are opened; None is all.

    Raises
    ------
    ModelError
        Where there is no such model, it has no tower for a modality asked for, a file of it is missing, damaged or
        refused, or a tower is another than it was made with.

    Examples
    --------
    >>> model = load_model("starter")
    >>> similarities = model.embed_audio(["dawn.wav"]) @ model.embed_texts(["Eurasian Wren", "Common Blackbird"]).T
    >>> similarities.shape
    (1, 2)
    """
    card = name if isinstance(name, ModelCard) else describe(name)
    if card.base is None:
        return open_towers(card, device, modalities)
    for modality in modalities or ():
        card.encoder(modality)
    wanted = [modality for modality in card.encoders if modalities is None or modality in modalities]
    path = _STARTER if card.place == STARTER.place else Path(card.place)
    return _PROJECTIONS.load(card, path, device, wanted)


def load_encoder(card: ModelCard, modality: Modality, device: str = "auto") -> Encoder:
    """Open one tower of a model.

    Raises
    ------
    ModelError
        As `load_model`.
    """
    card.encoder(modality)
    return open_towers(card.towers, device, [modality]).tower(modality)


def met_of(model: str | Path | ModelCard | Model) -> Met | None:
    """Return what a model has met in training; None where that is not known. Its weights are neither read nor fetched.

    Parameters
    ----------
    model
        The model, its card, or its name or path as `describe` takes it.

    Raises
    ------
    ModelError
        Where what the model says of it is damaged, or the hub cannot be asked.
    """
    if isinstance(model, Model):
        return model.met
    place = model.place if isinstance(model, ModelCard) else str(model)
    if place == STARTER.place and not (isinstance(model, ModelCard) and model.base is None):
        return read_met(_STARTER)
    if not place or place in KNOWN:
        return None
    path = local_path(place) or _here(model if isinstance(model, ModelCard) else find_towers(place))
    if path is None:
        file = file_of(place, MET)
        return None if file is None else read_met(file.parent)
    return read_met(path) if os.path.isdir(path) else None  # noqa: PTH112 - False where the name cannot be a path's


def _here(card: ModelCard) -> Path | None:
    """Return where a model of the hub lies on this machine; None where its weights have not been fetched."""
    try:
        return place_of(card.place, format_named(card.format), local=True)
    except ModelError:
        return None


def format_named(name: str) -> Format:
    """Return a layout by its name, as `ModelCard.format` has it.

    Raises
    ------
    ModelError
        Where there is none.
    """
    known: dict[str, Format] = {**FORMATS, _PROJECTIONS.name: _PROJECTIONS}
    if name not in known:
        raise ModelError(unknown_name("layout", name, known))
    return known[name]


def write_model(model: Model, out: Path, *, layout: str | None = None, overwrite: bool = False) -> Path:
    """Write a model to a directory, whole or not at all.

    Parameters
    ----------
    layout
        ``projections``: those alone; the towers are named, not copied. ``own``: all weights, and how sound is heard.
        ``published``: all weights, for other people's code. None is ``projections`` where the towers are those of
        another model, else ``own``.

    Raises
    ------
    ModelError
        Where the layout has no place for such a model.
    DatasetError
        Where ``out`` exists and ``overwrite`` was not asked for.
    """
    chosen = layout or ("own" if model.card.base is None else _PROJECTIONS.name)
    return format_named(chosen).save(model, out, overwrite=overwrite)
