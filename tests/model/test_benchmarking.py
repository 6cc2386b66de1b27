from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from biovita import describe, load_model
from biovita.errors import MediaError, MissingExtraError, ModelError
from biovita.media.inputs import Sound
from biovita.model.benchmarking import for_mteb
from support.published_layouts import make, write_open_clip, write_published

pytestmark = pytest.mark.skipif(find_spec("mteb") is None, reason="mteb is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(write_published(make(), tmp_path_factory.mktemp("hub") / "BioVITA"), device="cpu")


class Rows(list):
    @property
    def features(self):
        return dict.fromkeys(self[0])


def loader(rows):
    from torch.utils.data import DataLoader

    return DataLoader(Rows(rows), batch_size=2)


def test_rows_are_embedded_as_the_model_does(model):
    rng = np.random.default_rng(0)
    texts = ["a", "b", "c"]
    images = [Image.fromarray(rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)) for _ in texts]
    stereo = [rng.normal(size=(2, 48_000)).astype(np.float32) for _ in texts]
    sounds = [{"array": array, "sampling_rate": 48_000} for array in stereo]
    encoder = for_mteb(model)
    assert np.allclose(encoder.encode(loader([{"text": text} for text in texts])), model.embed_texts(texts))
    assert np.allclose(
        encoder.encode(loader([{"image": i} for i in images])), model.embed_images(images), atol=1e-6
    )
    want = model.embed_audio([Sound(array.T, 48_000) for array in stereo])
    assert np.allclose(encoder.encode(loader([{"audio": sound} for sound in sounds])), want, atol=1e-6)
    both = encoder.encode(
        loader([{"audio": sound, "text": text} for sound, text in zip(sounds, texts, strict=True)])
    )
    total = want + model.embed_texts(texts)
    assert np.allclose(both, total / np.linalg.norm(total, axis=1, keepdims=True), atol=1e-6)
    with pytest.raises(MediaError):
        encoder.encode(loader([{"audio": {"array": np.zeros(0), "sampling_rate": 48_000}}]))
    with pytest.raises(ModelError, match=r"the columns video\. They need text, image or audio"):
        encoder.encode(loader([{"video": 1}]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("retrieval", "MockAny2AnyRetrievalI2TTask"),
        ("retrieval", "MockAny2AnyRetrievalA2TTask"),
        ("retrieval", "MockAny2AnyRetrievalT2ATask"),
        ("classification", "MockAudioClassification"),
        ("classification", "MockImageClassificationTask"),
        ("clustering", "MockClusteringTask"),
    ],
)
def test_mteb_runs_its_tasks(model, monkeypatch, module, name):
    from importlib import import_module

    import datasets
    import mteb

    if "A2T" in name or "T2A" in name or "Audio" in name:
        # datasets encodes sound with torchcodec, which has to match torch and stays out: leave the samples as they are.
        monkeypatch.setattr(datasets.DatasetDict, "cast_column", lambda self, *_: self)
    task = getattr(import_module(f"mteb.mocks.mock_tasks.{module}"), name)()
    results = mteb.evaluate(for_mteb(model), task, cache=None)
    [result] = results.task_results
    assert np.isfinite(result.get_score())
    assert results.model_name == f"biovita/{model.name}"


def test_towers_of_different_spaces_are_refused():
    model = load_model(describe("starter").towers, device="cpu")
    with pytest.raises(ModelError, match=r"not in one space\. Their dimensions are \[384, 1024, 1280\]"):
        for_mteb(model)


def test_without_mteb_the_extra_is_named(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "mteb.models.abs_encoder", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'biovita\[mteb\]'"):
        for_mteb(model)


@pytest.mark.slow
def test_a_model_without_sound_says_so_on_a_task_with_sound(tmp_path):
    model = load_model(write_open_clip(make().clip, tmp_path / "clip"), device="cpu")
    with pytest.raises(ModelError, match="no audio tower"):
        for_mteb(model).encode(loader([{"audio": {"array": np.ones(10), "sampling_rate": 10}}]))
