"""The projections that come with the package: aligned, small, and made again by their recipe."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import biovita
from biovita.benchmark.leak import Asked, check_met
from biovita.errors import ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import Model, describe, load_model, write_model
from biovita.model.describe import met_of
from biovita.model.formats.projections_config import read_config
from biovita.model.landmarks import read_landmarks
from biovita.taxonomy.known_taxa import table_hash
from biovita.taxonomy.parse import fold
from biovita.towers import birdnet, efficientnet
from biovita.towers.encoder import Classes, Encoder, EncoderDefaults
from biovita.training import FrozenRecipe, recipe
from biovita.training.projections.names_alone import trained_on_names

FOLDER = Path(biovita.__file__).parent / "model" / "starter"
MADE = {"config.json", "model.safetensors", "landmarks.parquet", "met.parquet"}
NAMES = ["Troglodytes troglodytes", "Pica pica", "Turdus merula", "Bubo bubo"]
COMMON = ["Eurasian Wren", "Eurasian Magpie", "Eurasian Blackbird", "Eurasian Eagle-Owl"]


@pytest.fixture(scope="module")
def texts() -> Model:
    return load_model("starter", "cpu", [Modality.TEXT])


def test_the_folder_is_whole_and_small() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert files.keys() == MADE | {"LICENSE", "MODEL_CARD.md"}
    assert sum(files.values()) < 10e6
    terms = (FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "Attribution-NonCommercial-ShareAlike 4.0 International" in terms
    assert "https://creativecommons.org/licenses/by-nc-sa/4.0/" in terms


def test_it_is_a_model_of_projections_over_the_starter_towers() -> None:
    card = describe("starter")
    assert (card.name, card.place, card.dim, card.format) == ("starter", "starter", 256, "projections")
    assert card.base is card.towers
    assert (card.towers.name, card.towers.dim, card.towers.format) == ("starter", None, "installed")
    assert card.revision.endswith(f"+{card.towers.revision}")
    assert card.record["recipe"]["name"] == "starter/names"
    assert met_of(card.towers) is None
    knowledge = read_config(FOLDER).knowledge
    assert knowledge is not None
    assert knowledge.table == table_hash(), "made with another table: run the script again"


def test_texts_alone_do_not_open_the_other_towers(monkeypatch: pytest.MonkeyPatch) -> None:
    for tower in (birdnet.BirdNET, efficientnet.EfficientNetLite2):
        monkeypatch.setattr(tower, "__init__", lambda *_: pytest.fail("a tower of media was opened"))
    assert load_model("starter", "cpu", [Modality.TEXT]).embed_texts(["Pica pica"]).shape == (1, 256)


def test_a_common_name_finds_the_scientific_one(texts: Model) -> None:
    similarities = texts.embed_texts(COMMON) @ texts.embed_texts(NAMES).T
    assert similarities.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_its_landmarks_are_where_the_names_of_classes_lie(texts: Model) -> None:
    landmarks = read_landmarks(FOLDER, 256)
    assert landmarks.trained == 0
    rows = {fold(taxon.scientific_name): row for row, taxon in enumerate(landmarks.taxa)}
    assert len(rows) > 6500
    own = [rows[fold(name)] for name in NAMES]
    similarities = texts.embed_texts(NAMES) @ landmarks.names.astype(np.float32).T
    assert similarities[range(4), own].min() > 0.8
    found = (landmarks.media[::40].astype(np.float32) @ landmarks.names.astype(np.float32).T).argmax(axis=1)
    assert np.mean(found == np.arange(len(landmarks.taxa))[::40]) > 0.5, "a class finds its name among all"


def test_it_has_met_all_class_names_and_says_so() -> None:
    met = met_of("starter")
    assert met is not None
    assert met.counts["class"] > 6900
    assert met.counts["taxon"] == met.counts["audio"] == met.counts["image"] == 0
    names = pa.table({"species": ["Pica pica", "Unheard of"], "name": ["pica pica", "unheard of"]})
    asked = Asked(names, names.slice(0, 0), {}, 0)
    with pytest.raises(ModelError, match=r"1 of 2 unseen species as classes .*Pica pica.*--allow-leak"):
        check_met(met, asked, name="starter", allow_leak=False)
    others = Asked(names.slice(1), names.slice(0, 0), {}, 0)
    assert check_met(met, others, name="starter", allow_leak=False).vouched


@pytest.mark.slow
def test_sounds_photographs_and_names_lie_in_one_space(shared_data: Path) -> None:
    """Of 16 species, a recording or a photograph is nearer to its own name than to another's; so are the two."""
    folder = shared_data / "field-sample"
    first: dict[Modality, dict[str, Path]] = {modality: {} for modality in MEDIA}
    for modality, file in ((Modality.AUDIO, "audio.csv"), (Modality.IMAGE, "images.csv")):
        with (folder / file).open(encoding="utf-8", newline="") as text:
            for row in csv.DictReader(text):
                first[modality].setdefault(row["scientific_name"], folder / row["file"])
    species = sorted(first[Modality.AUDIO].keys() & first[Modality.IMAGE].keys())[::11][:16]
    model = load_model("starter", "cpu")
    vectors = {
        Modality.AUDIO: model.embed_audio([first[Modality.AUDIO][name] for name in species]),
        Modality.IMAGE: model.embed_images([first[Modality.IMAGE][name] for name in species]),
        Modality.TEXT: model.embed_texts(species),
    }
    assert {found.shape for found in vectors.values()} == {(16, 256)}
    others = ~np.eye(16, dtype=bool)
    for one, other, more in (
        (Modality.AUDIO, Modality.TEXT, 0.2),
        (Modality.IMAGE, Modality.TEXT, 0.08),
        (Modality.AUDIO, Modality.IMAGE, 0.05),
    ):
        similarities = vectors[one] @ vectors[other].T
        assert similarities.diagonal().mean() > similarities[others].mean() + more, (one, other)


@dataclass(frozen=True)
class Few(EncoderDefaults):
    """A tower of which the classifier alone is used, with its first classes."""

    whole: Encoder
    number: int = 60

    @property
    def card(self):
        return self.whole.card

    def classes(self) -> Classes:
        all_of = self.whole.classes()
        assert all_of is not None
        first = slice(self.number)
        return replace(
            all_of,
            names=all_of.names[first],
            weights=all_of.weights[first],
            bias=all_of.bias[first],
            animals=self.number,
        )


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, starter: Model) -> None:
    towers = {m: Few(tower) if m in MEDIA else tower for m, tower in starter.towers.items()}
    base = replace(starter, towers=towers)

    def made(name: str, seed: int) -> Mapping[str, bytes]:
        chosen = recipe("starter/names", {"steps": 5, "seed": seed}, FrozenRecipe)
        out = write_model(trained_on_names(base, chosen), tmp_path / name)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    first, again, other = made("first", 1), made("again", 1), made("other", 2)
    assert first.keys() == MADE
    assert first == again
    assert all(first[name] != other[name] for name in ("model.safetensors", "landmarks.parquet"))
    assert first["met.parquet"] == other["met.parquet"]
