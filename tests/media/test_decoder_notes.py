"""What mpg123 writes to standard error is kept with the file; what others write goes where it was to go."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest

from biovita.errors import MediaError
from biovita.media import probe_audio, read_clip
from biovita.media.decoder_notes import DecoderNotes
from support.sound_files import song, write_sound

SAID = b"[src/libmpg123/layer3.c:III_get_side_info():202] error: big_values too large!\n"


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Write an MP3 whose frames are all there and of which some hold other bits."""
    content = bytearray(write_sound(tmp_path / "damaged.mp3", song(3, 44_100), 44_100).read_bytes())
    with av.open(str(tmp_path / "damaged.mp3")) as file:
        frames = [packet.pos for packet in file.demux(audio=0) if packet.size]
    for at in frames[20:100:20]:
        content[at + 4 : at + 21] = b"\xfe" * 17  # what says how the frame is coded
    (tmp_path / "damaged.mp3").write_bytes(content)
    return tmp_path / "damaged.mp3"


def test_what_the_decoder_says_is_shown_with_the_file(
    damaged: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    said = [warning for warning in probe_audio(damaged).warnings if "its decoder says" in warning]
    assert len(said) == 1
    with caplog.at_level(logging.WARNING):
        read_clip(damaged)
    assert [
        str(damaged) in record.getMessage() and said[0] in record.getMessage() for record in caplog.records
    ] == [True]
    assert capfd.readouterr().err == ""


def test_files_that_are_read_at_the_same_time_share_what_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    notes, first, second = DecoderNotes(), list[str](), list[str]()
    with notes.of(Path("a.mp3"), first):
        os.write(2, b"a bar of progress\r")
        with notes.of(Path("b.mp3"), second):
            os.write(2, b"half of a " + SAID + b"line\n")
        assert capfd.readouterr().err == "a bar of progress\rhalf of a line\n"
        os.write(2, SAID + b"rest")
    assert second == ["big_values too large! (this file, or another that was read meanwhile)"]
    assert first == [*second, "big_values too large!"]
    os.write(2, SAID)
    assert capfd.readouterr().err == "rest" + SAID.decode()


def test_many_threads_leave_standard_error_as_it_was(damaged: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = os.fstat(2)

    def read(number: int) -> int:
        os.write(2, b"%d\n" % number)
        try:
            return len(read_clip(damaged, 0.5, 1.5)[0])
        except MediaError:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(read, range(40)))) == 1
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (before.st_dev, before.st_ino)
    lines = capfd.readouterr().err.splitlines()
    assert sorted(int(line) for line in lines if line.isdigit()) == list(range(40))
    assert not any("libmpg123" in line for line in lines)
