"""Spectrogram pictures: a tone lies where its frequency is, and the bytes are the same each time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biovita.media import read_clip, spectrogram_png


def shades(png: bytes) -> np.ndarray:
    """Return ``(height, width)``, 0 to 255, the highest frequency in row 0."""
    return np.asarray(Image.open(io.BytesIO(png)))


def slaney(hz: float) -> float:
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4)


@pytest.mark.parametrize("hz", [300, 900, 2500, 7000, 12000])
@pytest.mark.parametrize("rate", [32000, 44100])
def test_a_tone_lies_at_its_frequency_and_time(hz: float, rate: int) -> None:
    t = np.arange(2 * rate) / rate
    tone = np.sin(2 * np.pi * hz * t) * ((t > 0.5) & (t < 1.0))
    picture = shades(spectrogram_png(tone, rate, width=400, height=200))
    assert picture.shape == (200, 400)
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    share = (slaney(hz) - slaney(150)) / (slaney(16000) - slaney(150))
    assert abs((200 - row) - 200 * share) <= (12 if hz < 500 else 5)  # a bin is wider than a row far below
    loud = np.flatnonzero(picture[row] > 200)
    assert abs(loud.min() - 100) <= 4
    assert abs(loud.max() - 200) <= 4
    assert 100 <= column <= 200


def test_pictures_are_small_and_the_same_each_time(shared_data: Path) -> None:
    samples, rate = read_clip(shared_data / "field-sample" / "audio" / "Aechmophorus_occidentalis_00a.ogg")
    first = spectrogram_png(samples, rate, width=480, height=160)
    assert first == spectrogram_png(samples.copy(), rate, width=480, height=160)
    assert len(first) < 45_000
    assert len(np.unique(shades(first))) > 20


@pytest.mark.parametrize("length", [1, 10, 1000, 48000])
@pytest.mark.parametrize("rate", [4000, 48000, 250_000])
def test_short_and_odd_sounds_are_drawn(length: int, rate: int) -> None:
    samples = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    assert shades(spectrogram_png(samples, rate, width=300, height=80)).shape == (80, 300)
    assert shades(spectrogram_png(samples, rate, width=1, height=1, max_hz=500)).shape == (1, 1)


def test_silence_is_dark() -> None:
    assert not shades(spectrogram_png(np.zeros(8000), 8000, width=50, height=20)).any()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        spectrogram_png(np.zeros((10, 2)), 8000, width=5, height=5)
    with pytest.raises(ValueError, match="1 pixel or more"):
        spectrogram_png(np.zeros(10), 8000, width=0, height=5)
