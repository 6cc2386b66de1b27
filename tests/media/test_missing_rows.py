"""Pictures with fewer rows than their header states, and whole ones whose last rows are black."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biovita.errors import MediaError
from biovita.media import probe_image, read_image
from support.raw_pictures import tiff

WIDE, HIGH = 13, 11


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: int, *, stated: int = HIGH, parts: int = 1) -> bytes:
    """Return a grey PNG of so many black rows, its pixels in so many chunks."""
    packed = zlib.compress(bytes((1 + WIDE) * rows))
    size = -(-len(packed) // parts)
    pixels = b"".join(chunk(b"IDAT", packed[at : at + size]) for at in range(0, len(packed), size))
    header = struct.pack(">IIBBBBB", WIDE, stated, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("parts", [1, 3, 100])
def test_a_png_that_ends_before_its_last_row_is_cut(tmp_path: Path, parts: int) -> None:
    (tmp_path / "whole.png").write_bytes(png(HIGH, parts=parts))
    assert probe_image(tmp_path / "whole.png").height == HIGH
    (tmp_path / "cut.png").write_bytes(png(5, parts=parts))
    for read in (probe_image, read_image):
        with pytest.raises(MediaError, match=r"45% of the picture|cut short") as raised:
            read(tmp_path / "cut.png")
        assert raised.value.reason == "truncated"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_black_pictures_of_all_kinds_are_whole(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (WIDE, HIGH)).save(tmp_path / "black.png")
    assert read_image(tmp_path / "black.png").size == (WIDE, HIGH)


@pytest.mark.parametrize(("kind", "bits"), [(0, 1), (2, 8), (4, 16), (6, 8)])
def test_an_interlaced_picture_is_whole_with_all_its_passes(tmp_path: Path, kind: int, bits: int) -> None:
    """The size of each pass is counted here pixel by pixel, after the table in the specification."""
    table = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    passes = [[table[y % 8][x % 8] for x in range(WIDE)] for y in range(HIGH)]
    wide = {0: 1, 2: 3, 4: 2, 6: 4}[kind] * bits
    size = sum(1 + (row.count(n) * wide + 7) // 8 for n in "1234567" for row in passes if n in row)
    header = struct.pack(">IIBBBBB", WIDE, HIGH, bits, kind, 0, 0, 1)
    for less in (0, 1):
        pixels = chunk(b"IDAT", zlib.compress(bytes(size - less)))
        path = tmp_path / f"{less}.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))
    assert read_image(tmp_path / "0.png").size == (WIDE, HIGH)
    with pytest.raises(MediaError):
        read_image(tmp_path / "1.png")


def test_a_tiff_whose_strips_do_not_cover_it_is_cut(tmp_path: Path) -> None:
    content = tiff(np.full((HIGH, WIDE, 3), 90, np.uint8))
    high = struct.pack("<HHII", 257, 4, 1, HIGH)
    assert content.count(high) == 1
    (tmp_path / "whole.tif").write_bytes(content)
    (tmp_path / "cut.tif").write_bytes(content.replace(high, struct.pack("<HHII", 257, 4, 1, 20 * HIGH)))
    assert probe_image(tmp_path / "whole.tif").height == HIGH
    with pytest.raises(MediaError, match="5% of the picture") as raised:
        probe_image(tmp_path / "cut.tif")
    assert raised.value.reason == "truncated"


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "jpeg"])
def test_tiffs_of_several_strips_are_whole(tmp_path: Path, compression: str | None) -> None:
    file = io.BytesIO()
    Image.new("RGB", (700, 500), "red").save(file, "TIFF", compression=compression)
    (tmp_path / "a.tif").write_bytes(file.getvalue())
    assert read_image(tmp_path / "a.tif").size == (700, 500)


def test_a_gif_may_begin_with_a_part_of_the_picture(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("P", (WIDE, HIGH), 1).save(file, "GIF")
    content = bytearray(file.getvalue())
    content[6:10] = struct.pack("<HH", 3 * WIDE, 3 * HIGH)
    (tmp_path / "a.gif").write_bytes(content)
    assert read_image(tmp_path / "a.gif").size == (3 * WIDE, 3 * HIGH)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_is_marked_as_ended_too_early_is_cut(tmp_path: Path, mode: str, options: dict) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    pixels[80:] = 128  # its last rows are grey themselves
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **options)
    content, path = file.getvalue(), tmp_path / "a.jpg"
    path.write_bytes(content + b"what follows the picture")
    assert read_image(path).size == (96, 96)
    frame = content.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    taller = content[: frame + 5] + struct.pack(">H", 960) + content[frame + 7 :]
    for cut in (taller, content[: len(content) // 2] + b"\xff\xd9" if not options.get("progressive") else taller):
        path.write_bytes(cut)
        with pytest.raises(MediaError) as raised:
            read_image(path)
        assert raised.value.reason == "truncated"
