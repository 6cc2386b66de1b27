from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from biovita.media import sinc
from biovita.media.sinc import sinc_resample


def by_definition(x: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The published formula, sample by sample: sum over all input of x[k] h(n / wanted - k / rate)."""
    cutoff = min(rate, wanted) * 0.99
    t = (np.arange(len(x))[None] / rate - np.arange(math.ceil(len(x) * wanted / rate))[:, None] / wanted) * cutoff
    window = np.where(np.abs(t) < 6, np.cos(np.clip(t, -6, 6) * np.pi / 12) ** 2, 0)
    return (np.sinc(t) * window * cutoff / rate) @ x


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 44_101, 47_999, 96_000, 192_000, 384_000])
@pytest.mark.parametrize("samples", [1, 2, 50, 1501])
def test_agrees_with_the_definition(rate, samples):
    x = np.random.default_rng(rate + samples).normal(size=samples)
    got = sinc_resample(torch.from_numpy(x).float(), rate, 48_000)
    want = by_definition(x, rate, 48_000)
    assert got.shape == want.shape
    assert np.abs(got.numpy() - want).max() < 1e-4  # the published float32 rounds its times: -88 dB
    exact = sinc_resample(torch.from_numpy(x), rate, 48_000)
    assert np.abs(exact.numpy() - want).max() < 1e-11


def test_both_ways_of_computing_agree(monkeypatch):
    x = torch.randn(2, 3, 4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    banked = sinc_resample(x, 44_100, 48_000)
    monkeypatch.setattr(sinc, "_LARGEST_BANK", 0)
    monkeypatch.setattr(sinc, "_OUTPUTS", 1000)
    gathered = sinc_resample(x, 44_100, 48_000)
    assert banked.shape == (2, 3, math.ceil(4000 * 160 / 147))
    assert torch.allclose(banked, gathered, atol=1e-12)


def test_a_tone_keeps_its_pitch_and_one_above_the_new_nyquist_goes():
    t = np.arange(96_000) / 96_000
    low, high = (torch.from_numpy(np.sin(2 * np.pi * f * t)) for f in (3000, 30_000))
    kept = sinc_resample(low, 96_000, 48_000).numpy()
    inner = slice(1000, -1000)
    assert np.abs(kept - np.sin(2 * np.pi * 3000 * np.arange(48_000) / 48_000))[inner].max() < 1e-3
    assert sinc_resample(high, 96_000, 48_000)[inner].abs().max() < 1e-2


def test_same_rate_is_untouched_and_odd_rates_are_refused():
    x = torch.randn(10)
    assert sinc_resample(x, 48_000, 48_000) is x
    with pytest.raises(ValueError, match=r"44100\.5"):
        sinc_resample(x, 44_100.5, 48_000)
    with pytest.raises(ValueError, match="positive"):
        sinc_resample(x, 0, 48_000)


def test_rates_without_a_common_factor_need_no_giant_bank():
    before = sinc._bank.cache_info().currsize
    assert sinc_resample(torch.randn(441_010), 44_101, 48_000).shape == (480_000,)
    assert sinc._bank.cache_info().currsize == before  # it would hold 17 GB
