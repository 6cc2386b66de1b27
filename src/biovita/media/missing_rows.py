"""Pictures that hold fewer rows than their header states: decoders leave the others black or grey, and say nothing."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from biovita.errors import MediaError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_parts", "check_rows"]

_BLOCK = 1 << 20
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MORE = bytes(range(1, 250, 3)) * 4  # as what follows in a JPEG: no marker is in it
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG, by its type of colour
# Where the passes of an interlaced PNG begin and how far their pixels lie apart (PNG specification, 8.2).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def check_parts(path: Path, image: Image.Image) -> None:
    """Refuse a TIFF, not decoded yet, whose strips or tiles do not cover it.

    Raises
    ------
    MediaError
        ``truncated``.
    """
    if image.format != "TIFF":
        return  # the first frame of a GIF may lie in a part of it
    parts = {tuple(part[1]) for part in getattr(image, "tile", ()) if len(part[1] or ()) == 4}
    covered = sum((right - left) * (low - top) for left, top, right, low in parts)
    if parts and covered < image.width * image.height:
        share = covered / (image.width * image.height)
        raise MediaError("truncated", f"{path}: the file holds {share:.0%} of the picture that its header states")


def check_rows(path: Path, image: Image.Image) -> None:
    """Refuse a decoded PNG or JPEG with fewer rows than it states; only one whose last row looks so is looked into.

    Raises
    ------
    MediaError
        ``truncated``.
    """
    if image.format not in {"PNG", "JPEG"}:
        return
    last = np.asarray(image.crop((0, image.height - 1, image.width, image.height)))
    if image.format == "JPEG" and np.isin(last, (127, 128)).all() and _waits(path):
        raise MediaError("truncated", f"{path}: the file is marked as ended before the last of its picture")
    if image.format == "PNG" and not last.any():
        _check_png(path)


def _waits(path: Path) -> bool:
    """Return whether a JPEG shows another picture where more follows its first scan: then that has not all."""
    from PIL import Image

    content = path.read_bytes()
    at = 2
    while (
        content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] != b"\xda"
    ):  # the segments before the pixels
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    end = _END_OF_SCAN.search(content, at + 2)
    if end is None:
        return False
    seen = []
    for each in (content, content[: end.start()] + _MORE + content[end.start() :]):
        with Image.open(io.BytesIO(each)) as image:
            image.draft(None, (image.width // 8, image.height // 8))  # an eighth of the size, for a first look
            seen.append(np.asarray(image))
    return not np.array_equal(seen[0], seen[1])


def _check_png(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(29)
    wide, high = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
    stated = _unpacked_size(wide, high, head[24] * _CHANNELS.get(head[25], 1), interlaced=head[28] == 1)
    if (found := _unpacked(path, stated)) < stated:
        raise MediaError(
            "truncated", f"{path}: the file holds {found / stated:.0%} of the picture that its header states"
        )


def _unpacked_size(wide: int, high: int, bits: int, *, interlaced: bool) -> int:
    """Return how many bytes the rows of a PNG are, each with one for its filter."""
    total = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-max(0, wide - left) // across), -(-max(0, high - top) // down)
        total += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    return total


def _unpacked(path: Path, most: int) -> int:
    """Return how many bytes the pixels of a PNG unpack to; counting stops at ``most``."""
    found, header = 0, 2
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)  # the checksum is Pillow's to judge, where it gets to it
    for content in _pixels(path):
        content, header = content[header:], max(0, header - len(content))
        while content and found < most and not unpack.eof:
            try:
                found += len(unpack.decompress(content, _BLOCK))
            except zlib.error:  # behind the last row: before it, Pillow would have refused the picture
                return most
            content = unpack.unconsumed_tail
    return found


def _pixels(path: Path) -> Iterator[bytes]:
    """Yield the contents of a PNG's first run of ``IDAT`` chunks, block by block."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
            left = int.from_bytes(head[:4], "big")
            if head[4:] != b"IDAT":
                file.seek(left + 4, 1)
                continue
            while left and (block := file.read(min(left, _BLOCK))):
                left -= len(block)
                yield block
            file.seek(4, 1)
