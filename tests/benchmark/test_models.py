from __future__ import annotations

import logging

import numpy as np
import pytest

from biovita.benchmark.one_space import comparable
from biovita.benchmark.scored_models import Random, modalities_of_model, model_name, open_model
from biovita.embedding import text_items
from biovita.errors import BiovitaError, ModelError
from biovita.modality import Modality
from biovita.model import describe


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
    assert open_model("random") == Random(256)


@pytest.mark.parametrize("name", ["random:0", "random:x", "random:\N{SUPERSCRIPT TWO}", "random:1000000"])
def test_random_needs_a_number_of_dimensions(name):
    with pytest.raises(ModelError, match="that of dimensions, from 1 to 65,536"):
        open_model(name)


@pytest.mark.parametrize("name", ["mine:Model", "pkg.mine:make_model", "mine.py", "models/mine.py"])
def test_code_of_others_is_not_run_by_its_name(name):
    with pytest.raises(ModelError, match=r"runs no code of a file.*Give it in Python.*--model vectors:PATH"):
        open_model(name)


def test_a_name_that_nothing_has_is_an_error():
    with pytest.raises(ModelError, match="unknown model 'nobody'"):
        open_model("nobody")


class Deaf:
    name = "deaf"

    def embed_images(self, items):
        return np.ones((len(items), 3))

    def embed_texts(self, items):
        return np.ones((len(items), 3))


class Hears:
    name = staticmethod(lambda: "a method")

    def embed_audio(self, items):
        return np.ones((len(items), 3))


def test_a_model_says_what_it_can_do_by_what_it_has():
    assert modalities_of_model(open_model(Deaf())) == (Modality.IMAGE, Modality.TEXT)
    assert modalities_of_model(open_model("starter")) == tuple(Modality)
    assert (model_name("starter"), model_name(Deaf()), model_name(Hears())) == ("starter", "deaf", "Hears")
    with pytest.raises(
        ModelError, match=r"^object has none of the methods.*embed_audio, embed_images, embed_texts"
    ):
        modalities_of_model(object())
    with pytest.raises(ModelError, match=r"Deaf is a class. Give an object of it, such as Deaf\(\)"):
        open_model(Deaf)


def test_a_module_in_training_mode_is_warned_of(caplog):
    import torch

    with caplog.at_level(logging.WARNING):
        open_model(torch.nn.Linear(1, 1).eval())
        assert not caplog.records
        open_model(torch.nn.Linear(1, 1))
    assert "Linear is in training mode" in caplog.text
    assert "eval()" in caplog.text


def test_what_has_vectors_of_one_length_is_compared(caplog):
    audio, image, text = Modality
    assert comparable({audio: 3, image: 3, text: 3}, "m") == (audio, image, text)
    assert comparable({text: 3}, "m") == (text,)
    assert comparable({}, "m") == ()
    assert not caplog.records
    assert comparable({audio: 4, image: 3, text: 4}, "m") == (audio, text)
    assert "photographs have 3 numbers" in caplog.text
    assert "Only directions between recordings and texts are scored" in caplog.text
    with pytest.raises(
        BiovitaError, match=r"m is not in one space: recordings have 1,024 numbers, texts have 384"
    ):
        comparable({audio: 1024, text: 384}, "m")


def test_widths_are_those_of_the_space_or_of_the_towers():
    card = describe("starter")
    assert set(card.widths.values()) == {256}
    assert card.towers.widths == {Modality.AUDIO: 1024, Modality.IMAGE: 1280, Modality.TEXT: 384}
