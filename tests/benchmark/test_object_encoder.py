from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from biovita.benchmark.object_encoder import ObjectEncoder, stated_revision
from biovita.benchmark.returned_vectors import returned_rows
from biovita.errors import MediaError, ModelError
from biovita.media.hearing import Hearing
from biovita.media.inputs import Clip, Picture
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality
from biovita.towers.encoder import Encoder
from support.plain_model import write_photograph, write_sound


@dataclass
class Mine:
    """Keeps what it is given, and returns what it is told to, or how long texts are."""

    returned: object = None
    given: list = field(default_factory=list)

    def embed_audio(self, items):
        self.given.append(items)
        return np.array([[samples.std(), rate] for samples, rate in items])

    def embed_images(self, items):
        self.given.append(items)
        return np.array([[item.width, item.height, 1] for item in items])

    def embed_texts(self, items):
        self.given.append(items)
        return np.array([[len(item)] * len(item) for item in items]) if self.returned is None else self.returned


def encode(encoder, *items):
    return encoder.encode([encoder.load(item) for item in items])


def test_recordings_come_as_samples_with_the_rate_of_their_file(tmp_path):
    path, model = write_sound(tmp_path / "a.wav", 0), Mine()
    encoder = ObjectEncoder(model, Modality.AUDIO, "mine", 2)
    assert isinstance(encoder, Encoder)
    assert encoder.card.name == "mine audio"
    encode(encoder, path, Clip(path, 0.1, 0.2))
    [(whole, rate), (span, _)] = model.given[0]
    heard, _ = soundfile.read(path, dtype="float32")
    assert rate == 8000
    assert whole.dtype == np.float32
    assert np.array_equal(whole, heard)
    assert np.array_equal(span, heard[800:1600])


def test_recordings_are_mono_of_the_channel_that_counts(tmp_path):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 8000, subtype="FLOAT")
    model = Mine()
    encode(
        ObjectEncoder(model, Modality.AUDIO, "mine", 2),
        tmp_path / "a.wav",
        Clip(tmp_path / "a.wav", hearing=Hearing(channel=2)),
    )
    [(mean, _), (right, _)] = model.given[0]
    assert mean == pytest.approx(sound.mean(axis=1), abs=1e-6)
    assert np.array_equal(right, sound[:, 1])


def test_recordings_come_at_the_rate_that_an_object_states(tmp_path):
    path, model = write_sound(tmp_path / "a.wav", 0), Mine()
    model.sample_rate = 16_000
    encode(ObjectEncoder(model, Modality.AUDIO, "mine", 2), path)
    [[(samples, rate)]] = model.given
    assert (samples.shape, rate) == ((8000,), 16_000)
    for odd in ("16k", 0, -1, 16.5, True, float("nan"), float("inf"), [16_000]):
        model.sample_rate = odd
        with pytest.raises(ModelError, match=r"sample_rate of Mine is .*whole number of hertz"):
            ObjectEncoder(model, Modality.AUDIO, "mine")
        ObjectEncoder(model, Modality.IMAGE, "mine")  # which hears nothing


def test_photographs_come_upright_in_rgb_and_cut_to_their_boxes(tmp_path):
    model = Mine()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned
    Image.new("L", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    path = write_photograph(tmp_path / "a.png", 0)
    found = encode(
        ObjectEncoder(model, Modality.IMAGE, "mine", 3), tmp_path / "turned.jpg", Picture(path, (0, 0, 0.5, 1))
    )
    assert [(picture.mode, picture.size) for picture in model.given[0]] == [("RGB", (20, 30)), ("RGB", (15, 20))]
    assert found.dtype == np.float32
    assert found.tolist() == [[20, 30, 1], [15, 20, 1]]


def test_packed_files_come_as_what_is_in_them(tmp_path):
    content = write_photograph(tmp_path / "a.png", 0).read_bytes()
    packed = PackedFile("none.lance", 0, "a.png", len(content), content=content)
    assert encode(ObjectEncoder(Mine(), Modality.IMAGE, "mine", 3), packed).tolist() == [[30, 20, 1]]


def test_what_cannot_be_decoded_is_not_given(tmp_path):
    (tmp_path / "a.png").write_text("<html>")
    encoder = ObjectEncoder(Mine(), Modality.IMAGE, "mine")
    for name in ("a.png", "nowhere.png"):
        with pytest.raises(MediaError, match=name):
            encoder.load(tmp_path / name)


def test_vectors_of_another_length_are_an_error_and_those_of_zeros_are_none():
    encoder = ObjectEncoder(Mine(), Modality.TEXT, "mine", 2)
    with pytest.raises(ModelError, match="embed_texts of Mine returned vectors of 3 numbers after vectors of 2"):
        encoder.encode(["abc"])
    own = np.array([[0, 0], [0, 1]], np.float32)
    found = ObjectEncoder(Mine(own), Modality.TEXT, "mine", 2).encode(["a", "b"])
    assert np.isnan(found).tolist() == [[True, True], [False, False]]
    assert own.tolist() == [[0, 0], [0, 1]], "what an object returns stays its own"


def test_the_item_that_tells_the_length_is_not_encoded_again(tmp_path):
    model = Mine()
    encoder = ObjectEncoder(model, Modality.IMAGE, "mine")
    first, second = (write_photograph(tmp_path / name, 0) for name in ("a.png", "b.png"))
    encoder.learn_dim(first)
    assert encoder.card.dim == 3
    vectors = encode(encoder, second, first, second)
    assert vectors.tolist() == [[30, 20, 1]] * 3
    assert [len(items) for items in model.given] == [1, 2]
    assert encode(encoder, first).shape == (1, 3)


def test_an_error_of_the_object_says_what_it_was_given(tmp_path):
    class Broken:
        def embed_audio(self, items):
            raise RuntimeError("size mismatch")

        embed_images = embed_texts = embed_audio

    for modality, item, said in (
        (Modality.AUDIO, write_sound(tmp_path / "a.wav", 0), r"1 recordings as .*float32 \(4000,\) at 8000 Hz"),
        (
            Modality.IMAGE,
            write_photograph(tmp_path / "a.png", 0),
            "1 PIL pictures, the first RGB of 30 x 20 pixels",
        ),
        (Modality.TEXT, "Pica pica", "1 texts, the first 'Pica pica'"),
    ):
        with pytest.raises(RuntimeError, match=r"^size mismatch") as caught:
            encode(ObjectEncoder(Broken(), modality, "broken"), item)
        (note,) = caught.value.__notes__
        assert note.startswith("biovita gave embed_")
        assert re.search(said, note), note


def test_a_revision_is_what_vectors_are_used_again_by():
    model = Mine()
    assert stated_revision(model) is None
    names = {ObjectEncoder(model, Modality.TEXT, "mine").card.revision for _ in range(2)}
    assert len(names) == 2, "nothing tells whether the object has changed"
    model.revision = 3
    assert ObjectEncoder(model, Modality.TEXT, "mine").card.revision == "3"
    model.revision = [3]
    with pytest.raises(ModelError, match="revision of Mine is a list"):
        ObjectEncoder(model, Modality.TEXT, "mine")


ROWS = [[0.5, 2.0], [-1.0, 3.0]]


@pytest.mark.parametrize(
    "returned",
    [
        np.array(ROWS),
        np.array(ROWS, np.float16),
        torch.tensor(ROWS, requires_grad=True),
        torch.tensor(ROWS, dtype=torch.bfloat16),
        torch.tensor(ROWS, dtype=torch.float64),
        ROWS,
        tuple(map(tuple, ROWS)),
        [np.array(row) for row in ROWS],
        [torch.tensor(row, requires_grad=True) for row in ROWS],
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'dtype', '')}",
)
def test_rows_come_in_many_forms(returned):
    found = returned_rows(returned, 2, "embed_texts of Mine")
    assert found.dtype == np.float32
    assert found.tolist() == ROWS


def test_whole_numbers_and_what_float32_does_not_hold():
    assert returned_rows(torch.tensor([[1, 2]]), 1, "m").tolist() == [[1, 2]]
    assert returned_rows(np.array([[1, 2]], np.uint8), 1, "m").tolist() == [[1, 2]]
    assert np.isinf(returned_rows(np.array([[1e300]]), 1, "m")).all()


@pytest.mark.parametrize(
    ("returned", "count", "said"),
    [
        (None, 2, r"returned None\. It has to return one vector an item"),
        ({"embedding": 1}, 2, r"returned a dict\. "),
        ((row for row in ROWS), 2, "returned a generator"),
        ([[1, 2], [3]], 2, "returned a list whose entries differ in length"),
        ((torch.ones(2, 3), torch.ones(2, 2)), 2, "returned a tuple whose entries differ in length"),
        (np.ones(2), 1, r"returned the shape \(2,\)\..*\(1, numbers\)\. Does it squeeze"),
        (np.ones(4), 2, r"returned the shape \(4,\)\..*the shape \(2, numbers\)$"),
        (np.ones((2, 5, 3)), 2, r"the shape \(2, 5, 3\)\..*mean over the places in between"),
        (np.ones((1, 3)), 2, r"the shape \(1, 3\)\..*\(2, numbers\)"),
        (np.ones((4, 3)), 2, r"the shape \(4, 3\)"),
        (np.ones((2, 0)), 2, "vectors of 0 numbers"),
        (np.ones((1, 65_537), np.int8), 1, r"65,537 numbers\. They may have from 1 to 65,536"),
        (np.array([["a"]]), 1, "returned <U1 values"),
        ([[None]], 1, "returned object values"),
        (torch.ones(1, 2) * 1j, 1, "returned complex64 values. They have to be real numbers"),
    ],
)
def test_what_is_not_a_vector_an_item_is_an_error_that_names_the_method(returned, count, said):
    with pytest.raises(ModelError, match=r"^embed_texts of Mine returned ") as caught:
        returned_rows(returned, count, "embed_texts of Mine")
    assert re.search(said, str(caught.value)), caught.value
