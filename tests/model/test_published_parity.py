"""The published architecture in its full width, against the wrapper that mteb has of the published model."""

from __future__ import annotations

import gc
import math
import shutil
import sys
import types
from importlib.util import find_spec

import numpy as np
import open_clip
import pytest
import soundfile
import torch
from PIL import Image

from biovita import load_model
from biovita.modality import Modality
from biovita.model import write_model
from support.published_layouts import make, write_published

pytestmark = pytest.mark.skipif(find_spec("mteb") is None, reason="mteb is not installed")

TEXTS = [
    "Turdus merula",
    "Aves Passeriformes Turdidae Turdus Turdus merula with common name Common Blackbird",
    "frog",
    "",
]


def resample(wave: torch.Tensor, rate: int, wanted: int) -> torch.Tensor:
    """The published resampling, as its definition reads, in its precision: stands in for torchaudio's."""
    common = math.gcd(rate, wanted)
    rate, wanted = rate // common, wanted // common
    cutoff = min(rate, wanted) * 0.99
    width = math.ceil(6 * rate / cutoff)
    t = torch.arange(0, -wanted, -1, dtype=torch.float32)[:, None, None] / wanted
    t = ((t + torch.arange(-width, width + rate, dtype=torch.float32) / rate) * cutoff).clamp(-6, 6)
    window = torch.cos(t * math.pi / 6 / 2) ** 2
    t = t * math.pi
    kernel = torch.where(t == 0, torch.tensor(1.0), torch.sin(t) / t) * window * (cutoff / rate)
    padded = torch.nn.functional.pad(wave[None, None], (width, width + rate))
    out = torch.nn.functional.conv1d(padded, kernel, stride=rate).transpose(1, 2).reshape(-1)
    return out[: math.ceil(wanted * len(wave) / rate)]


@pytest.fixture(scope="module")
def config():
    """ViT-L-14 as published but for its depth, which the wrapper is told is open_clip's own."""
    config = open_clip.get_model_config("ViT-L-14")
    assert (config["vision_cfg"]["layers"], config["text_cfg"]["layers"]) == (24, 12)
    for part in ("vision_cfg", "text_cfg"):
        config[part]["layers"] = 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-L-14", config)
        yield config


@pytest.fixture(scope="module")
def directory(tmp_path_factory, config):
    """CLIP, HTS-AT and the adapter with random weights: 0.6 GB, and gone when the module is done."""
    root = tmp_path_factory.mktemp("published")
    made = make(config, {}, seed=1)
    write_published(made, root / "BioVITA", config)
    made.clap.config.save_pretrained(root / "clap")
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("wav"), np.random.default_rng(0)
    paths = []
    kinds = [(48_000, 1, 3), (48_000, 2, 13), (44_100, 1, 13), (44_100, 2, 4), (22_050, 2, 12), (22_050, 1, 2)]
    for number, (rate, channels, seconds) in enumerate([*kinds, (96_000, 1, 11), (96_000, 2, 5)]):
        t = np.arange(rate * seconds)[:, None] / rate
        pitch = 300 * 1.6**number * (1 + 0.3 * np.sin((number + 1) * t))
        call = np.sin(2 * np.pi * np.cumsum(pitch, axis=0) / rate) * (t > 0.4) * (t % 1 < 0.1 + 0.1 * number)
        noise = rng.normal(scale=2e-4, size=(len(t), channels))
        path = root / f"{rate}-{channels}-{seconds}.wav"
        soundfile.write(path, call * np.linspace(0.3, 0.6, channels) + noise, rate)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("jpg"), np.random.default_rng(1)
    paths = [root / "wide.jpg", root / "small.png"]
    Image.fromarray(rng.integers(0, 255, (300, 420, 3), dtype=np.uint8)).resize((640, 480)).save(paths[0])
    Image.fromarray(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(paths[1])
    return paths


@pytest.fixture(scope="module")
def wrapper(directory):
    """mteb's own wrapper, its downloads answered from the local folder."""
    import huggingface_hub
    import transformers
    from mteb.models.model_implementations import biovita_models

    functional = types.ModuleType("torchaudio.functional")
    functional.resample = resample
    fake = types.ModuleType("torchaudio")
    fake.functional = functional
    extractor = transformers.ClapFeatureExtractor(
        truncation="rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14_000
    )

    def processor(audio, **options):
        return extractor(audio, **options)

    processor.feature_extractor = extractor
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torchaudio", fake)
        patch.setitem(sys.modules, "torchaudio.functional", functional)
        patch.setattr(
            huggingface_hub, "hf_hub_download", lambda filename, **_: str(directory / "BioVITA" / filename)
        )
        patch.setattr(transformers.ClapProcessor, "from_pretrained", lambda *_, **__: processor)
        config = transformers.ClapConfig.from_pretrained(directory / "clap")
        patch.setattr(transformers.ClapModel, "from_pretrained", lambda *_, **__: transformers.ClapModel(config))
        wrapper = biovita_models.BioVITAWrapper(device="cpu")
        # It takes the first of the two transforms that open_clip returns, the one for training, which crops at random:
        # its image embeddings differ from call to call. The second is the evaluation that the paper describes.
        settings = open_clip.transform.PreprocessCfg(**wrapper.txt_img_model.visual.preprocess_cfg)
        wrapper.image_preprocess = open_clip.transform.image_transform_v2(settings, is_train=False)
        yield wrapper


def theirs(wrapper, recordings, photographs) -> dict[Modality, np.ndarray]:
    def loader(key, values):
        def collate(rows):
            return {key: [row[key] for row in rows]}

        rows = [{key: value} for value in values]
        return torch.utils.data.DataLoader(rows, batch_size=8, collate_fn=collate)

    sounds = []
    for path in recordings:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        sounds.append({"array": samples.T if samples.shape[1] > 1 else samples[:, 0], "sampling_rate": rate})
    images = [Image.open(path) for path in photographs]
    return {
        Modality.AUDIO: wrapper.get_audio_embeddings(loader("audio", sounds), show_progress_bar=False),
        Modality.IMAGE: wrapper.get_image_embeddings(loader("image", images), show_progress_bar=False),
        Modality.TEXT: wrapper.get_text_embeddings(loader("text", TEXTS), show_progress_bar=False),
    }


@pytest.mark.slow
def test_embeddings_are_those_of_mteb_and_survive_export(wrapper, directory, recordings, photographs, tmp_path):
    want = theirs(wrapper, recordings, photographs)
    model = load_model(directory / "BioVITA", device="cpu")
    got = {
        Modality.AUDIO: model.embed_audio(recordings),
        Modality.IMAGE: model.embed_images(photographs),
        Modality.TEXT: model.embed_texts(TEXTS),
    }
    for modality, vectors in want.items():
        assert got[modality].shape == vectors.shape == (len(vectors), 768)
        assert np.abs(got[modality] - vectors).max() < 1e-4, modality
        apart = vectors @ vectors.T - np.eye(len(vectors))
        assert apart.max() < 1 - 1e-3, "embeddings that are all alike would agree with anything"

    write_model(model, tmp_path / "again", layout="published")
    shutil.rmtree(directory / "BioVITA")
    del model
    gc.collect()
    again = load_model(tmp_path / "again", device="cpu")
    try:
        assert np.abs(again.embed_audio(recordings[:2]) - got[Modality.AUDIO][:2]).max() < 1e-6
        assert np.abs(again.embed_images(photographs[:1]) - got[Modality.IMAGE][:1]).max() < 1e-6
        assert np.abs(again.embed_texts(TEXTS) - got[Modality.TEXT]).max() < 1e-6
    finally:
        shutil.rmtree(tmp_path / "again")
