"""Photographs: what they hold, and as upright RGB pictures."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biovita.errors import MediaError
from biovita.limits import gate
from biovita.media.bombs import (
    TimedFile,
    bytes_while_read,
    check_header,
    check_memory,
    check_opened,
    pillow_limit,
)
from biovita.media.camera_raw import probe_raw, raw_format, raw_size, read_raw
from biovita.media.film_tracks import is_film
from biovita.media.missing_rows import check_parts, check_rows
from biovita.media.openers import ACCEPTED, open_picture
from biovita.media.packed_files import MediaPath, as_media_path, on_disk
from biovita.media.patience import Patience
from biovita.media.sniff import FileKind, brands_of, kind_of, read_head

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["DAMAGED", "ImageProbe", "picture_size", "probe_image", "read_image"]

_STRIP_PIXELS = 1 << 22  # that are converted at a time
_TURNED, _SIDEWAYS = range(2, 9), range(5, 9)  # orientations by EXIF
_DAMAGED_EXIF = (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error, ZeroDivisionError)
# What Pillow raises for a file that is not as it should be. RuntimeErrors come from libavif and libheif, and from
# directories within directories without end.
DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError),
    *(EOFError, MemoryError, OverflowError, ZeroDivisionError, RuntimeError, struct.error),
)


@dataclass(frozen=True, slots=True)
class ImageProbe:
    """What decoding a whole picture showed: pixels as `read_image` gives them, after rotation, and the format.

    The format is Pillow's name of it in lower case, or the usual ending of a camera's raw file: ``jpeg``, ``dng``.
    """

    width: int
    height: int
    format: str


def probe_image(path: str | MediaPath) -> ImageProbe:
    """Decode a picture and return what it holds.

    Raises
    ------
    MediaError
        With one of these reasons: ``missing``; ``empty``, no bytes; ``not-image``, an HTML page, a text, sound, a film
        or something unknown; ``too-large``, more than the limit of pixels or than fits into the memory that is set,
        said by the header before anything is decoded; ``truncated``, the file ends within the picture;
        ``undecodable``, known as a picture but damaged, or of a kind that needs an extra; ``too-slow``, the file keeps
        the decoder for longer than the limit.
    """
    with on_disk(as_media_path(path)) as file:
        head = read_head(file)
        if (raw := raw_format(file, head)) is not None:
            return ImageProbe(*probe_raw(file, raw), raw)
        with (
            _opened(file, head) as image,
            _decoded(file, image, bytes_while_read(image, rotated=False, converted=False)),
        ):
            return ImageProbe(*_sides(image), (image.format or "").lower())


def picture_size(path: str | MediaPath) -> tuple[int, int]:
    """Return width and height of a picture as `read_image` gives it, in pixels; only its header is read.

    Raises
    ------
    MediaError
        As `probe_image`, as far as the header shows it.
    """
    with on_disk(as_media_path(path)) as file:
        head = read_head(file)
        if (raw := raw_format(file, head)) is not None:
            return raw_size(file, raw)
        with _opened(file, head) as image:
            return _sides(image)


def read_image(path: str | MediaPath) -> Image.Image:
    """Return a picture as RGB: turned as its EXIF data says, on white where it is transparent.

    Grey of 16 bits is scaled to 8; of an animation it is the first frame. A camera's raw file is developed with the
    camera's white balance, at the sensor's full size.

    Raises
    ------
    MediaError
        As `probe_image`.
    """
    with on_disk(as_media_path(path)) as file:
        head = read_head(file)
        if (raw := raw_format(file, head)) is not None:
            return read_raw(file, raw)
        with _opened(file, head) as image:
            return _read(file, image)


def _read(file: Path, image: Image.Image) -> Image.Image:
    # A PNG may state how it lies after its pixels: asked before, Pillow would decode it.
    turned = (image.format != "PNG" or "exif" in image.info) and _orientation(image) in _TURNED
    needed = bytes_while_read(image, rotated=turned, converted=image.mode != "RGB" or _is_transparent(image))
    with _decoded(file, image, needed):
        return _rgb(_upright(image) if _orientation(image) in _TURNED else image)


@contextmanager
def _opened(path: Path, head: bytes) -> Iterator[Image.Image]:
    """Give the picture, of which only the header is read yet, with Pillow's errors told apart."""
    from PIL import UnidentifiedImageError

    kind = kind_of(head, path)
    if kind.family in {"audio", "other"}:
        raise MediaError(
            "not-image",
            f"{path}: the file is {_named(path, head, kind)}, not a picture. biovita reads {_accepted()}",
        )
    check_header(path, head)
    patience = Patience(path)
    with io.BufferedReader(TimedFile(path, patience)) as file, pillow_limit.lifted():
        try:
            image = open_picture(path, file, head)
        except MediaError:
            raise
        except UnidentifiedImageError:
            raise _unknown(path, head, kind) from None
        except DAMAGED as error:
            raise _decoding_error(path, error, cut=_is_cut_webp(path, head)) from None
        check_opened(path, image)
        patience.pause()
        with image:
            try:
                yield image
            except MediaError:
                raise
            except DAMAGED as error:
                raise _decoding_error(path, error, cut=_is_cut_webp(path, head)) from None


@contextmanager
def _decoded(path: Path, image: Image.Image, needed: int) -> Iterator[None]:
    """Decode the picture, once the memory that it needs in all is free, and hold that memory for the block."""
    check_memory(path, image.size, needed)
    check_parts(path, image)
    with gate.holding(needed):
        image.load()
        check_rows(path, image)
        yield


def _accepted() -> str:
    return ", ".join((*ACCEPTED, "AVIF")).lower() + ", and with the extra 'raw' heic and cameras' raw files"


def _named(path: Path, head: bytes, kind: FileKind) -> str:
    """Return what a file is that is no picture."""
    return "a film" if brands_of(head) and kind.family == "audio" and is_film(path) else kind.description


def _unknown(path: Path, head: bytes, kind: FileKind) -> MediaError:
    """Return the error for a file that no decoder knows."""
    if kind.family != "image":
        return MediaError("not-image", f"{path}: the file is in {kind.description}. biovita reads {_accepted()}")
    if len(head) < 512 or _is_cut_webp(path, head):
        return MediaError("truncated", f"{path}: the file is cut short: it ends within its header")
    return MediaError(
        "undecodable", f"{path}: the file is {kind.description} that no decoder reads. biovita reads {_accepted()}"
    )


def _is_cut_webp(path: Path, head: bytes) -> bool:
    """Say whether a WebP file is shorter than its RIFF header states."""
    return head[8:12] == b"WEBP" and path.stat().st_size < 8 + int.from_bytes(head[4:8], "little")


def _decoding_error(path: Path, error: BaseException, *, cut: bool = False) -> MediaError:
    text = str(error) or type(error).__name__
    if cut or isinstance(error, EOFError) or "truncated" in text.lower():
        return MediaError("truncated", f"{path}: the file is cut short: {text}")
    return MediaError("undecodable", f"{path}: the picture cannot be decoded: {text}")


def _orientation(image: Image.Image) -> int:
    """Return what EXIF data say of how a picture lies, 1 to 8; 1 is upright, and what damaged ones count as."""
    from PIL import ExifTags

    try:
        stated = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DAMAGED_EXIF:
        return 1
    return stated if stated in _TURNED else 1


def _sides(image: Image.Image) -> tuple[int, int]:
    """Return width and height of a picture once it is turned upright."""
    return (image.height, image.width) if _orientation(image) in _SIDEWAYS else image.size


def _upright(image: Image.Image) -> Image.Image:
    from PIL.Image import Transpose

    ways = (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE)
    more = (Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)  # EXIF's 2 to 8
    turned = image.transpose((*ways, *more)[_orientation(image) - 2])
    image.close()  # which frees its pixels
    return turned


def _is_transparent(image: Image.Image) -> bool:
    return image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _in_strips(image, _grey_of_8_bits(image))
    if _is_transparent(image):
        return _in_strips(image, _on_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Return what ``convert`` makes of a picture, from one strip of it after the other."""
    from PIL import Image

    made = Image.new("RGB", image.size)
    for strip, top in _strips(image):
        made.paste(convert(strip), (0, top))
    return made


def _strips(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """Yield a picture from top to bottom in parts, and where each begins."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(image.height, top + rows))), top


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image

    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _grey_of_8_bits(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Return how grey becomes 8 bits: from 16, or from the range of the picture where that is wider.

    Pillow's own conversion would clip.
    """
    from PIL import Image

    edges = [(values.min(), values.max()) for values in (_finite(strip) for strip, _ in _strips(image))]
    least, most = float(min(low for low, _ in edges)), float(max(high for _, high in edges))
    low, high = 0.0, 65535.0
    if image.mode == "F" or least < 0 or most > high:
        low, high = least, most
        if image.mode == "F" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0

    def convert(strip: Image.Image) -> Image.Image:
        scaled = (_finite(strip) - low) * (255 / max(high - low, 1e-12))
        return Image.fromarray(np.rint(scaled).astype(np.uint8), "L").convert("RGB")

    return convert


def _finite(image: Image.Image) -> np.ndarray:
    return np.nan_to_num(np.asarray(image).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
