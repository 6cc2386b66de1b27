"""Photographs in every mode against pixels known beforehand."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from biovita.errors import MediaError
from biovita.media import probe_image, read_image
from support.sound_files import HTML, song, write_sound

CORNERS = np.zeros((40, 60, 3), np.uint8)
CORNERS[:20, :30] = (200, 30, 30)
CORNERS[:20, 30:] = (30, 200, 30)
CORNERS[20:, :30] = (30, 30, 200)
CORNERS[20:, 30:] = (220, 220, 40)


def corners_of(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image).astype(int)
    height, width = pixels.shape[:2]
    rows, columns = (height // 4, 3 * height // 4), (width // 4, 3 * width // 4)
    return np.array([[pixels[r, c] for c in columns] for r in rows])


WANT = corners_of(Image.fromarray(CORNERS))


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def assert_is_corners(path: Path, within: int = 6) -> None:
    image = read_image(path)
    assert image.mode == "RGB"
    assert np.abs(corners_of(image) - WANT).max() <= within
    probe = probe_image(path)
    assert (probe.width, probe.height) == image.size == (60, 40)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "gif"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"x.{suffix}", Image.fromarray(CORNERS))
    assert_is_corners(path, within=12)
    assert probe_image(path).format == {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix)
    renamed = path.rename(tmp_path / "x.wrong")
    assert_is_corners(renamed, within=12)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_rotation(tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = {  # how the camera stored the upright picture for each orientation (Exif 2.3, 4.6.4 A)
        1: CORNERS,
        2: CORNERS[:, ::-1],
        3: CORNERS[::-1, ::-1],
        4: CORNERS[::-1],
        5: CORNERS.transpose(1, 0, 2),
        6: np.rot90(CORNERS, 1),
        7: CORNERS[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(CORNERS, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=95)
    assert_is_corners(path)


def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = save(
        tmp_path / "x.jpg", Image.fromarray(CORNERS), exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff", quality=95
    )
    assert_is_corners(path)


def test_palette(tmp_path: Path) -> None:
    assert_is_corners(save(tmp_path / "x.png", Image.fromarray(CORNERS).quantize(16)))


def test_palette_with_transparency_is_white(tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(np.array([[0, 1]], np.uint8), 30, axis=1).repeat(40, axis=0), "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    path = save(tmp_path / "x.png", image, transparency=0)
    pixels = np.asarray(read_image(path))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 59].tolist() == [0, 0, 255]


def test_alpha_is_composited_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((10, 30, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, 10:20, 3] = 128
    rgba[:, 20:, 3] = 255
    path = save(tmp_path / "x.png", Image.fromarray(rgba, "RGBA"))
    pixels = np.asarray(read_image(path))
    assert pixels[5, 5].tolist() == [255, 255, 255]
    assert np.abs(pixels[5, 15].astype(int) - [227, 127, 127]).max() <= 1
    assert pixels[5, 25].tolist() == [200, 0, 0]
    grey = save(tmp_path / "la.png", Image.fromarray(rgba, "RGBA").convert("LA"))
    assert np.asarray(read_image(grey))[5, 5].tolist() == [255, 255, 255]


def without_adobe_marker(jpeg: bytes) -> bytes:
    at = jpeg.index(b"\xff\xee")
    length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
    return jpeg[:at] + jpeg[at + 2 + length :]


def test_cmyk(tmp_path: Path) -> None:
    cmyk = Image.fromarray(CORNERS).convert("CMYK")
    adobe = save(tmp_path / "adobe.jpg", cmyk, quality=95)
    assert b"Adobe" in adobe.read_bytes()
    assert_is_corners(adobe)
    plain = tmp_path / "plain.jpg"  # browsers, too, take the values as inverted where no marker says so
    plain.write_bytes(without_adobe_marker(adobe.read_bytes()))
    assert b"Adobe" not in plain.read_bytes()
    assert_is_corners(plain)
    assert_is_corners(save(tmp_path / "x.tif", cmyk))


def test_grey_of_1_8_and_16_bits(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, axis=0)
    want = np.arange(256)
    for name, image in {
        "8.png": Image.fromarray((ramp // 257).astype(np.uint8)),
        "16.png": Image.fromarray(ramp),
        "16.tif": Image.fromarray(ramp),
        "32.tif": Image.fromarray(ramp.astype(np.int32)),
        "float.tif": Image.fromarray((ramp / 65535).astype(np.float32)),
    }.items():
        pixels = np.asarray(read_image(save(tmp_path / name, image)))
        assert pixels.shape == (4, 256, 3), name
        assert np.abs(pixels[0, :, 1].astype(int) - want).max() <= 1, name  # convert() gives 255 from column 1 on
    mask = Image.fromarray(np.eye(8, dtype=bool))
    np.testing.assert_array_equal(
        np.asarray(read_image(save(tmp_path / "1.png", mask)))[..., 0], 255 * np.eye(8, dtype=np.uint8)
    )


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    row = b"\x00" + b"".join(struct.pack(">HHH", 200 * 257, 30 * 257, 30 * 257) for _ in range(4))
    path = tmp_path / "x.png"
    path.write_bytes(png(4, 4, row * 4, depth=16, colour=2))
    assert np.asarray(read_image(path))[0, 0].tolist() == [200, 30, 30]


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 0) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    ends = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(ends)


def reason_of(path: Path) -> str:
    with pytest.raises(MediaError) as probed:
        probe_image(path)
    with pytest.raises(MediaError) as read:
        read_image(path)
    assert probed.value.reason == read.value.reason
    assert str(path) in str(read.value)
    return read.value.reason


@pytest.mark.parametrize(("width", "height"), [(15_000, 14_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused_by_their_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png(width, height, bytes(1000)))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    assert reason_of(path) == "too-large"


def test_the_limit_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "x.png", Image.fromarray(CORNERS))
    monkeypatch.setenv("BIOVITA_LIMIT_PIXELS", str(60 * 40))
    assert_is_corners(path)
    monkeypatch.setenv("BIOVITA_LIMIT_PIXELS", str(60 * 40 - 1))
    assert reason_of(path) == "too-large"


def test_what_cannot_be_used_is_told_apart(tmp_path: Path) -> None:
    assert reason_of(tmp_path / "no.jpg") == "missing"
    for name, data, reason in (
        ("empty.jpg", b"", "empty"),
        ("page.jpg", HTML, "not-image"),
        ("text.png", b"rate limit exceeded", "not-image"),
        ("noise.png", np.random.default_rng(0).bytes(5000), "not-image"),
        ("vector.svg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "not-image"),
        ("postscript.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not-image"),
        ("heic.jpg", b"\x00\x00\x00\x18ftypheic" + bytes(2000), "undecodable"),
    ):
        (tmp_path / name).write_bytes(data)
        assert reason_of(tmp_path / name) == reason, name
    sound = write_sound(tmp_path / "sound.wav", song(0.2, 8000), 8000)
    assert reason_of(sound.rename(tmp_path / "sound.jpg")) == "not-image"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "gif", "bmp"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_truncated_pictures(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    data = save(tmp_path / f"x.{suffix}", Image.fromarray(noise)).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(data[: int(len(data) * kept)])
    assert reason_of(cut) == "truncated"
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_bytes_after_a_picture_do_not_matter(tmp_path: Path) -> None:
    for suffix in ("jpg", "png", "webp"):
        path = save(tmp_path / f"x.{suffix}", Image.fromarray(CORNERS), quality=95)
        path.write_bytes(path.read_bytes() + HTML * 20)
        assert_is_corners(path, within=12)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_broken_pictures_end_in_a_reason(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from(["jpg", "png", "webp", "tif", "gif", "bmp"]))
    buffer = io.BytesIO()
    Image.fromarray(CORNERS).save(buffer, {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
    raw = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + 6] = data.draw(st.binary(min_size=6, max_size=6))
    path = tmp_path_factory.getbasetemp() / f"broken.{suffix}"
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        probe = probe_image(path)
    except MediaError:
        return
    assert read_image(path).size == (probe.width, probe.height)


def test_the_field_sample_is_good(shared_data: Path) -> None:
    files = sorted((shared_data / "field-sample" / "images").glob("*.jpg"))[::20]
    assert len(files) > 15
    for path in files:
        with Image.open(path) as image:
            assert {probe_image(path).width, probe_image(path).height} == set(image.size)


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.gif", "x.tif", "x.webp", "x.bmp"])
def test_pixels_that_do_not_decode_are_found_whatever_is_asked_first(tmp_path: Path, name: str) -> None:
    path = save(tmp_path / name, Image.fromarray(CORNERS).resize((600, 400)))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert reason_of(path) == "truncated"


def test_a_png_that_says_how_it_lies_after_its_pixels_is_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / "x.png"
    Image.fromarray(CORNERS).save(path, exif=exif)
    content = path.read_bytes()
    start = content.index(b"eXIf") - 4
    length = 12 + int.from_bytes(content[start : start + 4])
    chunk, rest = content[start : start + length], content[:start] + content[start + length :]
    path.write_bytes(rest[:-12] + chunk + rest[-12:])
    assert probe_image(path).width == CORNERS.shape[0]
    assert read_image(path).size == (CORNERS.shape[0], CORNERS.shape[1])
