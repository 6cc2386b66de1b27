"""FLAC files whose headers state another length than they hold, against the file as it was."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from biovita.errors import MediaError
from biovita.media import probe_audio, read_clip
from support.sound_files import HTML, song

RATE = 32_000
SECONDS = 2.0


def flac(samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, RATE, format="FLAC", subtype=subtype)
    return stream.getvalue()


def stating(content: bytes, samples: int) -> bytes:
    """Return the file with another number of samples in its header."""
    made = bytearray(content)
    made[21:26] = ((content[21] >> 4) << 36 | samples).to_bytes(5)
    return bytes(made)


@pytest.fixture(scope="module")
def right() -> bytes:
    return flac(song(SECONDS, RATE, 2))


@pytest.mark.parametrize("stated", [0, 1, 31_999, 63_999, 64_001, 128_000, 2**32, 2**36 - 1])
def test_the_last_frame_says_how_long_it_is(right: bytes, tmp_path: Path, stated: int) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(stating(right, stated))
    with av.open(str(path)) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == SECONDS * RATE
    probe = probe_audio(path)
    assert probe.duration_s == SECONDS
    assert any("whole frames of 2.00 s are there and used" in warning for warning in probe.warnings)
    whole, _ = soundfile.read(io.BytesIO(right), dtype="float32")
    np.testing.assert_array_equal(read_clip(path, mono=False)[0], whole)
    np.testing.assert_array_equal(read_clip(path, 1.7, mono=False)[0], whole[round(1.7 * RATE) :])
    np.testing.assert_array_equal(read_clip(path, 1.2, 1.3, mono=False)[0], whole[38_400:41_600])


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_24"])
@pytest.mark.parametrize("length", [3, 4096, 4097, 200_000])
def test_any_length_and_width(tmp_path: Path, length: int, subtype: str) -> None:
    content = flac(song(length / RATE, RATE, 1)[:length] * 0.5 + 0.01, subtype)
    from biovita.media.decode import open_sound

    path = tmp_path / "x.flac"
    for stated in (0, 2 * length):
        path.write_bytes(stating(content, stated))
        with open_sound(path) as reader:
            assert reader.frames == length


def test_one_that_ends_within_a_frame_is_cut_short(right: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    for kept in (0.4, 0.8):
        path.write_bytes(right[: int(len(right) * kept)])
        with pytest.raises(MediaError) as caught:
            probe_audio(path)
        assert caught.value.reason == "truncated"
    path.write_bytes(stating(right, 0)[: int(len(right) * 0.8)])
    probe = probe_audio(path)
    assert any("the last frame is cut and left out" in warning for warning in probe.warnings)
    assert 1.0 < probe.duration_s < SECONDS
    whole, _ = soundfile.read(io.BytesIO(right), dtype="float32")
    got, _ = read_clip(path, mono=False)
    np.testing.assert_array_equal(got, whole[: len(got)])


@pytest.mark.parametrize("tail", [b"TAG" + bytes(125), HTML * 2000, np.random.default_rng(5).bytes(200_000)])
def test_what_follows_the_last_frame_does_not_hide_it(right: bytes, tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(right + tail)
    assert probe_audio(path).warnings == ()
    path.write_bytes(stating(right, 0) + tail)
    assert SECONDS - 0.13 <= probe_audio(path).duration_s <= SECONDS  # the last frame's end may not be known


def test_one_without_frames_has_no_samples(right: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    for content in (stating(right, 0)[: right.find(b"\xff\xf8")], stating(right, 0)[:9000] + bytes(100_000)):
        path.write_bytes(content)
        with pytest.raises(MediaError, match="no whole frame is at its end") as caught:
            probe_audio(path)
        assert caught.value.reason == "no-samples"
