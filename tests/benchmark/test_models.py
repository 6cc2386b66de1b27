from __future__ import annotations

import numpy as np
import pytest

from biovita.benchmark.scored_models import ObjectEncoder, Random, modalities_of_model, model_name, open_model
from biovita.embedding import text_items
from biovita.errors import MediaError, ModelError
from biovita.media.inputs import Clip
from biovita.media.packed_files import PackedFile
from biovita.modality import Modality
from biovita.towers.encoder import Encoder
from support.plain_model import write_photograph, write_sound


def test_random_is_the_same_each_time_and_unit():
    model = open_model("random:7")
    ids = text_items(["a", "b"]).ids
    texts = model.vectors(Modality.TEXT, ids)
    assert texts.vectors.shape == (2, 7)
    assert texts.vectors.dtype == np.float32
    assert list(texts.ids) == ["a", "b"]
    assert (texts.vectors == Random(7).vectors(Modality.TEXT, ids).vectors).all()
    assert (texts.vectors != model.vectors(Modality.IMAGE, ids).vectors).any()
    assert np.linalg.norm(texts.vectors, axis=1) == pytest.approx(1)
    assert model.vectors(Modality.TEXT, ids[:0]).vectors.shape == (0, 7)
    assert modalities_of_model(model) == tuple(Modality)
    with pytest.raises(ModelError, match="number of dimensions"):
        open_model("random:x")
    with pytest.raises(ModelError, match="unknown model 'nobody'"):
        open_model("nobody")


class Deaf:
    """Sees how large a photograph is, and reads how long a text is."""

    name = "deaf"

    def __init__(self):
        self.given = []

    def embed_images(self, items):
        self.given += [(item.name, len(item.read_bytes())) for item in items]
        return np.array([[len(item.read_bytes()), 1, 2] for item in items])

    def embed_texts(self, items):
        return np.array([[len(item)] * len(item) for item in items])


class Hears:
    def embed_audio(self, items):
        return np.array([[1, 0] if hasattr(item, "name") else [item[0].std(), item[1]] for item in items])


def test_a_model_says_what_it_can_do_by_what_it_has():
    assert modalities_of_model(Deaf()) == (Modality.IMAGE, Modality.TEXT)
    assert modalities_of_model(open_model("starter")) == tuple(Modality)
    assert (model_name("starter"), model_name(Deaf()), model_name(Hears())) == ("starter", "deaf", "Hears")
    with pytest.raises(ModelError, match="embed_audio, embed_images, embed_texts"):
        modalities_of_model(object())


def test_an_object_is_an_encoder(tmp_path):
    photograph = write_photograph(tmp_path / "a.png", 0)
    model = Deaf()
    encoder = ObjectEncoder(model, Modality.IMAGE, "deaf", 3)
    assert isinstance(encoder, Encoder)
    assert encoder.card.name == "deaf image"
    vectors = encoder.encode([encoder.load(photograph)])
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[photograph.stat().st_size, 1, 2]]
    with pytest.raises(MediaError, match="no such file"):
        encoder.load(tmp_path / "b.png")


def test_a_packed_file_is_given_as_a_file_of_its_own_name(tmp_path):
    content = write_photograph(tmp_path / "a.png", 0).read_bytes()
    model = Deaf()
    packed = [PackedFile("none.lance", row, "a.png", len(content), content=content) for row in range(2)]
    ObjectEncoder(model, Modality.IMAGE, "deaf", 3).encode(packed)
    assert model.given == [("a.png", len(content))] * 2


def test_a_span_is_given_as_samples_and_a_recording_as_its_path(tmp_path):
    path = write_sound(tmp_path / "a.wav", 0)
    encoder = ObjectEncoder(Hears(), Modality.AUDIO, "hears", 2)
    samples, rate = encoder.load(Clip(path, 0.1, 0.2))
    assert (samples.shape, rate) == ((800,), 8000)
    assert encoder.load(Clip(path)) == path
    assert encoder.encode([path, (samples, rate)]).tolist()[0] == [1, 0]


def test_vectors_of_another_length_are_an_error_and_those_of_zeros_are_none(tmp_path):
    encoder = ObjectEncoder(Deaf(), Modality.TEXT, "deaf", 2)
    with pytest.raises(ModelError, match="a vector of 3 numbers after vectors of 2"):
        encoder.encode(["abc"])

    class Silent:
        def embed_texts(self, items):
            return np.array([[0, 0], [0, 1]])

    assert np.isnan(ObjectEncoder(Silent(), Modality.TEXT, "silent", 2).encode(["a", "b"])).tolist() == [
        [True, True],
        [False, False],
    ]


def test_the_item_that_tells_the_length_is_not_encoded_again(tmp_path):
    model = Deaf()
    encoder = ObjectEncoder(model, Modality.IMAGE, "deaf")
    first, second = (write_photograph(tmp_path / name, 0) for name in ("a.png", "b.png"))
    encoder.learn_dim(first)
    assert encoder.card.dim == 3
    asked = []
    encoder._embed = lambda items: asked.extend(items) or model.embed_images(items)
    batch = [encoder.load(path) for path in (second, first, second)]
    vectors = encoder.encode(batch)
    assert vectors.dtype == np.float32
    assert (
        vectors.tolist() == ObjectEncoder(model, Modality.IMAGE, "deaf").encode([second, first, second]).tolist()
    )
    assert asked == [second, second]
    assert encoder.encode([encoder.load(first)]).shape == (1, 3)
