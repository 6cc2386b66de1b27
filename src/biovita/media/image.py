"""Photographs: what they hold, and as upright RGB pictures."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biovita.errors import MediaError
from biovita.media.packed import MediaPath, as_media_path, on_disk
from biovita.media.sniff import kind_of, read_head

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["MAX_PIXELS", "ImageProbe", "probe_image", "read_image"]

MAX_PIXELS = 100_000_000  # 300 MB once decoded
ACCEPTED = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")


@dataclass(frozen=True, slots=True)
class ImageProbe:
    """What decoding a whole picture showed: pixels as `read_image` gives them, after rotation, and the format."""

    width: int
    height: int
    format: str


def probe_image(path: str | MediaPath) -> ImageProbe:
    """Decode a picture and return what it holds.

    Raises
    ------
    MediaError
        With one of these reasons: ``missing``; ``empty``, no bytes; ``not-image``, an HTML page, a text, sound or
        something unknown; ``too-large``, more than `MAX_PIXELS`, said by the header before anything is decoded;
        ``truncated``, the file ends within the picture; ``undecodable``, known as a picture but damaged.
    """
    with on_disk(as_media_path(path)) as file, _opened(file) as image:
        name = (image.format or "").lower()
        picture = _rgb(_upright(image))
        return ImageProbe(picture.width, picture.height, name)


def read_image(path: str | MediaPath) -> Image.Image:
    """Return a picture as RGB: turned as its EXIF data says, on white where it is transparent.

    Grey of 16 bits is scaled to 8; of an animation it is the first frame.

    Raises
    ------
    MediaError
        As `probe_image`.
    """
    with on_disk(as_media_path(path)) as file, _opened(file) as image:
        return _rgb(_upright(image))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Give the decoded picture, with Pillow's errors told apart."""
    from PIL import Image, UnidentifiedImageError

    head = read_head(path)
    kind = kind_of(head)
    if kind.family in {"audio", "other"}:
        raise MediaError("not-image", f"{path}: is {kind.description}, not a picture. Accepted are {_accepted()}")
    try:
        image = Image.open(path, formats=ACCEPTED)
    except UnidentifiedImageError:
        if kind.family != "image":
            raise MediaError("not-image", f"{path}: is in no known format. Accepted are {_accepted()}") from None
        if len(head) < 512 or _is_cut_webp(path, head):
            raise MediaError("truncated", f"{path}: the file is cut short: it ends within its header") from None
        raise MediaError(
            "undecodable", f"{path}: is {kind.description} that no decoder reads. Accepted are {_accepted()}"
        ) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError("too-large", f"{path}: {error}. At most {MAX_PIXELS:,} pixels are accepted") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise _decoding_error(path, error, cut=_is_cut_webp(path, head)) from None
    with image:
        if image.width * image.height > MAX_PIXELS:
            raise MediaError(
                "too-large",
                f"{path}: {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} pixels are accepted",
            )
        try:
            image.load()
            yield image
        except (OSError, SyntaxError, ValueError, struct.error, EOFError, MemoryError) as error:
            raise _decoding_error(path, error, cut=_is_cut_webp(path, head)) from None


def _accepted() -> str:
    return ", ".join(ACCEPTED).lower()


def _is_cut_webp(path: Path, head: bytes) -> bool:
    """Say whether a WebP file is shorter than its RIFF header states."""
    return head[8:12] == b"WEBP" and path.stat().st_size < 8 + int.from_bytes(head[4:8], "little")


def _decoding_error(path: Path, error: BaseException, *, cut: bool = False) -> MediaError:
    text = str(error) or type(error).__name__
    if cut or isinstance(error, EOFError) or "truncated" in text.lower():
        return MediaError("truncated", f"{path}: the file is cut short: {text}")
    return MediaError("undecodable", f"{path}: the picture cannot be decoded: {text}")


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error, ZeroDivisionError):
        return image.copy()  # the EXIF block is damaged: the picture itself decodes, and states no rotation


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        return _from_deep_grey(image)
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale grey to 8 bits from 16, or from the range of the picture where that is wider; `convert` would clip."""
    from PIL import Image

    values = np.asarray(image).astype(np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = 0.0, 65535.0
    if image.mode == "F" or values.min() < 0 or values.max() > high:
        low, high = float(values.min()), float(values.max())
        if image.mode == "F" and low >= 0 and high <= 1:
            low, high = 0.0, 1.0
    scaled = (values - low) * (255 / max(high - low, 1e-12))
    return Image.fromarray(np.rint(scaled).astype(np.uint8), "L").convert("RGB")
