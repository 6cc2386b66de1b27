"""An aligned model that costs nothing: three towers into one space of sixteen numbers, known by its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from biovita.compute.device import Device
from biovita.modality import Modality
from biovita.model import Model, ModelCard
from biovita.model.formats.installed import Installed
from biovita.model.lookup import FORMATS, KNOWN
from biovita.towers.encoder import EncoderCard, EncoderDefaults
from support.stub_listener import DIM, StubListener

ALIGNED, OTHER = "aligned-stub", "other-stub"
_CARD = EncoderCard(
    name="",
    modality=Modality.IMAGE,
    dim=DIM,
    source="tests",
    revision="1",
    license="CC0-1.0",
    preprocessing="none",
)


class Looker(EncoderDefaults):
    """The mean colours of four quarters of a photograph, and four numbers of all of it."""

    batch_size = 8
    tolerance = 0.0
    device = Device("cpu", "it costs nothing")
    card = replace(_CARD, name="aligned-stub-image")

    def load(self, item: Any) -> np.ndarray:
        """Return the vector itself."""
        from biovita.towers.input_arrays import rgb_image

        picture = np.asarray(rgb_image(item).resize((8, 8)), np.float32) / 255
        quarters = picture.reshape(2, 4, 2, 4, 3).mean(axis=(1, 3)).ravel()
        return np.concatenate([quarters, picture.std(axis=(0, 1)), [1.0]])

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors."""
        return np.stack(batch).astype(np.float32)


class Reader(EncoderDefaults):
    """Random numbers that the words of a text have drawn."""

    batch_size = 64
    tolerance = 0.0
    device = Device("cpu", "it costs nothing")
    card = replace(_CARD, name="aligned-stub-text", modality=Modality.TEXT)

    def load(self, item: str) -> str:
        """Return the text."""
        return item

    def encode(self, batch: Sequence[str]) -> np.ndarray:
        """Return the sum of what its words have drawn."""
        return np.stack([sum(map(_drawn, text.split()), np.zeros(DIM, np.float32)) for text in batch])


def _drawn(word: str) -> np.ndarray:
    return np.random.default_rng(crc32(word.lower().encode())).standard_normal(DIM).astype(np.float32)


class _Aligned(Installed):
    name = ALIGNED

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        towers = {Modality.AUDIO: StubListener(), Modality.IMAGE: Looker(), Modality.TEXT: Reader()}
        return Model(card.name, card, {each: towers[each] for each in towers if each in modalities})


def know_stubs() -> None:
    """Let this process know the model, and another one of the same towers."""
    cards = {Modality.AUDIO: StubListener().card, Modality.IMAGE: Looker.card, Modality.TEXT: Reader.card}
    for name in (ALIGNED, OTHER):
        FORMATS[name] = _Aligned()
        KNOWN[name] = ModelCard(name, "costs nothing", name, name, "1", cards, DIM)


@contextmanager
def stubs_known() -> Iterator[None]:
    """Let this process know them for a while."""
    before = dict(FORMATS), dict(KNOWN)
    know_stubs()
    try:
        yield
    finally:
        for known, were in zip((FORMATS, KNOWN), before, strict=True):
            known.clear()
            known.update(were)  # type: ignore[arg-type]
