"""Models that hold towers: by the name they are known by, on the hub, in a directory or a file."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from biovita.errors import ModelError, unknown_name
from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.clap_directory import Clap
from biovita.model.formats.format import Format, Origin, weight_files
from biovita.model.formats.installed import STARTER, Installed
from biovita.model.formats.open_clip_directory import OpenClip
from biovita.model.formats.own import Own
from biovita.model.formats.published_checkpoint import PublishedCheckpoint
from biovita.model.formats.published_repository import Published
from biovita.model.model import Model
from biovita.model.repository import HUB_PREFIX, find_on_hub, place_of
from biovita.towers.audio_windows import AudioInput
from biovita.towers.encoder import EncoderCard
from biovita.weights.hub_models import HUB_MODELS, HubModel

__all__ = [
    "FORMATS",
    "KNOWN",
    "LOCAL_PREFIX",
    "PROJECTIONS_FILES",
    "find_at",
    "find_towers",
    "local_path",
    "open_towers",
]

logger = logging.getLogger(__name__)

LOCAL_PREFIX = "local-dir:"
PROJECTIONS_FILES = "config.json and model.safetensors that training of projections wrote"

FORMATS: dict[str, Format] = {
    form.name: form for form in (Installed(), OpenClip(), Published(), PublishedCheckpoint(), Clap(), Own())
}
"""The layouts that hold towers, by name."""


def _known_card(model: HubModel) -> ModelCard:
    sizes = {file.name: file.size_bytes for file in model.files}
    joined, audio = model.files[1].name, model.files[-1].name
    listens = AudioInput(window="start", padding="repeat") if model.format == "clap" else AudioInput()
    parts = {
        Modality.AUDIO: (audio, listens.describe()),
        Modality.IMAGE: (joined, model.images),
        Modality.TEXT: (joined, model.texts),
    }
    has = {"clap": [Modality.AUDIO], "open_clip": [Modality.IMAGE, Modality.TEXT]}.get(
        model.format, list(Modality)
    )
    encoders = {
        modality: EncoderCard(
            name=f"{model.name}-{modality}",
            modality=modality,
            dim=model.dim,
            source=f"{model.repository}: {parts[modality][0]}",
            revision=model.revision,
            license=model.license,
            preprocessing=parts[modality][1],
            size_bytes=sizes[parts[modality][0]],
        )
        for modality in has
    }
    return ModelCard(model.name, model.about, model.format, model.name, model.revision, encoders, model.dim)


KNOWN: dict[str, ModelCard] = {
    card.name: card for card in (STARTER, *(_known_card(model) for model in HUB_MODELS.values()))
}
"""The models that `biovita models` lists, by name."""


def local_path(name: str) -> Path | None:
    """Return the path that a name is, or None where it is the name of a known model or of one on the hub."""
    if name in KNOWN or name.startswith(HUB_PREFIX):
        return None
    return Path(name.removeprefix(LOCAL_PREFIX))


def find_towers(name: str, *, local: bool = False) -> ModelCard:
    """Return the card of a model that holds towers.

    Parameters
    ----------
    name
        One of `KNOWN`; ``hf-hub:owner/repository``, with ``@revision`` or without; a directory in any layout, plain or
        as ``local-dir:PATH``; a training checkpoint's file.
    local
        Of the hub, look at the local copy alone.

    Raises
    ------
    ModelError
        Where there is no such model, or its configuration cannot be read.
    """
    if name in KNOWN:
        return KNOWN[name]
    if name.startswith(HUB_PREFIX):
        form, directory, origin = find_on_hub(name, local=local)
        card = FORMATS[form].describe(directory, origin)
        if local:
            place_of(card.place, FORMATS[form], local=True)
        return card
    path = local_path(name)
    assert path is not None
    if not os.path.exists(path):  # noqa: PTH110 - False where the name cannot be a path's
        raise ModelError(f"{unknown_name('model', name, KNOWN)}. There is no file or directory {path} either")
    return find_at(path)


def find_at(path: Path, revision: str | None = None) -> ModelCard:
    """Return the card of a model in a directory or file that is there.

    Parameters
    ----------
    revision
        Its weights have to be these; nothing of another model is read but its hash. None takes whatever is there.

    Raises
    ------
    ModelError
        Where no layout matches, or the weights are others.
    """
    form = next((form for form in FORMATS.values() if form.matches(path)), None)
    if form is None:
        raise ModelError(_no_model(path))
    origin = Origin.of(path, weight_files(form, path))
    if revision is not None and origin.revision != revision:
        raise ModelError(f"{path} holds another model, whose revision is {origin.revision}")
    return form.describe(path, origin)


def open_towers(card: ModelCard, device: str, modalities: Collection[Modality] | None = None) -> Model:
    """Return the model of a card from `find_towers`, with all its towers or those of some modalities.

    Raises
    ------
    ModelError
        Where it has no tower for one, a file is missing, damaged or refused, or there is no such device.
    """
    for modality in modalities or ():
        card.encoder(modality)
    wanted = [modality for modality in card.encoders if modalities is None or modality in modalities]
    form = FORMATS[card.format]
    model = form.load(card, place_of(card.place, form), device, wanted)
    for tower in model.towers.values():
        logger.info("%s runs on %s", tower.card.name, tower.device)
    return model


def _no_model(path: Path) -> str:
    if (path / "run.json").is_file():
        return f"{path} is a training run. Its models are {path / 'last'} and {path / 'best'}"
    looked_for = [form.files for form in FORMATS.values() if form.name != Installed.name]
    return f"{path} holds no model. It should hold one of these: {'; '.join([*looked_for, PROJECTIONS_FILES])}"
