"""Encoders whose weights are installed from the package registry: BirdNET, EfficientNet-Lite2 and MiniLM."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path

from biovita.modality import Modality
from biovita.model.card import ModelCard
from biovita.model.formats.format import NotWritten, Origin
from biovita.model.model import Model
from biovita.towers import birdnet, efficientnet, minilm
from biovita.towers.encoder import Encoder, EncoderCard

__all__ = ["STARTER", "Installed", "log_notices"]

logger = logging.getLogger(__name__)

_CARDS = (birdnet.CARD, efficientnet.CARD, minilm.CARD)
_OPEN: dict[str, Callable[[str], Encoder]] = {
    birdnet.CARD.name: birdnet.BirdNET,
    efficientnet.CARD.name: efficientnet.EfficientNetLite2,
    minilm.CARD.name: minilm.MiniLM,
}

STARTER = ModelCard(
    name="starter",
    about="installs with pip, needs no hub and no GPU",
    format="installed",
    place="starter",
    revision="sha256:" + ",".join(card.revision.removeprefix("sha256:")[:16] for card in _CARDS),
    encoders={card.modality: card for card in _CARDS},
)


class Installed(NotWritten):
    """Encoders that come with packages; each checks its weights when it is opened."""

    name = "installed"
    files = "an installed package"
    weights = ()
    extras = ()

    def matches(self, path: Path) -> bool:  # noqa: ARG002
        """Return False: they are known by name alone."""
        return False

    def describe(self, path: Path, origin: Origin) -> ModelCard:  # noqa: ARG002
        """Return the card of ``starter``."""
        return STARTER

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:  # noqa: ARG002
        """Return the encoders; a notice that comes with weights is logged, once a process."""
        chosen = [card.encoders[modality] for modality in card.encoders if modality in modalities]
        log_notices(chosen)
        return Model(card.name, card, {info.modality: _OPEN[info.name](device) for info in chosen})


def log_notices(towers: Iterable[EncoderCard]) -> None:
    """Log the notices of encoders, each once a process."""
    for info in towers:
        if info.notice:
            _log_once(info.notice)


@cache
def _log_once(notice: str) -> None:
    logger.warning("%s", notice)
