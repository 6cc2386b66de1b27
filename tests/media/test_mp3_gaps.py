"""MP3 files with bytes between their frames: these are left out and said by biovita, and mpg123 has nothing to say."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from biovita.media import probe_audio, read_clip
from biovita.media.file_window import FileWindow
from support.sound_files import song, without_xing, write_sound


@pytest.mark.parametrize("has_header", [True, False])
def test_bytes_between_frames_are_left_out_and_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], has_header: bool
) -> None:
    whole = write_sound(tmp_path / "whole.mp3", song(3, 44_100), 44_100)
    content = whole.read_bytes() if has_header else without_xing(whole.read_bytes())
    whole.write_bytes(content)
    with av.open(str(whole)) as file:
        frames = [packet.pos for packet in file.demux(audio=0) if packet.size]
    first, second = frames[5], frames[40]
    gaps = tmp_path / "gaps.mp3"
    gaps.write_bytes(content[:first] + bytes(300) + content[first:second] + b"x" * 77 + content[second:])
    probe = probe_audio(gaps)
    assert probe.warnings == (
        f"377 bytes between its frames, the first at byte {first:,}, are no frames and are left out",
    )
    assert probe.duration_s == probe_audio(whole).duration_s
    for start, end in ((0.0, None), (2.0, 2.5)):
        np.testing.assert_array_equal(read_clip(gaps, start, end)[0], read_clip(whole, start, end)[0])
    assert capfd.readouterr().err == ""


def test_a_window_is_its_header_and_its_spans(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(100)))
    want = b"head" + bytes(range(10, 20)) + bytes(range(50, 53)) + bytes(range(90, 100))
    with path.open("rb") as raw:
        window = FileWindow(raw, b"head", (10, 20), (50, 50), (50, 53), (90, 100))
        assert window.read() == want
        for start in range(len(want) + 2):
            for length in (1, 5, 40):
                window.seek(start)
                assert window.read(length) == want[start : start + length]
        assert window.seek(-3, 2) == len(want) - 3
        assert window.read() == want[-3:]
