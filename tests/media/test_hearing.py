from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biovita.errors import BiovitaError, MediaError
from biovita.media import LongSound, read_mono
from biovita.media.hearing import Hearing
from biovita.media.inputs import Clip
from biovita.towers.input_arrays import mono_sound, native_mono
from support.sound_files import write_sound

RATE = 48_000


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def level(samples: np.ndarray) -> float:
    """Return the level of the second half, which no filter's beginning is in, in dB of full scale."""
    return 20 * np.log10(np.sqrt(np.mean(samples[len(samples) // 2 :] ** 2)) + 1e-12)


@pytest.fixture
def two_channels(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "a.wav", np.stack([tone(500), tone(5000)], axis=1), RATE)


def test_a_channel_is_heard_alone(two_channels: Path) -> None:
    second, rate = native_mono(Clip(two_channels, hearing=Hearing(channel=2)))
    np.testing.assert_allclose(second, tone(5000), atol=1e-4)
    assert rate == RATE
    both, _ = native_mono(Clip(two_channels))
    np.testing.assert_allclose(both, (tone(500) + tone(5000)) / 2, atol=1e-4)
    with pytest.raises(MediaError, match=r"it has 2 channel\(s\), and channel 3 was asked") as refused:
        native_mono(Clip(two_channels, hearing=Hearing(channel=3)))
    assert refused.value.reason == "no-channel"


@pytest.mark.parametrize(
    ("low", "high", "kept"), [(2000, None, 2), (None, 2000, 1), (2000, 8000, 2), (100, 2000, 1), (None, 24_000, 3)]
)
def test_a_band_is_what_is_left(two_channels: Path, low: float | None, high: float | None, kept: int) -> None:
    for channel in (1, 2):
        heard, _ = native_mono(Clip(two_channels, hearing=Hearing(channel, low, high)))
        whole = level(tone(500))
        assert (abs(level(heard) - whole) < 0.5) if kept & channel else (level(heard) < whole - 30)


def test_a_band_beyond_the_recording_is_refused(two_channels: Path) -> None:
    with pytest.raises(MediaError, match="up to 24000 Hz, and the band begins at 30000 Hz"):
        mono_sound(Clip(two_channels, hearing=Hearing(low_hz=30_000)))


def test_expanded_time_lowers_what_is_heard(two_channels: Path) -> None:
    slow, rate = mono_sound(Clip(two_channels, 0.25, 0.75, Hearing(channel=2, low_hz=2000, expand=10)))  # type: ignore[misc]
    assert rate == RATE // 10
    assert len(slow) == RATE // 2  # the span is one of the file's time
    spectrum = np.abs(np.fft.rfft(slow))
    assert np.argmax(spectrum) * rate / len(slow) == pytest.approx(500, abs=2)


def test_what_is_read_by_blocks_is_what_is_held(two_channels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = Hearing(channel=1, low_hz=200, high_hz=3000, expand=2)
    held, rate = read_mono(two_channels, 0.1, 0.9, hearing=hearing)  # type: ignore[misc]
    monkeypatch.setattr("biovita.media.audio._LONG_BYTES", 1 << 10)
    monkeypatch.setattr("biovita.media.decode._BLOCK", 1 << 12)
    long = read_mono(two_channels, 0.1, 0.9, hearing=hearing)
    assert isinstance(long, LongSound)
    assert long.sample_rate == rate
    np.testing.assert_allclose(np.concatenate(list(long.blocks())), held, atol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"channel": 0}, {"low_hz": 5000, "high_hz": 100}, {"low_hz": -1}, {"expand": 0}]
)
def test_what_cannot_be_heard_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BiovitaError):
        Hearing(**wrong)  # type: ignore[arg-type]


def test_it_says_what_it_changes() -> None:
    assert Hearing(channel=2).describe() == ""
    assert Hearing(high_hz=9000).describe() == "up to 9000 Hz"
    assert Hearing(low_hz=10, high_hz=20, expand=0.5).describe() == "from 10 Hz to 20 Hz, time expanded by 0.5"
