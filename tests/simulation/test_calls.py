"""Synthesised calls against the voices they are made from."""

from __future__ import annotations

import numpy as np
import pytest

from biovita.simulation import Fauna
from biovita.simulation.calls import SAMPLE_RATE, call, recording
from biovita.simulation.calls.habitats import background
from biovita.simulation.calls.recording import Singer
from biovita.simulation.ecology import HABITATS
from biovita.simulation.seeds import stream

_PLAIN = Singer(octaves=0.0, tempo=1.0, shift=0)


@pytest.fixture(scope="module")
def voices() -> dict:
    """One species for each kind of voice."""
    found: dict = {}
    for truth in Fauna.grow(2500, seed=1).species:
        found.setdefault(truth.voice.kind, truth)
    return found


def _spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies, and power averaged over windows of 43 ms."""
    windows = np.lib.stride_tricks.sliding_window_view(sound, 2048)[::1024] * np.hanning(2048)
    return np.fft.rfftfreq(2048, 1 / SAMPLE_RATE), (np.abs(np.fft.rfft(windows)) ** 2).mean(axis=0)


@pytest.mark.slow
def test_nearly_all_kinds_of_voice_occur(voices):
    assert len(voices) >= 34


def test_the_spectral_peak_follows_the_frequency(voices):
    heard, meant = [], []
    for truth in voices.values():
        if truth.voice.kind == "drum":  # clicks, with no pitch
            continue
        frequency, power = _spectrum(call(truth.voice, _PLAIN, 5.0, stream(0, "test", truth.index)))
        heard.append(np.log2(frequency[power.argmax()]))
        meant.append(np.log2(truth.voice.hz) + np.mean(truth.voice.motif) if len(truth.voice.motif) else 0.0)
        slack = 0.35 + 0.5 * (abs(truth.voice.slope) + abs(truth.voice.arch)) + np.ptp(truth.voice.motif)
        assert heard[-1] == pytest.approx(meant[-1], abs=slack), truth.voice.kind
    assert np.corrcoef(heard, meant)[0, 1] > 0.97


def test_the_pitch_of_an_individual_moves_the_peak(voices):
    voice = voices["pipe"].voice
    peaks = []
    for octaves in (-0.5, 0.5):
        frequency, power = _spectrum(call(voice, Singer(octaves, 1.0, 0), 5.0, stream(0, "test", 1)))
        peaks.append(frequency[power.argmax()])
    assert peaks[1] / peaks[0] == pytest.approx(2.0, rel=0.1)


def test_a_recording_is_the_same_again_and_another_individual_is_not(voices):
    truth = voices["whistle"]
    one, same, other = (
        recording(truth.voice, truth.ecology, 5.0, 0, stream(0, "recording", truth.index, number))
        for number in (0, 0, 1)
    )
    assert one.dtype == np.float32
    assert one.shape == (5 * SAMPLE_RATE,)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_recordings_are_audible_and_do_not_clip(voices):
    for truth in voices.values():
        sound = recording(truth.voice, truth.ecology, 5.0, 1, stream(5, "recording", truth.index))
        assert np.isfinite(sound).all()
        assert 0.02 < np.abs(sound).max() <= 0.95 + 1e-6
        assert np.sqrt(np.mean(sound**2)) > 0.004


def test_habitats_sound_different():
    spectra = []
    for habitat in HABITATS:
        _, power = _spectrum(
            background(habitat, "diurnal", "temperate", 5 * SAMPLE_RATE, np.random.default_rng(0))
        )
        bands = np.log10(power[2:].reshape(-1, 31)[:32].mean(axis=1))
        spectra.append(bands - bands.mean())
    for one in range(len(HABITATS)):
        for other in range(one):
            assert np.abs(spectra[one] - spectra[other]).max() > 0.3, (HABITATS[one], HABITATS[other])


def test_night_has_crickets():
    day, night = (
        _spectrum(background("forest", activity, "temperate", 5 * SAMPLE_RATE, np.random.default_rng(0)))[1]
        for activity in ("diurnal", "nocturnal")
    )
    band = slice(int(4000 / (SAMPLE_RATE / 2048)), int(5000 / (SAMPLE_RATE / 2048)))
    assert night[band].max() > 5 * day[band].max()
