"""open_clip's own layout: ``open_clip_config.json``, the weights, and where it has one its tokenizer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import NotWritten, Origin, joined_model, towers_card
from biovita.model.formats.published_files import CLAP_FILE
from biovita.model.model import Model
from biovita.towers.clip_config import CONFIG_FILE, read_clip_config
from biovita.towers.clip_images import image_input
from biovita.towers.open_clip import WEIGHT_FILES, read_clip_directory

__all__ = ["TOKENIZER_FILES", "OpenClip", "clip_towers"]

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
)


class OpenClip(NotWritten):
    """An image and a text tower."""

    name = "open_clip"
    files = f"{CONFIG_FILE} with its weights (open_clip)"
    weights = (WEIGHT_FILES,)
    extras = TOKENIZER_FILES

    def matches(self, path: Path) -> bool:
        """Return whether there is a configuration of open_clip's, and no audio tower with it."""
        return (path / CONFIG_FILE).is_file() and not (path / CLAP_FILE).is_file()

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        """Return what the configuration says."""
        return towers_card(self.name, origin, clip_towers(*read_clip_config(path)))

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        """Return the model; both towers share one network."""
        return joined_model(card, device, modalities, read_clip=lambda: read_clip_directory(path))


def clip_towers(
    model_cfg: dict[str, Any], preprocess_cfg: dict[str, Any] | None
) -> list[tuple[Modality, int, str]]:
    """Return the modality, dimension and preprocessing of the towers that an open_clip configuration describes."""
    texts = f"{model_cfg.get('text_cfg', {}).get('context_length') or 77} tokens, cut or filled up"
    dim = int(model_cfg["embed_dim"])
    return [
        (Modality.IMAGE, dim, image_input(model_cfg, preprocess_cfg).describe()),
        (Modality.TEXT, dim, texts),
    ]
