"""What decoding a picture will take, judged before it is decoded: a few bytes can ask for gigabytes, or for hours."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.errors import MediaError
from biovita.limits import limit, memory_mib, over
from biovita.media.patience import Patience

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "TimedFile",
    "bytes_while_read",
    "check_header",
    "check_memory",
    "check_opened",
    "check_size",
    "pillow_limit",
]

# Bytes that Pillow keeps for a pixel; RGB, too, takes four.
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
_MOST_BYTES = 4
# Bytes a pixel that decoders keep beside. WebP: two canvases, and a frame on its way. AVIF and HEIF: planes of 16 bits
# at full size, and the frame that is made of them.
_DECODERS = {"WEBP": 12, "AVIF": 12, "HEIF": 12}
_PROGRESSIVE = 6  # libjpeg keeps all coefficients of a progressive JPEG, 16 bits each
_MOST_SCANS = 200  # of a JPEG: encoders write some ten, and each goes through the whole picture
_SCAN = b"\xff\xda"  # cannot stand within a scan, where a zero follows 0xff
_CHUNK = 1 << 20


class TimedFile(io.FileIO):
    """A file that is read for so long only: a decoder's loops read, and so look at the clock."""

    def __init__(self, path: Path, patience: Patience) -> None:
        super().__init__(path)
        self._patience = patience

    def readinto(self, buffer: Any, /) -> int:  # noqa: D102 - as that of every file
        self._patience.check()
        return super().readinto(buffer) or 0

    def readall(self) -> bytes:  # noqa: D102
        self._patience.check()
        return super().readall()


class _PillowLimit:
    """Pillow's own limit, which is one of the process: it warns at 89 and refuses at 179 million pixels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lifted = 0
        self._kept: int | None = None

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Lift the limit for the block; where blocks overlap, until the last one ends."""
        from PIL import Image

        with self._lock:
            if not self._lifted:
                self._kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._lifted += 1
        try:
            yield
        finally:
            with self._lock:
                self._lifted -= 1
                if not self._lifted:
                    Image.MAX_IMAGE_PIXELS = self._kept


pillow_limit = _PillowLimit()


def check_header(path: Path, head: bytes) -> None:
    """Refuse a WebP that is too large by its first bytes: Pillow sets aside its canvases when it opens the file.

    Raises
    ------
    MediaError
        ``too-large``.
    """
    if head[8:12] != b"WEBP":
        return
    kind, body = head[12:16], head[20:]
    if kind == b"VP8X" and len(body) >= 10:
        size = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    elif kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        size = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 " and len(body) >= 10:
        size = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    else:
        return
    check_size(path, size, _MOST_BYTES + _DECODERS["WEBP"])


def check_opened(path: Path, image: Image.Image) -> None:
    """Refuse an opened picture, of which nothing is decoded yet, that would take too much.

    Raises
    ------
    MediaError
        ``too-large``; ``undecodable`` for a JPEG of more scans than any encoder writes.
    """
    check_size(path, image.size, _bytes_a_pixel(image) + _beside(image))
    tags: dict[int, Any] = getattr(image, "tag_v2", {})
    width, length = tags.get(322), tags.get(323)  # of the tiles of a TIFF
    if isinstance(width, int) and isinstance(length, int):
        check_size(path, (width, length), _MOST_BYTES)
    if image.format in {"JPEG", "MPO"} and (scans := _scans(path)) > _MOST_SCANS:
        raise MediaError(
            "undecodable",
            f"{path}: the file is a JPEG of {scans} scans or more; at most {_MOST_SCANS} are accepted",
        )


def bytes_while_read(image: Image.Image, *, rotated: bool, converted: bool) -> int:
    """Return how many bytes a picture takes at most while it is decoded, and then turned and made RGB."""
    held = _bytes_a_pixel(image)
    after = max(2 * held if rotated else 0, held + (_MOST_BYTES if converted else 0))
    return image.width * image.height * max(held + _beside(image), after)


def check_memory(path: Path, size: tuple[int, int], needed: int) -> None:
    """Refuse what does not fit into the memory that is set.

    Raises
    ------
    MediaError
        ``too-large``.
    """
    if needed > memory_mib() << 20:
        raise MediaError(
            "too-large",
            f"{path}: {size[0]} x {size[1]} pixels take {needed / 2**20:,.0f} MiB to decode, and --memory is "
            f"{memory_mib():,}",
        )


def check_size(path: Path, size: tuple[int, int], bytes_a_pixel: int) -> None:
    """Refuse a picture of more pixels than the limit, or that does not fit into the memory that is set.

    Raises
    ------
    MediaError
        ``too-large``.
    """
    pixels = size[0] * size[1]
    if pixels > limit("pixels"):
        raise MediaError("too-large", f"{path}: {size[0]} x {size[1]} pixels; {over('pixels')}")
    check_memory(path, size, pixels * bytes_a_pixel)


def _bytes_a_pixel(image: Image.Image) -> int:
    return _BYTES.get(image.mode, _MOST_BYTES)


def _beside(image: Image.Image) -> int:
    """Return the bytes a pixel that the decoder keeps beside the picture."""
    if image.format in _DECODERS:
        return _DECODERS[image.format]
    return _PROGRESSIVE if image.info.get("progressive") else 0


def _scans(path: Path) -> int:
    """Count the marks of a scan, those of thumbnails and appended pictures with them."""
    found, last = 0, b""
    with path.open("rb") as file:
        while (chunk := file.read(_CHUNK)) and found <= _MOST_SCANS:
            found += (last + chunk).count(_SCAN)
            last = chunk[-1:]
    return found
