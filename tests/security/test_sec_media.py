"""Recordings and pictures that ask for more memory or time than the machine has."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import lance
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image

from biovita.media import probe_image
from support.folders import append, make_folder, write_rows
from support.hostile import biovita, python, run_many
from support.published_layouts import make, write_published
from support.sound_files import song, write_sound

SPECIES = "Pica pica"


def webp(width: int, height: int) -> bytes:
    """34 bytes: the header of a WebP of any size."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 13) + b"\x2f" + struct.pack("<I", bits) + bytes(9)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def png(width: int, height: int, colour: int = 2, stated: tuple[int, int] | None = None) -> bytes:
    """A whole PNG of zeros, a thousandth of what it decodes to; or one that states other sides than it has."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    row = 1 + width * {0: 1, 2: 3}[colour]
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(row * 64)) for _ in range(height // 64)) + packer.flush()
    header = struct.pack(">IIBBBBB", *(stated or (width, height - height % 64)), 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def tiff(tile: int) -> bytes:
    """A TIFF of 16 x 16 pixels in one compressed tile that is said to be of any size."""
    packed = zlib.compress(bytes(1 << 20))
    entries = [
        (256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1),
        (322, 4, tile), (323, 4, tile), (324, 4, 8), (325, 4, len(packed)),
    ]  # fmt: skip
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in entries)
    return b"II*\x00" + struct.pack("<I", 8 + len(packed)) + packed + directory + bytes(4)


def jpeg_of_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there many times."""
    stream = io.BytesIO()
    Image.new("RGB", (4000, 4000), (90, 120, 60)).save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def quiet_flac(path: Path, hours: float, rate: int = 48_000) -> Path:
    """Hours of sound in a few megabytes: a click each ten minutes."""
    minute = np.zeros(60 * rate, np.float32)
    with soundfile.SoundFile(path, "w", rate, 1, format="FLAC", subtype="PCM_16") as file:
        for number in range(round(hours * 60)):
            minute[: rate // 10] = 0.5 if number % 10 == 0 else 0
            file.write(minute)
    return path


def endless_mp3(path: Path, size: int) -> Path:
    """Some frames of MP3, then bytes each of which may begin a frame."""
    write_sound(path, song(1, 44_100), 44_100)
    path.write_bytes(path.read_bytes() + b"\xff\xfb" * (size // 2))
    return path


PICTURES: dict[str, tuple[Callable[[], bytes], str]] = {
    "canvas.webp": (lambda: webp(16_383, 16_383), "too-large"),
    "memory.webp": (lambda: webp(12_000, 12_000), "too-large"),
    "pixels.png": (lambda: png(15_000, 14_016, colour=0), "too-large"),
    "sides.png": (lambda: png(64, 64, stated=(2**31 - 1, 2**31 - 1)), "too-large"),
    "tile.tif": (lambda: tiff(60_000), "too-large"),
    "scans.jpg": (lambda: jpeg_of_scans(3000), "undecodable"),
}  # fmt: skip


def wav(rate: int, channels: int, bits: int, data: bytes, stated: int | None = None, form: int = 1) -> bytes:
    """A WAV whose header says what it is told to."""
    align = min(65_535, channels * bits // 8)
    byte_rate = min(2**32 - 1, rate * align)
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, form, channels, rate, byte_rate, align, bits)
    body += b"data" + struct.pack("<I", len(data) if stated is None else stated) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


SOUNDS: dict[str, bytes] = {
    "rate0.wav": wav(0, 1, 16, bytes(1000)),
    "rates.wav": wav(2**32 - 1, 1, 16, bytes(1000)),
    "channels.wav": wav(8000, 65_535, 16, bytes(1 << 20)),
    "stated.wav": wav(8000, 1, 16, bytes(1000), stated=2**31),
    "nan.wav": wav(8000, 1, 32, struct.pack("<f", float("nan")) * 8000, form=3),
    "chunks.wav": b"RIFF\xff\xff\xff\x7fWAVE" + b"junk\0\0\0\0" * 300_000,
    "boxes.m4a": b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom" + b"\0\0\0\x08free" * 300_000,
    "pages.ogg": b"OggS\0\0" + bytes(20) + b"\xff" + b"\xff" * 255 + bytes(1 << 16),
    "flac.flac": b"fLaC" + b"\x80\0\0\x22" + b"\xff" * 34 + b"\xff" * 100_000,
    "page.mp3": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "archive.wav": b"PK\3\4" + bytes(1000),
    "zeros.wav": bytes(1 << 20),
    "id3.mp3": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(1000),
    "empty.wav": b"",
}


SPECIAL = ("pipe.wav", "zero.wav", "round.wav")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One hostile file of each kind, and large good ones, among a hundred small good ones."""
    root = make_folder(tmp_path_factory.mktemp("media") / "folder", per_species=17)
    for name, (content, _) in PICTURES.items():
        (root / name).write_bytes(content())
        append(root / "images.csv", f"{name},{SPECIES},,,,,,,,")
    for name, content in SOUNDS.items():
        (root / name).write_bytes(content)
        append(root / "audio.csv", f"{name},{SPECIES},,,,,,,,")
    os.mkfifo(root / "pipe.wav")
    (root / "zero.wav").symlink_to("/dev/zero")
    (root / "round.wav").symlink_to("round.wav")
    for name in SPECIAL:
        append(root / "audio.csv", f"{name},{SPECIES},,,,,,,,")
    for number in range(2):  # good, and some 750 MB each once decoded
        (root / f"large{number}.png").write_bytes(png(14_000, 14_016 - 64 * number))
        append(root / "images.csv", f"large{number}.png,{SPECIES},,,,,,,,")
    quiet_flac(root / "long.flac", 3, 16_000)
    endless_mp3(root / "endless.mp3", 4 << 20)
    append(root / "audio.csv", f"long.flac,{SPECIES},,,,,,,,", f"endless.mp3,{SPECIES},,,,,,,,")
    return root


@pytest.mark.slow
def test_a_folder_of_bombs_among_good_files_is_imported(folder: Path, tmp_path: Path) -> None:
    """All good ones are in, among them three hours of sound and pictures of 196 megapixels."""
    out = tmp_path / "birds"
    biovita("data", "import", "folder", folder, "--out", out, mib=1500, seconds=120).succeeded()
    rejected = {row["path"]: row["reason"] for row in pq.read_table(out / "rejected.parquet").to_pylist()}
    assert {name: rejected[name] for name in PICTURES} == {name: reason for name, (_, reason) in PICTURES.items()}
    assert rejected.keys() == {*PICTURES, *SOUNDS, *SPECIAL}
    assert pq.read_table(out / "images.parquet").num_rows == 51 + 2
    audio = pq.read_table(out / "audio.parquet").to_pylist()
    assert len(audio) == 51 + 2  # what follows the frames of an MP3 is no part of it
    assert max(row["duration_s"] for row in audio) == 3 * 3600


@pytest.mark.slow
def test_a_file_that_keeps_the_decoder_is_given_up(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "folder", per_species=1)
    endless_mp3(root / "endless.mp3", 40 << 20)
    append(root / "audio.csv", f"endless.mp3,{SPECIES},,,,,,,,")
    out = tmp_path / "birds"
    biovita("--limit", "decoding=1", "data", "import", "folder", root, "--out", out, seconds=30).succeeded()
    (row,) = pq.read_table(out / "rejected.parquet").to_pylist()
    assert (row["path"], row["reason"]) == ("endless.mp3", "too-slow")
    assert "--limit decoding=N" in row["detail"]


@pytest.mark.slow
def test_memory_says_what_a_picture_may_take(tmp_path: Path) -> None:
    root = make_folder(tmp_path / "folder", per_species=1)
    (root / "wide.png").write_bytes(png(6000, 6016))
    append(root / "images.csv", f"wide.png,{SPECIES},,,,,,,,")
    for mib, wanted in (("100", ["wide.png"]), ("200", [])):
        out = tmp_path / f"birds{mib}"
        biovita("data", "import", "folder", root, "--out", out, "--memory", mib).succeeded()
        rows = pq.read_table(out / "rejected.parquet").to_pylist()
        assert [row["path"] for row in rows] == wanted
        assert all("--memory" in row["detail"] for row in rows)


@pytest.mark.slow
def test_hours_of_sound_are_embedded_by_blocks(tmp_path: Path) -> None:
    """An hour is 690 MB in one channel; what is read whole takes twice that."""
    root = tmp_path / "folder"
    root.mkdir()
    quiet_flac(root / "long.flac", 1)
    Image.new("RGB", (32, 32), "green").save(root / "green.png")
    write_rows(root / "audio.csv", [["long.flac", SPECIES]], ["file", "scientific_name"])
    write_rows(root / "images.csv", [["green.png", SPECIES]], ["file", "scientific_name"])
    biovita("data", "import", "folder", root, "--out", tmp_path / "birds").succeeded()
    model = write_published(make(), tmp_path / "tiny")
    command = ["embed", tmp_path / "birds", "--model", model, "--modality", "audio", "--device", "cpu"]
    run_many(tmp_path, [command], code=0, mib=1500)
    (table,) = (tmp_path / "birds" / "embeddings").glob("*/audio.lance")
    assert lance.dataset(str(table)).count_rows() == 1


@pytest.mark.slow
def test_a_clip_that_does_not_fit_into_the_memory_says_so(tmp_path: Path) -> None:
    quiet_flac(tmp_path / "long.flac", 1)
    code = """
import sys
from biovita.errors import MediaError
from biovita.media import read_clip
try:
    read_clip(sys.argv[1])
except MediaError as error:
    print(error.reason, error)
"""
    said = python(code, tmp_path / "long.flac", mib=500, env={"BIOVITA_MEMORY": "256"})
    assert said.out.startswith("too-large"), said.said
    assert "--memory is 256" in said.out


@pytest.mark.parametrize(("size", "orientation"), [((40, 30), 6), ((40, 30), 3)])
def test_a_probe_and_a_turned_picture_agree(tmp_path: Path, size: tuple[int, int], orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", size).save(tmp_path / "x.jpg", exif=exif)
    found = probe_image(tmp_path / "x.jpg")
    assert (found.width, found.height) == (size[::-1] if orientation == 6 else size)
