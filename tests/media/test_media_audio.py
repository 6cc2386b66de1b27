"""Recordings against independent decodes of the same files: probing, spans, resampling, windows."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.errors import MediaError
from biovita.media import probe_audio, read_clip, resample, windows
from biovita.media.wav import write_float_wav
from support.sound_files import HTML, KINDS, song, without_xing, write_sound

RATE = {"opus": 48000}
SECONDS = 4.321


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("sounds")
    made = {}
    for kind in KINDS:
        rate = RATE.get(kind, 44100)
        suffix = "m4a" if kind == "alac" else kind
        made[kind] = write_sound(root / f"{kind}.{suffix}", song(SECONDS, rate, 2), rate, kind)
    return made


def reason_of(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        probe_audio(path)
    assert str(path) in str(caught.value)
    return caught.value.reason


def decode_whole(path: Path) -> np.ndarray:
    """Decode from start to end without our code: ``(samples, channels)``."""
    try:
        return soundfile.read(path, dtype="float32", always_2d=True)[0]
    except soundfile.LibsndfileError:
        with av.open(str(path)) as file:
            parts = [
                frame.to_ndarray().T.astype(np.float64) / (2**31 if "s32" in frame.format.name else 1)
                for frame in file.decode(audio=0)
            ]
        return np.concatenate(parts).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_probe_says_what_a_file_holds(sounds: dict[str, Path], kind: str) -> None:
    probe = probe_audio(sounds[kind])
    assert probe.sample_rate == RATE.get(kind, 44100)
    assert probe.channels == 2
    assert probe.format == {"ogg": "vorbis", "m4a": "aac"}.get(kind, kind)
    assert probe.warnings == ()
    # AAC comes in whole frames of 1024 samples, after one of priming in ADTS
    assert probe.duration_s == pytest.approx(SECONDS, abs=2048 / 44100 if kind in {"m4a", "aac"} else 1 / 44100)
    assert probe.duration_s * probe.sample_rate == pytest.approx(round(probe.duration_s * probe.sample_rate))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2), (48000, 1)])
def test_any_rate_and_channel_count(tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    path = write_sound(tmp_path / f"x.{'m4a' if kind == 'alac' else kind}", song(1.0, rate, channels), rate, kind)
    probe = probe_audio(path)
    assert (probe.sample_rate, probe.channels) == (rate, channels)
    assert probe.duration_s == pytest.approx(1.0, abs=2048 / rate if kind in {"m4a", "aac"} else 1e-9)


def test_uncommon_shapes_of_wav(tmp_path: Path) -> None:
    many = write_sound(tmp_path / "many.wav", song(0.5, 22050, 6), 22050, subtype="PCM_24")
    assert probe_audio(many).channels == 6
    ultrasonic = write_sound(tmp_path / "bat.wav", song(0.2, 384_000), 384_000, subtype="FLOAT")
    assert probe_audio(ultrasonic).sample_rate == 384_000
    samples, _ = read_clip(many, mono=False)
    np.testing.assert_array_equal(samples, soundfile.read(many, dtype="float32")[0])
    np.testing.assert_allclose(read_clip(many)[0], samples.mean(axis=1), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_spans_are_sample_exact(sounds: dict[str, Path], kind: str) -> None:
    whole = decode_whole(sounds[kind])
    rate = RATE.get(kind, 44100)
    rng = np.random.default_rng(1)
    edges = rng.integers(0, len(whole) - 2000, (20, 1)) + np.array([[0, 1500]])
    for start, stop in [*edges.tolist(), [0, 1], [len(whole) - 1500, None], [17, 18]]:
        got, got_rate = read_clip(
            sounds[kind], start / rate, None if stop is None else stop / rate, mono=False, sample_rate=rate
        )
        # MP4 sound ends where its track header says, which leaves out the padding of the last frame
        want = whole[start:stop][: len(got)]
        assert got_rate == rate
        assert len(got) == (stop - start if stop else len(got))
        assert len(got) >= 1
        if stop is None and kind != "m4a":
            assert len(got) == 1500
        np.testing.assert_allclose(got, want, atol=1e-5 if kind in {"m4a", "aac"} else 1e-6)


@pytest.fixture(scope="module")
def vorbis(shared_data: Path) -> tuple[Path, np.ndarray, int]:
    path = shared_data / "field-sample" / "audio" / "Aechmophorus_occidentalis_00a.ogg"
    return path, *soundfile.read(path, dtype="float32")


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(data=st.data())
def test_vorbis_spans_are_exact_wherever_they_begin(
    vorbis: tuple[Path, np.ndarray, int], data: st.DataObject
) -> None:
    """libsndfile's own seek is a block aside now and then: github.com/libsndfile/libsndfile/issues/885."""
    path, whole, rate = vorbis
    start = data.draw(st.integers(0, len(whole) - 2))
    stop = data.draw(st.integers(start + 1, min(len(whole), start + 5000)))
    got, _ = read_clip(path, start / rate, stop / rate)
    np.testing.assert_allclose(got, whole[start:stop], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flac", "ogg", "opus", "mp3", "m4a", "aac"])
def test_a_late_clip_decodes_only_its_surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rate = 16000
    path = write_sound(tmp_path / f"long.{kind}", song(60, rate), rate)
    decoded = 0

    class CountingSoundFile(soundfile.SoundFile):
        def read(self, *args: object, **kwargs: object) -> np.ndarray:
            nonlocal decoded
            samples = super().read(*args, **kwargs)
            decoded += len(samples)
            return samples

    # Frames of a PyAV decoder are counted as they are turned into arrays; each decoded one of the span is.
    from biovita.media import decode

    to_array = decode._AvReader._array

    def counting_array(self: decode._AvReader, frame: av.AudioFrame) -> np.ndarray:
        nonlocal decoded
        decoded += frame.samples
        return to_array(self, frame)

    monkeypatch.setattr(soundfile, "SoundFile", CountingSoundFile)
    monkeypatch.setattr(decode._AvReader, "_array", counting_array)
    samples, _ = read_clip(path, 50.0, 52.0)
    assert len(samples) == 2 * rate
    assert 2 * rate <= decoded < 2 * rate + 20_000


def test_probing_holds_a_block_not_the_recording(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "long.flac", np.tile(song(10, 16000), (60, 1)), 16000)  # 38 MB decoded
    tracemalloc.start()
    try:
        probe = probe_audio(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert probe.duration_s == 600
    assert peak < 4e6


@pytest.mark.parametrize(("start", "end"), [(-0.1, 1), (0, 1.1), (0.5, 0.5), (0.7, 0.2), (1, None), (5, 6)])
def test_spans_outside_are_refused(tmp_path: Path, start: float, end: float | None) -> None:
    path = write_sound(tmp_path / "one.wav", song(1, 8000), 8000)
    with pytest.raises(MediaError, match=r"lasts 1\.000 s") as caught:
        read_clip(path, start, end)
    assert caught.value.reason == "span-outside"


# --- files that cannot be used, told apart


def test_missing_empty_and_unreadable(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "no.wav") == "missing"
    assert reason_of(tmp_path) == "missing"
    (tmp_path / "empty.mp3").touch()
    assert reason_of(tmp_path / "empty.mp3") == "empty"
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    assert reason_of(tmp_path / "loop.wav") == "unreadable"


@pytest.mark.parametrize(
    ("data", "looks_like"),
    [
        (HTML, "an HTML page"),
        (b"\xef\xbb\xbf\n  <html>", "an HTML page"),
        (b'{"error": "rate limited"}', "JSON text"),
        (b"Too many requests, r\xc3\xa9essayez\n" * 200, "plain text"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.ts\n", "plain text"),
        (b"ffconcat version 1.0\nfile 'other.wav'\n", "plain text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "a PNG picture"),
        (b"%PDF-1.4 ...", "a PDF document"),
        (bytes(5000), "nothing but zero bytes"),
        (np.random.default_rng(0).bytes(30_000), "in no known format"),
    ],
)
def test_what_is_not_sound_is_named(tmp_path: Path, data: bytes, looks_like: str) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(data)
    with pytest.raises(MediaError, match=looks_like) as caught:
        probe_audio(path)
    assert caught.value.reason == "not-audio"


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_not_sound(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "x.mp3"
    path.write_bytes(np.random.default_rng(seed).bytes(20_000))
    assert reason_of(path) == "not-audio"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated_files_are_noticed(sounds: dict[str, Path], tmp_path: Path, kind: str, kept: float) -> None:
    data = sounds[kind].read_bytes()
    path = tmp_path / sounds[kind].name
    path.write_bytes(data[: int(len(data) * kept)])
    if kind == "aac":  # a stream of frames, none of which says how many there are
        probe = probe_audio(path)
        assert probe.duration_s == pytest.approx(kept * SECONDS, rel=0.15)
        assert probe.warnings
        return
    assert reason_of(path) == "truncated"
    with pytest.raises(MediaError) as caught:
        read_clip(path)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "opus", "m4a", "alac"])
def test_a_header_alone_is_no_recording(sounds: dict[str, Path], tmp_path: Path, kind: str) -> None:
    path = tmp_path / sounds[kind].name
    path.write_bytes(sounds[kind].read_bytes()[:40])
    assert reason_of(path) in {"truncated", "undecodable", "not-audio"}


@pytest.mark.parametrize("kind", ["wav", "aiff", "ogg"])
def test_no_samples(tmp_path: Path, kind: str) -> None:
    path = write_sound(tmp_path / f"none.{kind}", np.zeros((0, 1), np.float32), 16000)
    assert reason_of(path) == "no-samples"


@pytest.mark.parametrize("kind", KINDS)
def test_silence(tmp_path: Path, kind: str) -> None:
    path = write_sound(
        tmp_path / f"s.{'m4a' if kind == 'alac' else kind}", np.zeros((16000, 1), np.float32), 16000, kind
    )
    assert reason_of(path) == "silent"
    assert np.abs(read_clip(path, 0.1, 0.2)[0]).max() < 1e-6  # a silent span is no error: recordings have pauses


def test_a_quiet_recording_is_not_silent(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "q.wav", song(1, 16000) * 3e-4, 16000, subtype="PCM_24")
    assert probe_audio(path).duration_s == 1


def test_numbers_that_are_none(tmp_path: Path) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        samples = song(1, 8000)
        samples[5000] = bad
        path = write_sound(tmp_path / "nan.wav", samples, 8000, subtype="FLOAT")
        assert reason_of(path) == "undecodable"
        with pytest.raises(MediaError, match="not finite"):
            read_clip(path)
        assert len(read_clip(path, 0, 0.5)[0]) == 4000


def test_damage_in_the_middle_is_not_truncation(sounds: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("flac", "m4a"):
        data = bytearray(sounds[kind].read_bytes())
        middle = len(data) // 2
        data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
        path = tmp_path / sounds[kind].name
        path.write_bytes(data)
        assert reason_of(path) == "undecodable", kind


@pytest.mark.slow
def test_what_follows_the_sound_is_told_not_refused(sounds: dict[str, Path], tmp_path: Path) -> None:
    tails = {
        "html": HTML * 300,
        "zeros": bytes(100_000),
        "tag": b"TAG" + bytes(125),
        "noise": np.random.default_rng(3).bytes(20_000),
    }
    for kind in KINDS:
        clean = probe_audio(sounds[kind])
        for name, tail in tails.items():
            path = tmp_path / f"{name}_{sounds[kind].name}"
            path.write_bytes(sounds[kind].read_bytes() + tail)
            probe = probe_audio(path)
            assert probe.duration_s == clean.duration_s, path
            if kind in {"mp3", "ogg", "opus"} and name != "tag":
                assert any("bytes follow" in warning for warning in probe.warnings), path
            np.testing.assert_allclose(read_clip(path, 4.0)[0], read_clip(sounds[kind], 4.0)[0], atol=1e-5)
    assert probe_audio(tmp_path / "tag_mp3.mp3").warnings == ()  # an ID3v1 tag belongs there


# --- MP3 whose header says nothing, or something wrong


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("tail", [b"", HTML * 500, bytes(100_000)])
def test_mp3_without_a_frame_count_is_read_whole(tmp_path: Path, mode: str, tail: bytes) -> None:
    """libsndfile guesses the length of such a file, and returns less than half of this one or refuses it."""
    samples = song(20, 44100)
    samples[44100 * 2 : 44100 * 12] *= 0.001
    level = 0.3 if mode == "VARIABLE" else 0.5
    full = write_sound(tmp_path / "full.mp3", samples, 44100, bitrate_mode=mode, compression_level=level)
    bare = tmp_path / "bare.mp3"
    bare.write_bytes(without_xing(full.read_bytes()) + tail)
    with av.open(str(full)) as file:
        frames = sum(1 for packet in file.demux(audio=0) if packet.size)
    probe = probe_audio(bare)
    assert probe.duration_s * 44100 == pytest.approx(frames * 1152 - 529)  # a decoder's own delay
    assert bool(probe.warnings) == bool(tail)
    # Without the header nothing says how much of the encoder's delay to drop: 576 samples for LAME.
    got, _ = read_clip(bare, 15.0, 15.5)
    want, _ = read_clip(full, 15.0 - 576 / 44100, 15.5 - 576 / 44100)
    assert np.abs(got - want).max() < 1e-4 or np.corrcoef(got, want)[0, 1] > 0.99
    whole, _ = read_clip(bare)
    np.testing.assert_allclose(got, whole[15 * 44100 : 15 * 44100 + len(got)], atol=1e-6)


def test_mp3_that_states_too_few_frames_is_read_whole(tmp_path: Path) -> None:
    full = write_sound(tmp_path / "full.mp3", song(5, 44100), 44100)
    data = full.read_bytes()
    stale = tmp_path / "stale.mp3"
    stale.write_bytes(data + without_xing(data))
    probe = probe_audio(stale)
    assert probe.duration_s == pytest.approx(10, abs=0.2)
    assert any("are there and used" in warning for warning in probe.warnings)


def test_mp3_with_a_hole_is_undecodable(tmp_path: Path) -> None:
    data = write_sound(tmp_path / "full.mp3", song(5, 44100), 44100).read_bytes()
    hole = tmp_path / "hole.mp3"
    hole.write_bytes(data[: len(data) // 2] + bytes(5000) + data[len(data) // 2 :])
    assert reason_of(hole) == "undecodable"


def test_mp3_that_lacks_the_end_of_its_last_frame_is_told(tmp_path: Path) -> None:
    data = write_sound(tmp_path / "full.mp3", song(3, 44100), 44100).read_bytes()
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(data[:-5])
    probe = probe_audio(cut)
    assert probe.duration_s == pytest.approx(3, abs=0.06)
    assert any("last frame is cut" in warning for warning in probe.warnings)


@pytest.mark.parametrize("rate", [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_mp3_frames_are_counted_at_every_rate(tmp_path: Path, rate: int, channels: int) -> None:
    from biovita.media import mp3

    path = write_sound(tmp_path / "x.mp3", song(1.5, rate, channels), rate)
    tagged = tmp_path / "tagged.mp3"
    tagged.write_bytes(b"ID3\x04\x00\x00\x00\x00\x10\x00" + bytes(2048) + path.read_bytes())
    with av.open(str(path)) as file:
        frames = sum(1 for packet in file.demux(audio=0) if packet.size)
    for one in (path, tagged):
        layout = mp3.scan(one)
        assert layout is not None
        assert layout.frames == layout.stated == frames
        assert not layout.cut
        assert layout.trailing == 0


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**31 - 1])
def test_sample_rates_that_cannot_be(tmp_path: Path, rate: int) -> None:
    """Resampled from 1 Hz, a file of a megabyte would fill the memory of any machine."""
    path = write_sound(tmp_path / "x.wav", song(1, 8000), 8000)
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)
    assert reason_of(path) == "undecodable"
    with pytest.raises(MediaError, match="sample rate"):
        read_clip(path, sample_rate=48000)


def test_fragmented_mp4_states_no_length(tmp_path: Path) -> None:
    """Phones and streams write it: the table of contents comes in pieces."""
    samples = song(4, 16000)
    plain = write_sound(tmp_path / "plain.m4a", samples, 16000)
    pieces = write_sound(tmp_path / "pieces.m4a", samples, 16000, movflags="frag_every_frame+empty_moov")
    assert b"moof" in pieces.read_bytes()
    probe = probe_audio(pieces)
    assert probe.duration_s == pytest.approx(probe_audio(plain).duration_s, abs=2048 / 16000)
    late = read_clip(pieces, 3.0, 3.5)[0]
    np.testing.assert_allclose(late, decode_whole(pieces)[48000:56000, 0], atol=1e-5)
    cut = tmp_path / "cut.m4a"
    cut.write_bytes(pieces.read_bytes()[:-20_000])
    assert reason_of(cut) == "truncated"


def test_wav_written_as_a_stream_states_no_length(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.wav", song(1, 8000), 8000)
    data = bytearray(path.read_bytes())
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(data)
    assert probe_audio(path).duration_s == 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_files_end_in_a_reason(
    sounds: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut and overwrite files anywhere: a probe or a `MediaError`, and what a probe says can be read."""
    kind = data.draw(st.sampled_from(KINDS))
    raw = bytearray(sounds[kind].read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
    path = tmp_path_factory.mktemp("broken") / sounds[kind].name
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        probe = probe_audio(path)
    except MediaError:
        return
    samples, rate = read_clip(path, 0, probe.duration_s)
    assert rate == probe.sample_rate
    assert len(samples) == round(probe.duration_s * rate)


@pytest.mark.parametrize("kind", KINDS)
def test_files_cut_in_their_first_header_end_in_a_reason(
    kind: str, sounds: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / sounds[kind].name
    for length in range(64):
        path.write_bytes(sounds[kind].read_bytes()[:length])
        with pytest.raises(MediaError):
            probe_audio(path)


# --- arrays


def test_resampling_keeps_tones_and_removes_what_does_not_fit() -> None:
    t = np.arange(48000) / 48000
    low, high = np.sin(2 * np.pi * 1000 * t), np.sin(2 * np.pi * 20000 * t)
    got = resample((low + high).astype(np.float32), 48000, 32000)
    assert got.dtype == np.float32
    assert len(got) == 32000
    want = np.sin(2 * np.pi * 1000 * np.arange(32000) / 32000)
    np.testing.assert_allclose(got[2000:-2000], want[2000:-2000], atol=2e-3)
    both = resample(np.stack([low, low], axis=1), 48000, 32000)
    assert both.shape == (32000, 2)
    np.testing.assert_array_equal(resample(low, 32000, 32000), low.astype(np.float32))


def test_clips_are_resampled_after_they_are_cut(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "x.wav", song(2, 44100, 2), 44100)
    clip, _ = read_clip(path, 0.5, 1.5)
    got, rate = read_clip(path, 0.5, 1.5, sample_rate=48000)
    assert rate == 48000
    np.testing.assert_array_equal(got, resample(clip, 44100, 48000))


@given(
    length=st.integers(0, 300),
    size=st.integers(1, 60),
    hop=st.integers(1, 60),
    dtype=st.sampled_from(["f4", "i2"]),
)
def test_windows_cover_every_sample_once_padded(length: int, size: int, hop: int, dtype: str) -> None:
    samples = (np.arange(length) + 1).astype(dtype)
    got = windows(samples, size, hop)
    assert got.dtype == samples.dtype
    assert got.shape[1] == size
    for index, window in enumerate(got):
        here = samples[index * hop : index * hop + size]
        np.testing.assert_array_equal(window, np.pad(here, (0, size - len(here))))
    assert len(got) == 1 or len(samples) > (len(got) - 2) * hop + size  # none is needless
    if hop <= size:
        assert set(samples) <= set(got.ravel())


def test_windows_refuse_what_makes_none() -> None:
    for size, hop in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="1 sample or more"):
            windows(np.zeros(5), size, hop)
    with pytest.raises(ValueError, match="shape"):
        windows(np.zeros((5, 2)), 2, 1)


def test_the_field_sample_is_good(shared_data: Path) -> None:
    files = sorted((shared_data / "field-sample" / "audio").glob("*.ogg"))[::20]
    assert len(files) > 15
    for path in files:
        probe = probe_audio(path)
        assert probe.warnings == ()
        assert probe.duration_s * probe.sample_rate == soundfile.info(path).frames


@pytest.mark.parametrize("channels", [1, 2])
def test_float_wav_is_exact_and_the_same_each_time(tmp_path: Path, channels: int) -> None:
    samples = song(0.5, 22_050, channels)
    for name in ("a.wav", "b.wav"):
        write_float_wav(tmp_path / name, samples if channels > 1 else samples[:, 0], 22_050)
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    read, rate = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)
    assert rate == 22_050
    assert np.array_equal(read, samples)
    assert probe_audio(tmp_path / "a.wav").warnings == ()
