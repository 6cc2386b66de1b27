"""WAV and AIFF files whose headers state another length than they hold, against the file with the right header."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from biovita.errors import MediaError
from biovita.media import LongSound, probe_audio, read_clip, read_mono
from support.sound_files import HTML, song, write_sound

RATE = 22_050
SECONDS = 2.0
LIST = b"LIST" + struct.pack("<I", 26) + b"INFO" + b"ICMT" + struct.pack("<I", 14) + b"Plot 7, night\0"


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "right.wav", song(SECONDS, RATE, 2), RATE)


def changed(path: Path, size: int, whole: int | None = None, after: bytes = b"", cut: int = 0) -> Path:
    """Write the file with other sizes of its data and of itself, without its last bytes, and with others after it."""
    content = bytearray(path.read_bytes())
    big = content[:4] == b"FORM"
    at = content.find(b"SSND" if big else b"data") + 4
    content[at : at + 4] = struct.pack(">I" if big else "<I", size)
    if whole is not None:
        content[4:8] = struct.pack(">I" if big else "<I", whole)
    made = path.with_name(f"changed{path.suffix}")
    made.write_bytes(content[: len(content) - cut] + after)
    return made


def assert_same_sound(path: Path, right: Path, note: str) -> None:
    """Every way to read the file gives what the file with the right header holds."""
    whole, rate = soundfile.read(right, dtype="float32")
    probe = probe_audio(path)
    assert probe.duration_s * rate == len(whole)
    assert any(note in warning for warning in probe.warnings), probe.warnings
    np.testing.assert_array_equal(read_clip(path, mono=False)[0], whole)
    late, _ = read_clip(path, 1.5, 1.75, mono=False)
    np.testing.assert_array_equal(late, whole[round(1.5 * rate) : round(1.75 * rate)])
    end, _ = read_mono(path, 1.9)  # type: ignore[misc]
    assert len(end) == len(whole) - round(1.9 * rate)


@pytest.mark.parametrize(
    ("size", "whole"),
    [(0, 0), (0, 36), (0, 2**32 - 1), (2**32 - 1, 2**32 - 1), (2**31 - 1, 0), (0x7FFFF000, 0), (0xFFFFFFDB, 0)],
)
def test_a_header_that_was_never_finished(wav: Path, size: int, whole: int) -> None:
    assert_same_sound(changed(wav, size, whole), wav, "header was never finished")
    assert_same_sound(changed(wav, size, whole, LIST), wav, "header was never finished")


@pytest.mark.parametrize("size", [RATE * 2, 4 * 1000, 40_001])
def test_a_header_that_was_not_updated_to_the_end(wav: Path, size: int) -> None:
    assert_same_sound(changed(wav, size, size + 36), wav, "the samples go on to the end of the file")


def test_a_header_that_states_more_than_a_file_that_is_whole(wav: Path) -> None:
    data = round(SECONDS * RATE) * 4
    assert_same_sound(changed(wav, 2 * data), wav, f"states {2 * data:,} bytes of samples, and {data:,} are there")
    with pytest.raises(MediaError, match="cut short") as caught:  # the file itself is shorter than it states
        probe_audio(changed(wav, 2 * data, 2 * data + 36))
    assert caught.value.reason == "truncated"


NOISE = np.random.default_rng(4).bytes(30_000)


@pytest.mark.parametrize(
    ("after", "said"), [(HTML * 300, "an HTML page"), (bytes(40_000), "nothing but zero"), (NOISE, "random")]
)
def test_what_follows_and_is_no_sound_is_said_and_left_out(wav: Path, after: bytes, said: str) -> None:
    data = round(SECONDS * RATE) * 4
    assert_same_sound(changed(wav, data, after=after), wav, said)


def test_chunks_after_the_samples_are_none_of_them(wav: Path) -> None:
    data = round(SECONDS * RATE) * 4
    path = changed(wav, data, after=LIST * 3 + b"id3 " + struct.pack("<I", 4001) + bytes(4001))
    assert probe_audio(path).warnings == ()
    assert probe_audio(path).duration_s == SECONDS
    empty = changed(wav, 0, cut=data, after=LIST)
    with pytest.raises(MediaError) as caught:
        probe_audio(empty)
    assert caught.value.reason == "no-samples"


def test_a_last_sample_that_is_not_whole_is_left_out(wav: Path) -> None:
    path = changed(wav, 0, 36, cut=3)
    assert probe_audio(path).duration_s * RATE == round(SECONDS * RATE) - 1


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT"])
def test_samples_of_any_width(tmp_path: Path, subtype: str) -> None:
    right = write_sound(tmp_path / "right.wav", song(SECONDS, RATE), RATE, subtype=subtype)
    for size in (0, 12_000):
        path = changed(right, size)
        whole = soundfile.read(right, dtype="float32")[0]
        np.testing.assert_array_equal(read_clip(path)[0], whole)


@pytest.mark.parametrize("wide", [0, 12_000, 1 << 40])
def test_rf64_whose_wide_size_is_wrong(tmp_path: Path, wide: int) -> None:
    right = write_sound(tmp_path / "right.wav", song(SECONDS, RATE, 2), RATE, format="RF64")
    content = bytearray(right.read_bytes())
    at = content.find(b"ds64") + 8
    content[at + 8 : at + 16] = struct.pack("<Q", wide)
    path = tmp_path / "wrong.wav"
    path.write_bytes(content)
    assert_same_sound(path, right, "are there and" if wide < 1 << 40 else "are there: they are used")


@pytest.mark.parametrize("kept", [1.0, 2.5])
def test_a_size_that_began_anew_at_4_gb(tmp_path: Path, kept: float) -> None:
    """A sparse file: what is far in it costs nothing."""
    sound = song(1.0, RATE)
    pcm = np.round(sound[:, 0] * 32767).astype("<i2").tobytes()
    fmt = struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)
    data = (1 << 32) + round(kept * RATE) * 2
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s4sI", b"RIFF", (data + 36) % 2**32, b"WAVE", b"fmt ", 16) + fmt)
        file.write(struct.pack("<4sI", b"data", data % 2**32))
        file.seek(44 + data - len(pcm))
        file.write(pcm + LIST)
    seconds = data / 2 / RATE
    late, _ = read_clip(path, seconds - 1.0)
    np.testing.assert_allclose(late, sound[:, 0], atol=1e-4)
    sound_of_all = read_mono(path)
    assert isinstance(sound_of_all, LongSound)
    from biovita.media.decode import open_sound

    with open_sound(path) as reader:
        assert reader.frames == data // 2
        assert "began anew at 4 GB" in reader.warnings[0]


@pytest.mark.parametrize("size", [0, 8, 0xFFFFFFFF, 40_008])
def test_aiff_likewise(tmp_path: Path, size: int) -> None:
    right = write_sound(tmp_path / "right.aiff", song(SECONDS, RATE, 2), RATE)
    assert_same_sound(changed(right, size, 0), right, "are there and used")


def test_aiff_that_ends_early_is_truncated(tmp_path: Path) -> None:
    right = write_sound(tmp_path / "right.aiff", song(SECONDS, RATE, 2), RATE)
    with pytest.raises(MediaError) as caught:
        probe_audio(changed(right, round(SECONDS * RATE) * 4 + 8, cut=50_000))
    assert caught.value.reason == "truncated"
