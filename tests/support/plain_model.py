"""A small dataset of real files, and towers that are plain arithmetic, so that what `embed` does is all there is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile
from PIL import Image

from biovita.compute.device import Device
from biovita.dataset import Dataset, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.media import resample
from biovita.modality import Modality
from biovita.model import Model, ModelCard
from biovita.model.formats.format import NotWritten, Origin
from biovita.model.lookup import FORMATS, KNOWN
from biovita.taxonomy import Taxon
from biovita.towers import EncoderCard
from biovita.towers.encoder import EncoderDefaults
from biovita.towers.input_arrays import native_mono, rgb_image

TAXA = (
    Taxon(
        "pica_pica",
        "Pica pica",
        "Eurasian Magpie",
        class_="Aves",
        order="Passeriformes",
        family="Corvidae",
        genus="Pica",
    ),
    Taxon("corvus_corax", "Corvus corax", "Common Raven", class_="Aves", family="Corvidae", genus="Corvus"),
    Taxon("hyla_arborea", "Hyla arborea"),
)


HERE = Device("cpu", "for the test")


@dataclass
class Plain(EncoderDefaults):
    """A tower of three numbers an item, that counts what it is given."""

    card: EncoderCard
    batch_size: int = 4
    device: Device = HERE
    tolerance: float = 0.0
    loaded: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    opened: int = 0

    def __call__(self, device: str) -> Plain:
        self.opened += 1
        return self

    def load(self, item: Any) -> np.ndarray:
        self.loaded.append(str(getattr(item, "path", item)))
        if self.card.modality == Modality.AUDIO:
            return resample(*native_mono(item), 8000)
        if self.card.modality == Modality.IMAGE:
            return np.asarray(rgb_image(item), np.float32)
        return np.array([ord(letter) for letter in item], np.float32)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        self.batches.append(len(batch))
        return np.array([[x.mean(), x.std(), x.size] for x in batch], np.float32)


class PlainFormat(NotWritten):
    """The layout of a model whose towers are here already."""

    weights = ()
    extras = ()
    files = "nothing"

    def __init__(self, card: ModelCard, towers: Mapping[Modality, Plain]) -> None:
        self.name, self.card, self.towers = card.format, card, towers

    def matches(self, path: Path) -> bool:
        return False

    def describe(self, path: Path, origin: Origin) -> ModelCard:
        return self.card

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:
        return Model(card.name, card, {modality: self.towers[modality](device) for modality in modalities})


def know(
    name: str, towers: Mapping[Modality, Plain], setitem: Callable[[Any, Any, Any], None] = dict.__setitem__
) -> ModelCard:
    """Make a model known by a name; ``setitem`` may be a monkeypatch's."""
    cards = {modality: tower.card for modality, tower in towers.items()}
    revision = "+".join(dict.fromkeys(card.revision for card in cards.values()))
    card = ModelCard(name, "plain arithmetic", name, name, revision, cards)
    setitem(KNOWN, name, card)
    setitem(FORMATS, name, PlainFormat(card, towers))
    return card


def plain_towers() -> dict[Modality, Plain]:
    return {
        modality: Plain(EncoderCard(f"plain-{modality}", modality, 3, "this file", "1", "Apache-2.0"))
        for modality in Modality
    }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_sound(path: Path, seed: int, seconds: float = 0.5) -> Path:
    samples = np.random.default_rng(seed).normal(0, 0.1, round(seconds * 8000)).astype(np.float32)
    soundfile.write(path, samples, 8000)
    return path


def write_photograph(path: Path, seed: int) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 255, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@dataclass
class Builder:
    """A dataset directory whose rows a test can change; each `write` puts them on disk and opens it anew."""

    path: Path
    audio: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)

    def add_sound(self, name: str, seed: int, taxon: str = "pica_pica") -> Path:
        path = write_sound(self.path / "media" / f"{name}.wav", seed)
        self.audio.append(
            {
                "id": name,
                "taxon_id": taxon,
                "path": f"media/{name}.wav",
                "start_s": 0.0,
                "end_s": 0.5,
                "duration_s": 0.5,
                "sample_rate": 8000,
                "sha256": sha256(path),
                "group_id": name,
            }
        )
        return path

    def add_photograph(self, name: str, seed: int, taxon: str = "pica_pica") -> Path:
        path = write_photograph(self.path / "media" / f"{name}.png", seed)
        row = {"id": name, "taxon_id": taxon, "path": f"media/{name}.png", "width": 30, "height": 20}
        self.images.append({**row, "sha256": sha256(path), "group_id": name})
        return path

    def write(self) -> Dataset:
        tables = {
            "taxa": taxa_table(TAXA),
            "audio": pa.Table.from_pylist(self.audio, schema=AUDIO),
            "images": pa.Table.from_pylist(self.images, schema=IMAGES),
        }
        write_dataset(self.path, tables, {"name": "test", "version": "1", "made": "by a test"})
        return Dataset.open(self.path)
