"""What every encoder has to do: towers, each side of a model, and adapters of models of others."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from biovita.benchmark.object_encoder import ObjectEncoder
from biovita.compute.device import Device
from biovita.errors import MediaError, ModelError
from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.model import Model, load_model
from biovita.model.formats.projections import aligned_model
from biovita.model.projection import Projection
from biovita.towers import Encoder
from biovita.towers.long_recordings import window_parts
from support.published_layouts import make, write_open_clip, write_published

RATE = 48_000
HTML = "<!DOCTYPE html><html><body>Not found</body></html>"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, starter: Model) -> dict[str, Model]:
    folder = tmp_path_factory.mktemp("encoders")
    made = make()
    made.clap.save_pretrained(folder / "clap")
    published = load_model(write_published(made, folder / "published"), "cpu")
    torch.manual_seed(0)
    found = {
        "starter": starter,
        "published": published,
        "open_clip": load_model(write_open_clip(made.clip, folder / "open_clip"), "cpu"),
        "clap": load_model(folder / "clap", "cpu"),
    }
    for name, base in (("aligned starter", starter), ("aligned published", published)):
        projections = {modality: Projection(base.dim(modality), 16) for modality in Modality}
        found[name] = aligned_model("aligned", base, projections)
    return found


TOWERS = [
    *(("starter", modality) for modality in Modality),
    *(("published", modality) for modality in Modality),
    ("open_clip", Modality.IMAGE),
    ("open_clip", Modality.TEXT),
    ("clap", Modality.AUDIO),
]
SIDES = [
    (name, modality) for name in ("aligned starter", "aligned published", "published") for modality in Modality
]


@pytest.fixture(
    params=[
        *((*tower, "tower") for tower in TOWERS),
        *((*side, "side") for side in SIDES),
        *(("aligned starter", modality, "adapter") for modality in Modality),
    ],
    ids=" ".join,
)
def encoder(models: dict[str, Model], request: pytest.FixtureRequest) -> Encoder:
    name, modality, part = request.param
    model = models[name]
    if part == "adapter":  # the model stands for an object of which only its methods are known
        return ObjectEncoder(model, modality, name, model.dim(modality))
    return model.tower(modality) if part == "tower" else model.encoder(modality)


def items_of(modality: Modality) -> list[Any]:
    """Return five items of different lengths and sizes."""
    rng = np.random.default_rng(0)
    if modality == Modality.AUDIO:
        lengths = (RATE, 4 * RATE, RATE // 2, 11 * RATE, 7 * RATE)
        return [Sound(rng.normal(0, 0.1, length).astype(np.float32), RATE) for length in lengths]
    if modality == Modality.IMAGE:
        sizes = ((40, 60), (300, 280), (33, 33), (64, 500), (270, 260))
        return [Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)) for size in sizes]
    return ["Pica pica", "a", "Aves Passeriformes Corvidae Pica pica " * 8, "Eurasian Magpie", "Rana temporaria"]


def loaded_by(encoder: Encoder, folder: Path) -> list[Any]:
    """Return the items loaded; for an adapter from files of them."""
    items = items_of(encoder.card.modality)
    if isinstance(encoder, ObjectEncoder) and encoder.card.modality != Modality.TEXT:
        items = [written(item, folder / str(number)) for number, item in enumerate(items)]
    return [encoder.load(item) for item in items]


def written(item: Sound | Image.Image, stem: Path) -> Path:
    if isinstance(item, Sound):
        path = stem.with_suffix(".wav")
        soundfile.write(path, item.samples, item.sample_rate, subtype="FLOAT")
    else:
        path = stem.with_suffix(".png")
        item.save(path)
    return path


@pytest.mark.slow
def test_it_says_what_it_is(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert isinstance(encoder.device, Device)
    assert encoder.batch_size >= 1
    assert 0 <= encoder.tolerance <= (1e-3 if isinstance(encoder, ObjectEncoder) else 1e-5)
    assert encoder.card.dim >= 1
    assert encoder.card.revision
    assert encoder.card.preprocessing
    cuts = encoder.card.modality == Modality.AUDIO and not isinstance(encoder, ObjectEncoder)
    assert (encoder.windows is not None) == cuts


@pytest.mark.slow
def test_vectors_come_in_order_and_are_the_same_in_any_batch(encoder: Encoder, tmp_path: Path) -> None:
    loaded = loaded_by(encoder, tmp_path)
    whole = encoder.encode(loaded)
    assert whole.shape == (len(loaded), encoder.card.dim)
    assert whole.dtype == np.float32
    length = np.linalg.norm(whole, axis=1)
    others = {
        "alone": np.concatenate([encoder.encode([each]) for each in loaded]),
        "turned round": encoder.encode(loaded[::-1])[::-1],
        "many": encoder.encode(loaded * (15 if encoder.card.modality == Modality.TEXT else 2))[-len(loaded) :],
    }
    for how, vectors in others.items():
        apart = np.linalg.norm(vectors - whole, axis=1) / length
        assert apart.max() <= encoder.tolerance, f"{how}: {apart.max():.2g}"
    between = np.linalg.norm(whole[:, None] - whole[None], axis=2) + np.eye(len(whole)) * length.max()
    assert between.min() > 10 * encoder.tolerance * length.max(), "different items differ"


def test_nothing_in_nothing_out(encoder: Encoder) -> None:
    for vectors in (encoder.encode([]), *([encoder.encode_windows([])] if encoder.windows else [])):
        assert vectors.shape == (0, encoder.card.dim)
        assert vectors.dtype == np.float32


def test_what_cannot_be_decoded_is_an_error_and_never_silence(encoder: Encoder, tmp_path: Path) -> None:
    if encoder.card.modality == Modality.TEXT:
        pytest.skip("every text can be read")

    for name, content in (("page.mp3", HTML.encode()), ("empty.wav", b""), ("cut.png", b"\x89PNG\r\n\x1a\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=name):
            encoder.load(tmp_path / name)
    with pytest.raises(MediaError):
        encoder.load(tmp_path / "nowhere.wav")


@pytest.mark.slow
def test_windows_are_as_long_and_as_far_apart_as_it_says(encoder: Encoder) -> None:
    if encoder.windows is None:
        with pytest.raises(ModelError, match="does not cut recordings into windows"):
            encoder.encode_windows([np.zeros(4, np.float32)])
        with pytest.raises(ModelError, match="does not cut recordings into windows"):
            encoder.cutting()
        return
    cutting = encoder.cutting()
    assert cutting.windows is not None
    assert cutting.windows.size_s == cutting.windows.hop_s == encoder.windows.size_s
    seconds = 2 * cutting.windows.size_s + 2
    samples = np.random.default_rng(1).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    [windows] = window_parts(cutting.load(Sound(samples, RATE)))
    assert windows.shape == (3, round(cutting.windows.size_s * RATE))
    assert np.array_equal(windows[1], samples[len(windows[0]) : 2 * len(windows[0])])
    vectors = cutting.encode_windows(list(windows))
    assert vectors.shape == (3, encoder.card.dim)
    assert vectors.dtype == np.float32
    alone = np.concatenate([cutting.encode_windows([window]) for window in windows])
    apart = np.linalg.norm(vectors - alone, axis=1) / np.linalg.norm(vectors, axis=1)
    assert apart.max() <= encoder.tolerance


def test_its_loader_is_sent_to_another_process(encoder: Encoder) -> None:
    if encoder.loader is None:
        return
    sent: Callable[[Any], Any] = pickle.loads(pickle.dumps(encoder.loader))
    for item in items_of(encoder.card.modality)[:2]:
        assert np.array_equal(sent(item), encoder.load(item))


def test_its_classifier_names_what_it_says(encoder: Encoder) -> None:
    found = encoder.classes()
    if found is None:
        return
    assert found.weights.shape == (len(found.names), encoder.card.dim)
    assert found.bias.shape == (len(found.names),)
    assert found.weights.dtype == found.bias.dtype == np.float32
    assert 0 < found.animals <= len(found.names)
    assert all(names and all(names) for names in found.names)


@pytest.mark.slow
def test_a_side_is_what_the_model_embeds(models: dict[str, Model]) -> None:
    for name, modality in SIDES:
        side, items = models[name].encoder(modality), items_of(modality)
        embed = {
            Modality.AUDIO: models[name].embed_audio,
            Modality.IMAGE: models[name].embed_images,
            Modality.TEXT: models[name].embed_texts,
        }[modality]
        vectors = side.encode([side.load(item) for item in items])
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
        assert np.abs(vectors - embed(items)).max() <= side.tolerance  # type: ignore[operator]


def test_windows_of_a_recording_in_the_shared_space(models: dict[str, Model]) -> None:
    item = Sound(np.random.default_rng(2).normal(0, 0.1, 8 * RATE).astype(np.float32), RATE)
    starts, vectors = models["aligned starter"].embed_windows(item)
    assert starts.tolist() == [0, 3, 6]
    tower = models["starter"].tower(Modality.AUDIO)
    want = models["aligned starter"].project(Modality.AUDIO, tower.encode_windows(list(tower.load(item))))
    np.testing.assert_allclose(vectors, want, atol=1e-6)
    starts, _ = models["starter"].embed_windows(item, overlap=0.5)
    assert starts.tolist() == [0, 1.5, 3, 4.5, 6]
    with pytest.raises(ModelError, match="overlap is 1; it has to be a share of the window"):
        models["starter"].embed_windows(item, overlap=1)
    starts, vectors = models["aligned published"].embed_windows(item, overlap=0.5)
    assert starts.tolist() == [0]
    assert vectors.shape == (1, 16)
