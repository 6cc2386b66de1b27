from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import ClapFeatureExtractor

from biovita.towers.mel import MelSpectrogram, mel_bank
from biovita.towers.mel_config import MelConfig

RATE = 48_000


def extractor(truncation: str = "rand_trunc", **options) -> ClapFeatureExtractor:
    return ClapFeatureExtractor(
        truncation=truncation, padding="pad", frequency_min=50, frequency_max=14_000, **options
    )


def signals(samples: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(samples)
    t = np.arange(samples) / RATE
    noise = rng.normal(size=samples)
    return {
        "noise": 0.1 * noise,
        "tone": 0.9 * np.sin(2 * np.pi * 440 * t),  # the other bands lie 100 dB lower
        "chirp": 0.5 * np.sin(2 * np.pi * (1000 + 600 * t) * t) + 1e-5 * noise,
        "faint": 1e-4 * noise,
        "call": 0.5 * np.sin(2 * np.pi * 6000 * t) * (t % 1 < 0.1),
    }


@pytest.mark.parametrize("samples", [480_000, 479_999, 240_123, 48_000, 1024, 700, 1])
def test_agrees_with_the_feature_extractor_of_transformers(samples):
    batch = signals(samples)
    padded = np.stack([np.pad(x, (0, 480_000 - samples)) for x in batch.values()]).astype(np.float32)
    want = extractor()([x.astype(np.float32) for x in batch.values()], sampling_rate=RATE)["input_features"]
    got = MelSpectrogram()(torch.from_numpy(padded))
    assert got.shape == (len(batch), 1, 1001, 64)
    assert got.dtype == torch.float32
    assert np.abs(got.numpy() - np.stack(want)).max() <= 2e-3


def test_htk_bank_agrees_with_that_of_the_fused_checkpoints():
    fused = extractor("fusion", padding_value=0.0)
    bank = mel_bank(MelConfig(scale="htk"))
    assert np.allclose(bank, fused.mel_filters, atol=1e-9)
    assert np.allclose(mel_bank(MelConfig()), fused.mel_filters_slaney, atol=1e-9)


def test_half_precision_waveforms_are_read_as_they_are():
    wave = torch.from_numpy(signals(9600)["noise"]).half()[None]
    assert torch.equal(MelSpectrogram()(wave), MelSpectrogram()(wave.float()))


def test_refuses_what_is_too_short_to_reflect():
    with pytest.raises(ValueError, match="more than 512 samples"):
        MelSpectrogram()(torch.zeros(1, 512))
    with pytest.raises(ValueError, match=r"\(480000,\)"):
        MelSpectrogram()(torch.zeros(480_000))
