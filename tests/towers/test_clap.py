from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from biovita import load_model
from biovita.errors import ModelError
from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.towers.clap import pooled
from support.published_layouts import SMALL_CLAP, audio_features, lively

RATE = 48_000


def write_clap(directory, *, fused: bool, **options):
    torch.manual_seed(3)
    config = {**SMALL_CLAP, "audio_config": {**SMALL_CLAP["audio_config"], "enable_fusion": fused}}
    model = ClapModel(ClapConfig.from_dict(config)).eval()
    lively(model)
    model.save_pretrained(directory, **options)
    extractor = ClapFeatureExtractor(
        truncation="fusion" if fused else "rand_trunc", padding="repeatpad", frequency_min=50, frequency_max=14_000
    )
    extractor.save_pretrained(directory)
    return model, extractor


def sounds(*seconds: float) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        rng.normal(scale=0.1 * (n + 1), size=round(s * RATE)).astype(np.float32) for n, s in enumerate(seconds)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("fused", [False, True])
def test_vectors_are_those_of_transformers(tmp_path, fused):
    network, extractor = write_clap(tmp_path / "clap", fused=fused)
    waves = sounds(10, 3, 0.5, 9.99)
    inputs = extractor(waves, sampling_rate=RATE, return_tensors="pt")
    inputs["is_longer"] = torch.zeros(len(waves), 1, dtype=bool)  # the extractor marks one at random if none is
    with torch.inference_mode():
        want = audio_features(network, **{**inputs, "input_features": inputs["input_features"].float()})
    model = load_model(tmp_path / "clap", device="cpu")
    got = model.embed_audio([Sound(wave, RATE) for wave in waves])
    assert set(model.towers) == {Modality.AUDIO}
    assert got.shape == (4, 24)
    assert np.abs(got - want.numpy()).max() < 1e-5


def test_both_return_types_of_the_supported_range_are_read():
    vectors = torch.randn(2, 3)
    assert pooled(vectors) is vectors  # transformers before 5
    assert pooled(SimpleNamespace(pooler_output=vectors)) is vectors


def test_older_weight_files_and_extra_buffers_are_read(tmp_path):
    network, _ = write_clap(tmp_path / "clap", fused=False)
    state = network.state_dict()
    state.pop("text_model.embeddings.token_type_ids")
    torch.save(state, tmp_path / "clap" / "pytorch_model.bin")
    (tmp_path / "clap" / "model.safetensors").unlink()
    assert load_model(tmp_path / "clap", device="cpu").embed_audio([Sound(sounds(1)[0], RATE)]).shape == (1, 24)


def test_windows_of_a_long_recording_are_averaged_or_kept_apart(tmp_path):
    write_clap(tmp_path / "clap", fused=False)
    tower = load_model(tmp_path / "clap", device="cpu").tower(Modality.AUDIO)
    [wave] = sounds(22)
    item = Sound(wave, RATE)
    assert tower.load(item).shape == (1, 480_000)
    all_of_it = tower.listening(window="all", overlap=0.5)
    windows = all_of_it.load(item)
    assert windows.shape == (4, 480_000)
    apart = all_of_it.encode_windows(windows)
    alone = [tower.encode([window[None]])[0] for window in windows]
    assert np.abs(apart - np.stack(alone)).max() < 1e-5
    both = all_of_it.encode([windows, windows[:1]])
    assert np.abs(both - np.stack([apart.mean(axis=0), apart[0]])).max() < 1e-5
    assert "all windows with 50% overlap" in all_of_it.card.preprocessing
    assert tower.card.preprocessing != all_of_it.card.preprocessing
    assert tower.encode([]).shape == (0, 24)
    starts, vectors = load_model(tmp_path / "clap", device="cpu").embed_windows(item, overlap=0.5)
    assert starts.tolist() == [0, 5, 10, 15]
    assert np.abs(vectors - apart / np.linalg.norm(apart, axis=1, keepdims=True)).max() < 1e-5
    with pytest.raises(ModelError, match="has to be a share of the window"):
        tower.cutting(1.0)


def test_what_is_no_clap_model_is_told(tmp_path):
    directory = tmp_path / "clap"
    write_clap(directory, fused=False)
    settings = json.loads((directory / "preprocessor_config.json").read_text())
    (directory / "preprocessor_config.json").write_text(json.dumps({**settings, "padding": "repeat"}))
    with pytest.raises(ModelError, match="padding is 'repeat'; it has to be"):
        load_model(directory)
    (directory / "preprocessor_config.json").unlink()
    (directory / "model.safetensors").rename(directory / "weights")
    with pytest.raises(ModelError, match="has no weights"):
        load_model(directory)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ModelError):
        load_model(directory)


@pytest.mark.parametrize(("fused", "parameters"), [(False, 153_492_890), (True, 153_507_530)])
def test_the_architecture_taken_without_a_description_is_the_published_one(fused, parameters):
    """mteb states how many parameters laion/clap-htsat-unfused and -fused have."""
    with torch.device("meta"):
        network = ClapModel(ClapConfig.from_dict({"audio_config": {"enable_fusion": fused}}))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_half_precision_is_close_and_keeps_the_spectrogram_exact(tmp_path):
    from biovita.compute.device import Device
    from biovita.towers.clap import ClapAudio, read_clap

    write_clap(tmp_path / "clap", fused=False)
    whole = load_model(tmp_path / "clap", device="cpu").tower(Modality.AUDIO)
    half = ClapAudio(
        whole.card, read_clap(tmp_path / "clap"), Device("cpu", "for the test", half=True), listen=whole.loader
    )
    windows = [whole.load(Sound(wave, RATE)) for wave in sounds(10, 2)]
    assert half.network.audio_projection.linear1.weight.dtype == torch.float32
    exact, close = whole.encode(windows), half.encode(windows)
    assert close.dtype == np.float32
    assert not np.array_equal(exact, close)
    assert np.abs(exact - close).max() < 0.02
