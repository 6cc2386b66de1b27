"""A training checkpoint of the published code: one ``epochNNN.pth``."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import NotWritten, Origin, joined_model, towers_card
from biovita.model.formats.published_files import checkpoint_dim, read_checkpoint_audio, read_checkpoint_clip
from biovita.model.model import Model
from biovita.towers.audio_windows import AudioInput
from biovita.weights.hub_models import CLIP_IMAGES, CLIP_TEXTS

__all__ = ["PublishedCheckpoint"]


class PublishedCheckpoint(NotWritten):
    """All three towers; the file does not say of which architecture, so that is the published one."""

    name = "checkpoint"
    files = "a file *.pth (a checkpoint of the published training)"
    weights = ()
    extras = ()

    def matches(self, path: Path) -> bool:
        """Return whether it is a file of that name."""
        return path.suffix == ".pth" and path.is_file()

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return the card; the dimension is a tensor's, so the file is read for it, as `load` reads it."""
        dim = checkpoint_dim(path)
        towers = [
            (Modality.AUDIO, dim, AudioInput().describe()),
            (Modality.IMAGE, dim, CLIP_IMAGES),
            (Modality.TEXT, dim, CLIP_TEXTS),
        ]
        return towers_card(self.name, origin, towers)

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model."""
        return joined_model(
            card,
            device,
            modalities,
            read_clip=lambda: read_checkpoint_clip(path),
            read_audio=lambda: read_checkpoint_audio(path),
        )
