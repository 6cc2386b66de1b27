"""Cameras' raw files, told by what they hold, and developed as LibRaw does."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from biovita.errors import MediaError
from biovita.media import probe_image, read_image
from biovita.media.camera_raw import raw_format
from biovita.media.exif import exif
from biovita.media.image import picture_size
from biovita.media.sniff import kind_of, read_head
from support.raw_pictures import dng, tiff

rawpy = pytest.importorskip("rawpy")

HIGH, WIDE = 80, 120
CORNERS = np.zeros((HIGH, WIDE, 3), np.uint16)
CORNERS[:40, :60] = (50000, 3000, 3000)
CORNERS[:40, 60:] = (3000, 50000, 3000)
CORNERS[40:, :60] = (3000, 3000, 50000)
CORNERS[40:, 60:] = (40000, 40000, 40000)
QUARTERS = ("red", "green", "blue", "grey")


def seen_in(image: Image.Image) -> list[str]:
    """Return the colour of each quarter: which channels are large."""
    pixels = np.asarray(image).astype(int)
    high, wide = pixels.shape[:2]
    names = {(0,): "red", (1,): "green", (2,): "blue", (0, 1, 2): "grey"}
    places = [(y, x) for y in (high // 4, 3 * high // 4) for x in (wide // 4, 3 * wide // 4)]
    return [names[tuple(np.flatnonzero(pixels[place] > 140).tolist())] for place in places]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_raw_file_is_developed_and_not_its_thumbnail(tmp_path: Path) -> None:
    content = dng(CORNERS)
    path = written(tmp_path / "DSC_1.JPG", content)  # whatever its name is
    probe = probe_image(path)
    assert (probe.width, probe.height, probe.format) == (WIDE, HIGH, "dng")
    assert picture_size(path) == (WIDE, HIGH)
    image = read_image(path)
    assert (image.mode, image.size) == ("RGB", (WIDE, HIGH))
    with rawpy.imread(io.BytesIO(content)) as raw:
        want = raw.postprocess(use_camera_wb=True, output_bps=8)
    assert np.array_equal(np.asarray(image), want)
    assert seen_in(image) == list(QUARTERS)


@pytest.mark.parametrize(
    ("orientation", "want"),
    [
        (3, ["grey", "blue", "green", "red"]),
        (6, ["blue", "red", "grey", "green"]),
        (8, ["green", "grey", "red", "blue"]),
    ],
)
def test_it_stands_upright(tmp_path: Path, orientation: int, want: list[str]) -> None:
    path = written(tmp_path / "x.dng", dng(CORNERS, orientation=orientation))
    image, probe = read_image(path), probe_image(path)
    assert seen_in(image) == want
    assert (probe.width, probe.height) == image.size == picture_size(path)


@pytest.mark.parametrize(
    ("maker", "name"), [("NIKON CORPORATION", "nef"), ("SONY", "arw"), ("PENTAX", "pef"), ("Unheard of", "raw")]
)
def test_other_makers_files_are_told_by_their_sensor(tmp_path: Path, maker: str, name: str) -> None:
    path = written(tmp_path / "x.tif", dng(CORNERS, maker=maker, version=False))
    assert raw_format(path, read_head(path)) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "cr2"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "cr3"),
        (b"IIRO\x08\x00\x00\x00", "orf"),
        (b"IIRS\x08\x00\x00\x00", "orf"),
        (b"IIU\x00\x18\x00\x00\x00", "rw2"),
        (b"FUJIFILMCCD-RAW 0201FF383501", "raf"),
        (b"II\x1a\x00\x00\x00HEAPCCDR\x02\x00", "crw"),
    ],
)
def test_marks_of_other_raw_files(tmp_path: Path, head: bytes, name: str) -> None:
    path = written(tmp_path / "x.jpg", head + bytes(range(1, 256)) * 20)
    assert raw_format(path, read_head(path)) == name
    assert kind_of(read_head(path)).family == "image"
    with pytest.raises(
        MediaError, match=rf"raw file \({name.upper()}\) that LibRaw .* Export it as JPEG"
    ) as caught:
        probe_image(path)
    assert caught.value.reason == "undecodable"


def test_ordinary_tiff_files_are_no_raw_files(tmp_path: Path) -> None:
    pixels = (CORNERS >> 8).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.tif", compression="tiff_lzw", exif=Image.Exif())
    for path in (tmp_path / "a.tif", written(tmp_path / "b.tif", tiff(pixels, pixels[::2, ::2], within=1))):
        assert raw_format(path, read_head(path)) is None
        assert (probe_image(path).width, probe_image(path).format) == (WIDE, "tiff")


def test_without_the_extra_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "x.nef", dng(CORNERS))
    monkeypatch.setitem(sys.modules, "rawpy", None)
    for look in (probe_image, read_image, picture_size):
        with pytest.raises(MediaError, match=r"raw file \(DNG\). Run pip install 'biovita\[raw\]'") as caught:
            look(path)
        assert caught.value.reason == "undecodable"


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_file_ends_in_a_reason(tmp_path: Path, kept: float) -> None:
    content = dng(CORNERS)
    path = written(tmp_path / "x.dng", content[: int(kept * len(content))])
    with pytest.raises(MediaError) as caught:
        probe_image(path)
    assert caught.value.reason in {"truncated", "undecodable"}


def test_what_it_takes_is_judged_before_it_is_developed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "x.dng", dng(np.full((2300, 2300, 3), 3000, np.uint16)))
    monkeypatch.setenv("BIOVITA_MEMORY", "64")
    with pytest.raises(MediaError, match="2300 x 2300 pixels take") as caught:
        probe_image(path)
    assert caught.value.reason == "too-large"
    monkeypatch.setenv("BIOVITA_MEMORY", "128")
    assert probe_image(path).width == 2300


def test_directories_that_lead_in_circles_end(tmp_path: Path) -> None:
    content = bytearray(tiff((CORNERS >> 8).astype(np.uint8), reduced=0))
    first = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * count, first)
    path = written(tmp_path / "x.tif", bytes(content))
    assert raw_format(path, read_head(path)) is None


def test_its_exif_data_are_read(tmp_path: Path) -> None:
    content = dng(CORNERS, maker="ACME")
    for changed in (
        content,
        content.replace(struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, 65535)),
    ):
        said = exif(written(tmp_path / "x.dng", changed))  # the second one's thumbnail is coded as nobody knows
        assert (said.make, said.model) == ("ACME", "Test 1")


def test_a_sensor_without_colours_gives_grey(tmp_path: Path) -> None:
    """As that of a monochrome camera: the pattern of its filters names none."""
    content = dng(np.full((HIGH, WIDE, 3), 20_000, np.uint16))
    sensor = struct.pack("<HHI4s", 33422, 1, 4, bytes((0, 1, 1, 2)))
    assert content.count(sensor) == 1
    image = read_image(
        written(tmp_path / "m.dng", content.replace(sensor, struct.pack("<HHI4s", 0x9800, 1, 4, bytes(4))))
    )
    assert (image.mode, image.size) == ("RGB", (WIDE, HIGH))
    assert np.ptp(np.asarray(image), axis=2).max() == 0
