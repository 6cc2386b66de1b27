"""A model of three stub towers over a simulated fauna: its vectors have the structure of real ones and need no media.

A tower's vector of an item is the unit vector of a turned sum: directions of class, order, family, genus and species,
which all towers share, and of the modality, of the species in it, and of the item. Each tower turns the sum by a
rotation of its own, so that nothing is alike between two modalities before a model has been trained.
`register` makes the model known as ``scale-stub`` in this process, as `biovita.describe` and all commands find it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from pathlib import Path
from zlib import crc32

import numpy as np

from biovita.compute.device import Device
from biovita.media.inputs import Clip
from biovita.modality import Modality
from biovita.model import Model, ModelCard
from biovita.model.formats.installed import Installed
from biovita.model.lookup import FORMATS, KNOWN
from biovita.simulation.fauna import Fauna
from biovita.simulation.seeds import stream
from biovita.towers.encoder import EncoderCard, EncoderDefaults

MODEL = "scale-stub"
REVISION = "1"
SHARED = {"class": 0.40, "order": 0.35, "family": 0.45, "genus": 0.45, "species": 0.55}
GAP, OWN, ITEM = 0.70, 0.45, 0.80  # of a modality, a species in one modality, an item
TEXT_ITEM = 0.25 * ITEM


def centres(fauna: Fauna, dim: int, modality: Modality) -> np.ndarray:
    """Return what the vectors of each species' items scatter around, ``(species, dim)``, float32."""
    total = np.zeros((len(fauna.species), dim), np.float32)
    for rank, length in SHARED.items():
        founders = np.array([_founder(truth.place, rank) for truth in fauna.species])
        distinct, places = np.unique(founders, return_inverse=True)
        total += length * _directions(f"{fauna.seed}-{rank}", distinct, dim)[places]
    own = _directions(f"{fauna.seed}-{modality}", np.arange(len(total)), dim)
    gap = _directions(f"{fauna.seed}-gap-{modality}", np.array([0]), dim)
    return (total + OWN * own + GAP * gap) @ _rotation(fauna.seed, modality, dim)


def _founder(place: object, rank: str) -> int:
    name = {"class": "class_index", "species": "index"}.get(rank, rank)
    found: int = getattr(place, name)
    return found


def _directions(purpose: str, numbers: np.ndarray, dim: int) -> np.ndarray:
    """Return unit vectors ``(len(numbers), dim)``, float32, the same for the same purpose and number."""
    drawn = np.stack([stream(0, purpose, int(each)).standard_normal(dim, dtype=np.float32) for each in numbers])
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _rotation(seed: int, modality: Modality, dim: int) -> np.ndarray:
    drawn = stream(seed, f"rotation-{modality}").standard_normal((dim, dim))
    return np.linalg.qr(drawn)[0].astype(np.float32)


def scattered(middle: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
    """Return unit vectors around others, float32."""
    noise = rng.standard_normal(middle.shape, dtype=np.float32)
    found = middle + noise * np.float32(length / np.sqrt(middle.shape[1]))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def cards(dim: int) -> dict[Modality, EncoderCard]:
    """Return the cards of the towers."""
    return {
        modality: EncoderCard(
            name=f"{MODEL}-{modality}",
            modality=modality,
            dim=dim,
            source="simulated",
            revision=REVISION,
            license="CC0-1.0",
            preprocessing="none",
        )
        for modality in Modality
    }


def keep(folder: Path, fauna: Fauna, dim: int, species_of_file: dict[Modality, np.ndarray]) -> None:
    """Write what the towers need into a folder: the centres, the species of each file, and the size."""
    folder.mkdir()
    for modality, of_file in species_of_file.items():
        np.save(folder / f"centres-{modality}.npy", centres(fauna, dim, modality))
        np.save(folder / f"species-{modality}.npy", of_file)
    (folder / "stub.json").write_text(json.dumps({"dim": dim}), encoding="utf-8")


def register(dataset: Path) -> str:
    """Make the model of a dataset that `scale_data` wrote known in this process, and return its name."""
    folder = dataset / "stub"
    dim = json.loads((folder / "stub.json").read_text(encoding="utf-8"))["dim"]
    FORMATS[MODEL] = _Stub(folder)
    KNOWN[MODEL] = ModelCard(MODEL, "simulated towers", MODEL, MODEL, REVISION, cards(dim))
    return MODEL


class _Stub(Installed):
    """The layout of the stub, which is known by name alone."""

    name = MODEL

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, card: ModelCard, path: Path, device: str, modalities: Collection[Modality]) -> Model:  # noqa: ARG002
        """Return its towers."""
        towers = {
            each: StubTower(card.encoders[each], self._folder) for each in card.encoders if each in modalities
        }
        return Model(card.name, card, towers)


class StubTower(EncoderDefaults):
    """A tower that knows an item by the number in the name of its file, and opens none."""

    tolerance = 1e-3
    batch_size = 256
    device = Device("cpu", "it has no weights")

    def __init__(self, card: EncoderCard, folder: Path) -> None:
        self.card, self._folder = card, folder

    @property
    def loader(self) -> Callable[[object], np.ndarray]:
        """`load` itself, which needs no weights."""
        return _numbers_of

    def load(self, item: object) -> np.ndarray:
        """Return the number of a recording or observation, and which of its items it is; of a text its hash and 0."""
        return _numbers_of(item)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors of items, ``(len(batch), dim)``, float32."""
        return np.concatenate([self._vector(int(number), int(start)) for number, start in batch])

    def _vector(self, number: int, start: int) -> np.ndarray:
        rng = stream(0, f"stub-{self.card.modality}", number, start)
        if self.card.modality == Modality.TEXT:
            return scattered(np.zeros((1, self.card.dim), np.float32), 1.0, rng)
        species = self._species[number]
        return scattered(np.asarray(self._centres[species : species + 1]), ITEM, rng)

    @cached_property
    def _species(self) -> np.ndarray:
        return np.load(self._folder / f"species-{self.card.modality}.npy", mmap_mode="r")

    @cached_property
    def _centres(self) -> np.ndarray:
        return np.load(self._folder / f"centres-{self.card.modality}.npy", mmap_mode="r")


def _numbers_of(item: object) -> np.ndarray:
    if isinstance(item, str):
        return np.array([crc32(item.encode()), 0])
    path, start = (item.path, item.start_s) if isinstance(item, Clip) else (item, 0.0)
    file, _, part = Path(str(path)).stem[2:].partition("_")
    return np.array([int(file), int(part or start)])
