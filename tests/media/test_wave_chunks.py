"""Chunks of WAV files as they should be, and as they are."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from biovita.media.wave_chunks import read_chunks
from support.recorder_files import bext, chunk, wamd, write_recorder_wav

SILENCE = np.zeros(101)
GUANO = "GUANO|Version:1.0\nMake:Odds"  # of odd length


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("rf64", [True, False])
@pytest.mark.parametrize("pad", [True, False])
def test_chunks_before_and_after_the_samples(tmp_path: Path, first: bool, rf64: bool, pad: bool) -> None:
    assert len(GUANO) % 2
    chunks = {"guano": GUANO, "icmt": "a comment", "iart": "an artist", "wamd": wamd({1: "SM3"})}
    chunks["bext"] = bext("o", "2021-05-03", "04:10:00")
    path = write_recorder_wav(tmp_path / "x.wav", SILENCE, 8000, first=first, rf64=rf64, pad=pad, **chunks)
    found = read_chunks(path)
    assert found.chunks["guan"].decode() == GUANO
    assert (len(found.chunks["bext"]), found.chunks["wamd"]) == (602, wamd({1: "SM3"}))
    assert (dict(found.info), found.notes) == ({"ICMT": "a comment", "IART": "an artist"}, ())
    if pad and not (rf64 and first):  # libsndfile reads no RF64 with such chunks before the samples
        assert soundfile.info(path).frames == len(SILENCE)


def test_texts_that_libsndfile_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        file.comment, file.copyright = "a comment", "A. Bee"
        file.write(SILENCE)
    info = read_chunks(path).info
    assert (info["ICMT"], info["ICOP"]) == ("a comment", "A. Bee")


def test_a_chunk_that_runs_past_the_end_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_recorder_wav(tmp_path / "x.wav", SILENCE, 8000, guano=GUANO, pad=False)
    path.write_bytes(path.read_bytes()[:-5])
    found = read_chunks(path)
    assert found.chunks["guan"].decode() == GUANO[:-5]
    assert found.notes == (
        f"The header states {len(GUANO)} bytes for the chunk 'guan', and {len(GUANO) - 5} are there: they are read",
    )


def test_of_two_chunks_of_one_name_the_first_counts(tmp_path: Path) -> None:
    path = write_recorder_wav(tmp_path / "x.wav", SILENCE, 8000, guano=GUANO)
    path.write_bytes(path.read_bytes() + chunk(b"guan", b"GUANO|Version:1.0\nMake:Even"))
    found = read_chunks(path)
    assert found.chunks["guan"].decode() == GUANO
    assert "more than one chunk 'guan'" in found.notes[0]


def test_lengths_of_a_recording_that_was_never_finished(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    write_recorder_wav(path, SILENCE, 8000, guano=GUANO, first=True)
    data = path.read_bytes()
    at = data.index(b"data") + 4
    path.write_bytes(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])
    assert read_chunks(path).chunks["guan"].decode() == GUANO


def test_a_large_chunk_is_read_in_part_and_many_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    large = chunk(b"guan", b"Make:Odd\n" * 400_000)
    path.write_bytes(b"RIFF" + struct.pack("<I", 0) + b"WAVE" + large + chunk(b"LIST", b"INFO") * 500_000)
    began = time.process_time()
    found = read_chunks(path)
    assert time.process_time() - began < 1
    assert len(found.chunks["guan"]) == 1 << 20
