"""The model and its directory, with the starter towers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

import biovita
from biovita.errors import MediaError, ModelError
from biovita.media.inputs import Clip, Sound
from biovita.modality import Modality
from biovita.model import Model, write_model
from biovita.model.formats.projections import aligned_model
from biovita.model.identity import KEPT
from biovita.model.projection import Projection

RATE = 48_000
TONE = np.sin(2 * np.pi * 3000 * np.arange(3 * RATE) / RATE).astype(np.float32)


@pytest.fixture(scope="module")
def model(starter: Model) -> Model:
    torch.manual_seed(0)
    projections = {modality: Projection(tower.card.dim, 32) for modality, tower in starter.towers.items()}
    for projection in projections.values():
        projection.standardise_on(torch.randn(50, projection.linear.in_features) * 3 + 1)
    return aligned_model("test", starter, projections, 14.0, {"seed": 0})


def _unit(vectors: np.ndarray, rows: int, dim: int) -> bool:
    lengths = np.linalg.norm(vectors, axis=1)
    return (
        vectors.shape == (rows, dim) and vectors.dtype == np.float32 and bool(np.allclose(lengths, 1, atol=1e-6))
    )


@pytest.mark.slow
def test_each_modality_gives_unit_vectors_in_the_order_given(model: Model, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "tone.wav", TONE, RATE, subtype="FLOAT")
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    sounds = [tmp_path / "tone.wav", (noise, RATE), Sound(TONE, RATE), Clip(tmp_path / "tone.wav", 0.0, 3.0)]
    audio = model.embed_audio(sounds)
    assert _unit(audio, 4, 32)
    np.testing.assert_allclose(audio[0], audio[2], atol=1e-5)
    np.testing.assert_allclose(audio[0], audio[3], atol=1e-5)
    assert audio[0] @ audio[1] < 0.99

    Image.new("RGB", (300, 280), (200, 30, 40)).save(tmp_path / "red.png")
    images = model.embed_images([tmp_path / "red.png", Image.new("RGB", (300, 280), (200, 30, 40))])
    assert _unit(images, 2, 32)
    np.testing.assert_allclose(images[0], images[1], atol=1e-5)
    assert _unit(model.embed_texts(["Pica pica", "Eurasian Magpie"]), 2, 32)


def test_nothing_in_nothing_out(model: Model) -> None:
    assert model.embed_texts([]).shape == (0, 32)
    assert model.embed_audio([]).shape == (0, 32)


def test_one_item_is_not_a_list_of_items(model: Model) -> None:
    for method, item in (
        (model.embed_audio, "dawn.wav"),
        (model.embed_audio, (np.zeros(9, np.float32), 48_000)),
        (model.embed_images, Path("bird.jpg")),
        (model.embed_images, Image.new("RGB", (8, 8))),
    ):
        with pytest.raises(ModelError, match=rf"{method.__name__} takes a list .*Put it into a list"):
            method(item)


def test_one_string_is_not_a_list_of_strings(model: Model) -> None:
    with pytest.raises(ModelError, match="Put it into a list"):
        model.embed_texts("Pica pica")


def test_a_broken_item_is_named_and_never_embedded(model: Model, tmp_path: Path) -> None:
    (tmp_path / "page.mp3").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    with pytest.raises(MediaError, match=r"item 1: .*page\.mp3") as error:
        model.embed_audio([(TONE, RATE), tmp_path / "page.mp3"])
    assert error.value.reason == "not-audio"


def test_vectors_without_a_direction_are_refused(model: Model) -> None:
    towers_alone = Model.of_towers("alone", model.towers)
    with pytest.raises(ModelError, match="zero or not finite, the first in row 1"):
        towers_alone.project(Modality.TEXT, np.array([[1.0, 0], [0, 0]], np.float32))


@pytest.mark.slow
def test_what_is_saved_is_what_is_loaded(model: Model, tmp_path: Path) -> None:
    write_model(model, tmp_path / "model")
    loaded = biovita.load_model(tmp_path / "model", device="cpu")
    texts = ["Pica pica", "a very long name " * 20]
    np.testing.assert_array_equal(loaded.embed_texts(texts), model.embed_texts(texts))
    assert (loaded.name, loaded.logit_scale, loaded.record) == ("test", 14.0, {"seed": 0})
    assert loaded.card.revision == model.card.revision, "in memory and on disk it is the same"
    files = {path.name for path in (tmp_path / "model").iterdir()} - {KEPT}
    assert files == {"config.json", "model.safetensors"}


def test_the_towers_alone_load_by_their_card() -> None:
    towers = biovita.load_model(biovita.describe("starter").towers, device="cpu")
    assert [towers.dim(modality) for modality in Modality] == [1024, 1280, 384]
    assert _unit(towers.embed_texts(["Pica pica"]), 1, 384)


def test_a_name_that_is_neither_model_nor_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"unknown model 'startr'\. Did you mean 'starter'"):
        biovita.load_model("startr")
    with pytest.raises(
        ModelError, match=r"holds no model\. It should hold one of these: open_clip_config\.json .*config\.json"
    ):
        biovita.load_model(tmp_path)


def test_a_damaged_directory_says_what_is_wrong(model: Model, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return write_model(model, tmp_path / name)

    weights = load_file(copy("shape") / "model.safetensors")
    weights["audio.linear.bias"] = np.zeros(3, np.float32)
    weights["extra"] = weights.pop("text.mean")
    save_file(weights, tmp_path / "shape" / "model.safetensors")
    with pytest.raises(
        ModelError, match=r"audio\.linear\.bias is \(3,\), not \(32,\); missing text.mean; unexpected"
    ):
        biovita.load_model(tmp_path / "shape")

    file = copy("cut") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
        biovita.load_model(tmp_path / "cut")

    config = json.loads((copy("revision") / "config.json").read_text())
    config["towers"]["audio"]["revision"] = "sha256:0"
    (tmp_path / "revision" / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        ModelError,
        match=r"made with birdnet-2\.4 of 1024 numbers at sha256:0, and here .* at sha256:55",
    ):
        biovita.load_model(tmp_path / "revision")

    config["dim"] = "wide"
    (tmp_path / "revision" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"config\.json: dim: Input should be a valid integer"):
        biovita.load_model(tmp_path / "revision")
