"""What the encoder hears: channels that cancel each other, dead ones, constants, ultrasound, and too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biovita.errors import MediaError
from biovita.media import LongSound, probe_audio, read_clip, read_mono
from biovita.media.hearing import Hearing
from biovita.media.inputs import Clip, Sound
from biovita.media.mixing import mix_of_samples
from biovita.towers.audio_windows import AudioInput
from biovita.towers.input_arrays import mono_sound, native_mono
from support.sound_files import song, write_sound

RATE = 22_050


def opposite(seconds: float, louder: float = 1.0, noise: float = 0.0) -> np.ndarray:
    """Two channels of one sound in opposite phases, each with a noise of its own."""
    sound = song(seconds, RATE)[:, 0]
    own = noise * np.random.default_rng(1).standard_normal((len(sound), 2))
    return (np.stack([sound, -louder * sound], axis=1) + own).astype(np.float32)


def reason(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        read_mono(path, encoder_rate=48_000)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("seconds", [1.0, 9.0])
def test_of_opposite_phases_the_stronger_channel_is_heard(tmp_path: Path, kind: str, seconds: float) -> None:
    sound = opposite(seconds, louder=1.1, noise=1e-4)
    path = write_sound(tmp_path / f"x.{kind}", sound, RATE)
    probe = probe_audio(path)
    assert any("channel 2 is heard in its place" in note for note in probe.warnings)
    every, _ = read_clip(path, mono=False)
    for start, end in ((0.0, None), (0.3, 0.5), (0.6, 0.9)):
        span = slice(round(start * RATE), None if end is None else round(end * RATE))
        np.testing.assert_allclose(read_clip(path, start, end)[0], every[span, 1], atol=1e-6)
        np.testing.assert_allclose(read_mono(path, start, end)[0], every[span, 1], atol=1e-6)  # type: ignore[index]
        np.testing.assert_allclose(native_mono(Clip(path, start, end))[0], every[span, 1], atol=1e-6)


def test_it_is_the_same_for_each_block_of_a_long_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = opposite(8.0)
    sound[: 2 * RATE] = 0.02 * song(2.0, RATE, 2)  # alone, this part would be heard as its mean
    path = write_sound(tmp_path / "x.wav", sound, RATE)
    held, _ = read_mono(path)  # type: ignore[misc]
    np.testing.assert_array_equal(held, read_clip(path, mono=False)[0][:, mix_of_samples(sound).channel - 1])  # type: ignore[operator]
    monkeypatch.setattr("biovita.media.audio._LONG_BYTES", 1 << 10)
    long = read_mono(path)
    assert isinstance(long, LongSound)
    np.testing.assert_array_equal(np.concatenate(list(long.blocks())), held)
    early, _ = read_clip(path, 0.2, 1.0)
    np.testing.assert_array_equal(early, held[round(0.2 * RATE) : RATE])


def test_a_file_that_is_silent_where_it_is_looked_at_is_listened_to_as_a_whole(tmp_path: Path) -> None:
    sound = np.zeros((20 * RATE, 2), np.float32)
    sound[5 * RATE : 5 * RATE + 8000] = opposite(1.0)[:8000]
    path = write_sound(tmp_path / "x.wav", sound, RATE)
    assert np.abs(read_clip(path, 5.0, 5.3)[0]).max() > 0.1


def test_what_does_not_cancel_is_heard_as_its_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for sound in (
        song(2.0, RATE, 2),
        0.1 * rng.standard_normal((RATE, 2)).astype(np.float32),  # nothing in common: 3 dB weaker
        opposite(2.0, louder=0.3),
    ):
        path = write_sound(tmp_path / "x.wav", sound, RATE)
        np.testing.assert_allclose(read_clip(path)[0], read_clip(path, mono=False)[0].mean(axis=1), atol=1e-6)
        assert probe_audio(path).warnings == ()
        assert mix_of_samples(sound).channel is None


def test_a_channel_that_was_asked_for_is_heard(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.wav", opposite(1.0), RATE)
    every, _ = read_clip(path, mono=False)
    np.testing.assert_array_equal(read_clip(path, hearing=Hearing(channel=2))[0], every[:, 1])
    array = native_mono(Sound(opposite(1.0), RATE))[0]
    np.testing.assert_array_equal(array, opposite(1.0)[:, 0])


@pytest.mark.parametrize("constant", [0.0, 0.2])
def test_a_dead_channel_is_said(tmp_path: Path, constant: float) -> None:
    sound = song(1.0, RATE, 2)
    sound[:, 1] = constant
    probe = probe_audio(write_sound(tmp_path / "x.wav", sound, RATE))
    assert probe.warnings == ("channel 2 is silent, and makes the mean that is heard 6 dB weaker",)


def test_a_constant_is_silent(tmp_path: Path) -> None:
    for sound in (np.full((RATE, 1), -0.3, np.float32), np.tile(np.float32([[0.2, 0.0]]), (RATE, 1))):
        path = write_sound(tmp_path / "x.wav", sound, RATE)
        with pytest.raises(MediaError, match="a constant, as a dead microphone gives it") as caught:
            probe_audio(path)
        assert caught.value.reason == reason(path) == "silent"
    quiet = write_sound(tmp_path / "quiet.wav", 0.3 + 2e-4 * song(1.0, RATE), RATE, subtype="PCM_24")
    assert probe_audio(quiet).warnings == ()


def bat(low_level: float = 0.0) -> np.ndarray:
    time = np.arange(96_000) / 192_000
    calls = 0.3 * np.sin(2 * np.pi * 60_000 * time) * np.clip(np.sin(2 * np.pi * 12 * time), 0, 1)
    return (calls + low_level * np.sin(2 * np.pi * 4000 * time))[:, None].astype(np.float32)


def test_ultrasound_is_not_heard_and_its_band_is_said(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "bat.wav", bat(), 192_000)
    probe = probe_audio(path)
    assert any("no sound below 24 kHz" in note and "60 kHz" in note for note in probe.warnings), probe.warnings
    for window in ("onset", "start", "all"):
        with pytest.raises(MediaError, match="--expand 10") as caught:
            AudioInput(seconds=0.1, window=window)(Clip(path))  # type: ignore[arg-type]
        assert caught.value.reason == "silent"
    slow, rate = mono_sound(Clip(path, hearing=Hearing(expand=10)), encoder_rate=48_000)  # type: ignore[misc]
    assert rate == 19_200
    assert np.abs(slow).max() > 0.2
    faint = write_sound(tmp_path / "faint.wav", bat(0.004), 192_000)
    assert any("its loudest sound is not heard at 48 kHz" in note for note in probe_audio(faint).warnings)
    assert len(read_mono(faint, encoder_rate=48_000)[0]) == 96_000  # type: ignore[index]
    assert probe_audio(write_sound(tmp_path / "bird.wav", bat(0.1), 192_000)).warnings == ()


def test_a_long_recording_in_which_nothing_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "bat.wav", bat(), 192_000)
    monkeypatch.setattr("biovita.media.audio._LONG_BYTES", 1 << 10)
    long = read_mono(path, encoder_rate=48_000)
    assert isinstance(long, LongSound)
    with pytest.raises(MediaError, match="no sound below 24 kHz"):
        list(long.blocks())


@pytest.mark.parametrize(("length", "limit", "used"), [(1763, 100, False), (1764, 100, True), (1763, 90, True)])
def test_one_that_is_too_short_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, limit: int, used: bool
) -> None:
    monkeypatch.setenv("BIOVITA_LIMIT_SHORTEST", str(limit))
    path = write_sound(tmp_path / "x.wav", song(1.0, 17_640)[:length], 17_640)
    longer = write_sound(tmp_path / "y.wav", song(1.0, 17_640), 17_640)
    if used:
        assert probe_audio(path).duration_s == length / 17_640
        assert len(read_mono(longer, 0.2, 0.2 + length / 17_640)[0]) == length  # type: ignore[index]
        return
    for asked in (lambda: probe_audio(path), lambda: read_mono(longer, 0.2, 0.2 + length / 17_640)):
        with pytest.raises(MediaError, match="--limit shortest=N") as caught:
            asked()
        assert caught.value.reason == "too-short"
