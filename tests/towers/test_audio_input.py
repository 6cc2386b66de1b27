from __future__ import annotations

import numpy as np
import pytest
import soundfile

from biovita.errors import MediaError
from biovita.media import windows
from biovita.media.inputs import Clip, Sound
from biovita.media.sinc import sinc_resample
from biovita.towers import audio_windows as audio
from biovita.towers.audio_windows import AudioInput, fill, first_call
from biovita.towers.long_recordings import cut_windows, window_parts

RATE = 48_000


def published_window(samples: np.ndarray, rate: int) -> np.ndarray:
    """The published evaluation, in its own words: facts, section 2."""
    import torch

    wave = sinc_resample(torch.from_numpy(samples.astype(np.float32)), rate, RATE).numpy()
    threshold = np.abs(wave).max() * 0.01
    first = next(i for i in range(len(wave)) if abs(wave[i]) > threshold)
    start = max(0, first - 9600)
    out = np.zeros(480_000, np.float32)
    part = wave[start : start + 480_000]
    out[: len(part)] = part
    return out


def recording(seconds: float, rate: int, call_at: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    call = np.sin(2 * np.pi * 3000 * t) * ((t >= call_at) & (t < call_at + 1.5))
    return (call * 0.5 + rng.normal(scale=1e-4, size=len(t))).astype(np.float32)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(("seconds", "call_at"), [(3, 0.05), (3, 2.0), (14, 3.3)])
def test_onset_window_is_the_published_one(tmp_path, rate, seconds, call_at):
    samples = recording(seconds, rate, call_at)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    got = AudioInput()(tmp_path / "a.wav")
    assert got.shape == (1, 480_000)
    assert got.dtype == np.float32
    assert np.array_equal(got[0], published_window(samples, rate))
    assert np.array_equal(AudioInput()(Sound(samples, rate)), got)


@pytest.mark.slow
@pytest.mark.parametrize("call_at", [0.1, 59.9, 61.0, 130.0, 149.0])
@pytest.mark.parametrize("resampling", ["sinc", "soxr"])
def test_a_long_recording_gives_what_the_whole_at_once_would(monkeypatch, call_at, resampling):
    wave, rate = recording(151, 11_025, call_at), 11_025
    listen = AudioInput(resampling=resampling)
    by_blocks = listen(Sound(wave, rate))
    monkeypatch.setattr(audio, "_BLOCK_S", 1000)
    assert np.abs(by_blocks - listen(Sound(wave, rate))).max() < (1e-6 if resampling == "sinc" else 1e-4)


def test_silence_starts_at_the_start_and_stereo_is_its_mean():
    assert first_call(np.zeros(100_000), RATE) == 0
    assert first_call(np.zeros(0), RATE) == 0
    left, right = recording(2, RATE, 0.5, 1), recording(2, RATE, 0.5, 2)
    both = AudioInput()(Sound(np.stack([left, right], axis=1), RATE))
    assert np.allclose(both, AudioInput()(Sound((left + right) / 2, RATE)), atol=1e-7)


def test_short_ones_are_filled_up_as_asked():
    wave = np.arange(1, 5, dtype=np.float32)
    assert fill(wave, 10, "zeros").tolist() == [1, 2, 3, 4, 0, 0, 0, 0, 0, 0]
    assert fill(wave, 10, "repeat").tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 0, 0]
    assert fill(wave, 3, "repeat").tolist() == [1, 2, 3]
    assert fill(wave[:0], 2, "repeat").tolist() == [0, 0]


def test_all_windows_cover_a_recording_with_their_overlap():
    wave = recording(25, RATE, 1)
    listen = AudioInput(window="all", overlap=0.5)
    got = listen(Sound(wave, RATE))
    assert got.shape == (4, 480_000)
    for start, window in zip((0, 5, 10, 15), got, strict=True):
        begin = start * RATE
        assert np.array_equal(window, fill(wave[begin:], 480_000, "zeros"))
    assert AudioInput(window="all")(Sound(wave[:RATE], RATE)).shape == (1, 480_000)
    with pytest.raises(ValueError, match="overlap"):
        AudioInput(window="all", overlap=1)


def test_start_reads_the_first_window_only():
    wave = recording(25, 44_100, 12)
    whole = AudioInput(window="all")(Sound(wave, 44_100))
    assert np.allclose(AudioInput(window="start")(Sound(wave, 44_100))[0], whole[0], atol=1e-6)


def test_random_windows_come_from_everywhere_and_are_what_lies_there(tmp_path):
    rate, listen = 16_000, AudioInput(sample_rate=16_000, seconds=1.0)
    ramp = np.linspace(0, 0.9, 8 * rate).astype(np.float32)
    soundfile.write(tmp_path / "ramp.wav", ramp, rate, subtype="FLOAT")
    rng = np.random.default_rng(0)
    starts = []
    for item in [tmp_path / "ramp.wav", Sound(ramp, rate)] * 20:
        window = listen.random_window(item, rng)
        start = int(np.argmin(np.abs(ramp - window[0])))
        assert np.allclose(window, ramp[start : start + rate], atol=1e-6)
        starts.append(start / rate)
    assert min(starts) < 1
    assert max(starts) > 6
    within = [listen.random_window(Clip(tmp_path / "ramp.wav", 2.0, 4.0), rng) for _ in range(10)]
    assert all(ramp[2 * rate] <= w.min() and w.max() <= ramp[4 * rate - 1] for w in within)
    short = listen.random_window(Sound(ramp[:100], rate), rng)
    assert np.array_equal(short[:100], ramp[:100])
    assert not short[100:].any()


def test_what_cannot_be_decoded_is_an_error_not_silence(tmp_path):
    (tmp_path / "page.mp3").write_text("<!DOCTYPE html><html><body>404</body></html>")
    with pytest.raises(MediaError) as error:
        AudioInput()(tmp_path / "page.mp3")
    assert error.value.reason == "not-audio"
    with pytest.raises(MediaError):
        AudioInput()(Sound(np.zeros(0, np.float32), RATE))


@pytest.mark.parametrize(
    "field", [{"window": "al"}, {"resampling": "fast"}, {"padding": "x"}, {"overlap": 1}, {"seconds": -1}]
)
def test_what_is_not_accepted_is_told_at_once(field):
    with pytest.raises(ValueError, match=next(iter(field)) if "seconds" not in field else "positive"):
        AudioInput(**field)


def test_it_says_what_it_does():
    assert AudioInput().describe() == (
        "mono mean, 48 kHz (windowed sinc), 10 s from 0.2 s before the first sample over 1 % of the peak, "
        "shorter ones zero-padded"
    )


@pytest.fixture
def read_by_blocks(monkeypatch):
    """Have recordings of more than a quarter of a MiB read as those of hours are."""
    monkeypatch.setattr("biovita.media.audio._LONG_BYTES", 1 << 18)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [11_025, 48_000])
@pytest.mark.parametrize("how", [{}, {"window": "start"}, {"window": "all"}, {"window": "all", "overlap": 0.7}])
@pytest.mark.parametrize("span", [(0.0, None), (1.5, 140.2)])
def test_a_recording_read_by_blocks_gives_what_a_held_one_does(tmp_path, monkeypatch, rate, how, span):
    path = tmp_path / "a.flac"
    soundfile.write(path, recording(151, rate, 61.0), rate)
    listen = AudioInput(**how)
    held = listen(Clip(path, *span))
    monkeypatch.setattr("biovita.media.audio._LONG_BYTES", 1 << 18)
    read = np.concatenate(list(window_parts(listen(Clip(path, *span)))))
    assert read.shape == held.shape
    assert np.abs(read - held).max() < 1e-6


@pytest.mark.parametrize("length", [1, 9, 10, 11, 13, 14, 15, 99, 100, 101])
@pytest.mark.parametrize("hop", [1, 4, 10])
@pytest.mark.parametrize("block", [1, 7, 64])
def test_windows_of_blocks_are_those_of_the_whole(length, hop, block):
    samples = np.arange(1, length + 1, dtype=np.float32)
    blocks = [samples[start : start + block] for start in range(0, length, block)]
    assert np.array_equal(np.concatenate(list(cut_windows(blocks, 10, hop))), windows(samples, 10, hop))


def test_a_recording_read_by_blocks_that_is_cut_says_so(tmp_path, read_by_blocks):
    path = tmp_path / "a.flac"
    soundfile.write(path, recording(60, 22_050, 1.0), 22_050)
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(MediaError) as said:
        AudioInput()(path)
    assert said.value.reason == "truncated"
