"""Pictures opened by the decoder of what they hold; of a TIFF file the picture that is no thumbnail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from biovita.errors import MediaError
from biovita.media.sniff import brands_of

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ACCEPTED", "open_picture"]

ACCEPTED = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
"""What Pillow reads wherever it is installed; AVIF, HEIC and cameras' raw files come with libraries."""

_MOST_PAGES = 64
# Fields of TIFF 6.0 and its supplement 1: what a picture is for, and where others lie.
_NEW_SUBFILE, _SUBFILE, _SUBIFDS = 254, 255, 330
_REDUCED = 1  # a bit of the first
_OLD_REDUCED = 2  # a value of the second


def open_picture(path: Path, file: BinaryIO, head: bytes) -> Image.Image:
    """Return a picture of which only the header is read yet.

    Raises
    ------
    MediaError
        ``undecodable`` where it is of a kind whose decoder is not installed, or a TIFF file whose picture lies where no
        decoder reads it.
    PIL.UnidentifiedImageError
        Where no decoder knows it; and what decoders raise of damaged ones.
    """
    from PIL import Image

    if brands := brands_of(head):
        return _of_brands(path, file, brands)
    image = Image.open(file, formats=ACCEPTED)
    if image.format == "TIFF" and _is_reduced(image):
        _to_full(path, image)
    return image


def _of_brands(path: Path, file: BinaryIO, brands: tuple[bytes, ...]) -> Image.Image:
    """Open an AVIF or HEIF picture; where the brands do not say which it is, the one or the other decoder knows it."""
    from PIL import AvifImagePlugin, UnidentifiedImageError

    is_avif = not {b"avif", b"avis", b"MA1A", b"MA1B"}.isdisjoint(brands)
    if AvifImagePlugin.SUPPORTED:
        try:
            return AvifImagePlugin.AvifImageFile(file)
        except (SyntaxError, ValueError, RuntimeError):
            if is_avif:
                raise
            file.seek(0)
    elif is_avif:
        raise MediaError(
            "undecodable",
            f"{path}: the file is an AVIF picture, and this Pillow is built without AVIF. Install a newer one",
        )
    try:
        import pillow_heif
    except ImportError:
        raise MediaError(
            "undecodable",
            f"{path}: the file is a HEIC picture, or another one of that family. Run pip install 'biovita[raw]' to "
            "read it, or export it as JPEG",
        ) from None
    opening: Callable[[BinaryIO], Image.Image] = pillow_heif.HeifImageFile
    try:
        return opening(file)
    except SyntaxError:
        raise UnidentifiedImageError(f"{path}: no HEIF picture") from None


def _is_reduced(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    purpose, old = tags.get(_NEW_SUBFILE, 0), tags.get(_SUBFILE, 0)
    return old == _OLD_REDUCED or (isinstance(purpose, int) and bool(purpose & _REDUCED))


def _to_full(path: Path, image: Image.Image) -> None:
    """Turn to the first page that is no reduced version of another picture; where all are, stay with the first."""
    elsewhere = _SUBIFDS in getattr(image, "tag_v2", {})
    for page in range(1, _MOST_PAGES):
        try:
            image.seek(page)
        except EOFError:
            break
        if not _is_reduced(image):
            return
    if elsewhere:
        raise MediaError(
            "undecodable",
            f"{path}: the file is a TIFF picture that begins with a thumbnail and holds the picture itself in a "
            "directory within, where biovita does not read it. Export it as JPEG",
        )
    image.seek(0)
