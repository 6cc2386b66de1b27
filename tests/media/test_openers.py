"""AVIF, HEIF, films, and TIFF files that begin with a thumbnail."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image, features

from biovita.errors import MediaError
from biovita.media import probe_audio, probe_image, read_image
from biovita.media.exif import exif
from biovita.media.image import picture_size
from biovita.media.sniff import kind_of
from support.raw_pictures import box, brands, film, tiff

PIXELS = np.zeros((64, 96, 3), np.uint8)
PIXELS[:32, :48] = (200, 30, 30)
PIXELS[:32, 48:] = (30, 200, 30)
PIXELS[32:, :48] = (30, 30, 200)
PIXELS[32:, 48:] = (220, 220, 40)
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow is built without AVIF")


def is_drawn(image: Image.Image) -> bool:
    got, want = np.asarray(image).astype(int), PIXELS.astype(int)
    places = [(16, 24), (16, 72), (48, 24), (48, 72)]
    return got.shape == want.shape and all(np.abs(got[place] - want[place]).max() < 16 for place in places)


@pytest.fixture(scope="module")
def avif(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("avif") / "x.avif"
    Image.fromarray(PIXELS).save(path, quality=90, speed=10)
    return path.read_bytes()


@pytest.fixture(scope="module")
def heic(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    path = tmp_path_factory.mktemp("heic") / "x.heic"
    pillow_heif.from_pillow(Image.fromarray(PIXELS)).save(path, quality=90)
    return path.read_bytes()


@needs_avif
@pytest.mark.parametrize(
    "names", [(b"avif",), (b"mif1", b"avif"), (b"MA1B", b"avif"), (b"zzzz", b"avif"), (b"isom", b"avif")]
)
def test_avif_by_any_of_its_brands(tmp_path: Path, avif: bytes, names: tuple[bytes, ...]) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(brands(avif, *names))
    assert probe_image(path).format == "avif"
    assert picture_size(path) == (96, 64)
    assert is_drawn(read_image(path))


@pytest.mark.parametrize(
    "names",
    [(b"heic",), (b"heix", b"mif1"), (b"mif1", b"heic"), (b"MiHE", b"mif1"), (b"none", b"heic")],
)
def test_heic_by_any_of_its_brands(tmp_path: Path, heic: bytes, names: tuple[bytes, ...]) -> None:
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(brands(heic, *names))
    assert probe_image(path).format == "heif"
    assert picture_size(path) == (96, 64)
    assert is_drawn(read_image(path))


def test_a_turned_heic_stands_upright_once(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    image, made = Image.fromarray(np.ascontiguousarray(np.rot90(PIXELS, 1))), Image.Exif()
    made[0x0112] = 6
    path = tmp_path / "x.heic"
    pillow_heif.from_pillow(image).save(path, quality=90, exif=made.tobytes())
    assert is_drawn(read_image(path))
    assert (probe_image(path).width, probe_image(path).height) == (96, 64)


def test_without_their_decoders_the_error_names_them(
    tmp_path: Path, avif: bytes, heic: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path.write_bytes(heic)
    with pytest.raises(MediaError, match=r"HEIC picture.* pip install 'biovita\[raw\]'") as caught:
        probe_image(path)
    assert caught.value.reason == "undecodable"
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    path.write_bytes(avif)
    with pytest.raises(MediaError, match="AVIF picture, and this Pillow is built without") as caught:
        probe_image(path)
    assert caught.value.reason == "undecodable"


@needs_avif
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_cut_pictures_end_in_a_reason(tmp_path: Path, avif: bytes, heic: bytes, kept: float) -> None:
    for content in (avif, heic):
        path = tmp_path / "x"
        path.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(MediaError) as caught:
            probe_image(path)
        assert caught.value.reason in {"truncated", "undecodable"}


def test_films_and_sound_are_no_photographs(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    for handler, said in ((b"vide", "is a film, not"), (b"soun", "is MP4 sound or film, not")):
        path.write_bytes(film(handler))
        with pytest.raises(MediaError, match=said) as caught:
            probe_image(path)
        assert caught.value.reason == "not-image"


@pytest.mark.parametrize(
    ("major", "compatible", "family"),
    [
        (b"M4A ", (b"isom", b"mif1"), "audio"),
        (b"qt  ", (), "audio"),
        (b"3gp5", (b"isom",), "audio"),
        (b"iso5", (b"iso6", b"mp41"), "audio"),
        (b"mp42", (b"mif1", b"heic"), "image"),
        (b"abcd", (b"mp42",), "audio"),
        (b"abcd", (b"efgh",), "unknown"),
    ],
)
def test_what_brands_say(major: bytes, compatible: tuple[bytes, ...], family: str) -> None:
    assert kind_of(box(b"ftyp", major + bytes(4) + b"".join(compatible))).family == family


def test_a_brand_that_nobody_knows_and_nothing_reads_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(box(b"ftyp", b"abcd" + bytes(4)) + bytes(range(200)))
    with pytest.raises(MediaError, match="no known format: an ISO media file of the brand 'abcd'") as caught:
        probe_image(path)
    assert caught.value.reason == "not-image"


def test_a_picture_behind_its_thumbnail_is_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(PIXELS[::4, ::4], PIXELS[::2, ::2], PIXELS, reduced=2))
    assert picture_size(path) == (96, 64)
    assert is_drawn(read_image(path))
    path.write_bytes(tiff(PIXELS, reduced=1))  # it says so, and there is no other
    assert is_drawn(read_image(path))


def test_a_picture_within_its_thumbnail_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_bytes(tiff(PIXELS[::4, ::4], PIXELS, reduced=1, within=1))
    with pytest.raises(MediaError, match=r"begins with a thumbnail .* Export it as JPEG") as caught:
        probe_image(path)
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize("probe", [probe_audio, probe_image])
def test_a_file_of_zeros_is_called_so_only_when_all_of_it_is(tmp_path: Path, probe: object) -> None:
    path = tmp_path / "x"
    assert callable(probe)
    for size in (1, 4096, 3_000_000):
        path.write_bytes(bytes(size))
        with pytest.raises(MediaError, match="nothing but zero bytes"):
            probe(path)
    path.write_bytes(bytes(2_500_000) + b"\x07" + bytes(10))
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert "nothing but zero" not in str(caught.value)
    assert probe is probe_audio or "begins with 2,500,000 zero bytes" in str(caught.value)


def test_a_large_file_of_zeros_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(40 << 30)
        file.seek(35 << 30)
        file.write(b"x")
    with pytest.raises(MediaError, match=f"begins with {35 << 30:,} zero bytes"):
        probe_image(path)
    monkeypatch.setattr("biovita.media.sniff._MOST_ZEROS", 1 << 20)
    path.write_bytes(bytes(3 << 20))
    with pytest.raises(MediaError, match="nothing but zero bytes in its first 1 MiB"):
        probe_image(path)


@needs_avif
def test_exif_data_of_avif_and_heic_are_read(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    made = Image.Exif()
    made[271] = "ACME"
    Image.fromarray(PIXELS).save(tmp_path / "x.avif", exif=made, speed=10)
    pillow_heif.from_pillow(Image.fromarray(PIXELS)).save(tmp_path / "x.heic", exif=made.tobytes())
    assert [exif(tmp_path / name).make for name in ("x.avif", "x.heic")] == ["ACME", "ACME"]
