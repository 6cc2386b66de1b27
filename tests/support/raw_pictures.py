"""Tiny raw files of a camera that is none, and boxes of ISO base media, made by hand."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["box", "brands", "dng", "film", "tiff"]

_CODES = {"B": 1, "s": 2, "H": 3, "I": 4, "U": 5, "R": 10}
Fields = Mapping[int, tuple[str, Sequence[float] | str]]


class _Tiff:
    """A TIFF file that grows from its start to its end."""

    def __init__(self) -> None:
        self.held = bytearray(8)

    def put(self, content: bytes) -> int:
        at = len(self.held)
        self.held += content + bytes(len(content) % 2)
        return at

    def directory(self, fields: Fields, following: int = 0) -> int:
        entries = b""
        for tag, (kind, values) in sorted(fields.items()):
            if isinstance(values, str):
                content, count = values.encode() + b"\x00", len(values) + 1
            elif kind in "RU":
                parts = [part for value in values for part in (round(value * 10000), 10000)]
                content, count = struct.pack(f"<{len(parts)}{'i' if kind == 'R' else 'I'}", *parts), len(values)
            else:
                content, count = struct.pack(f"<{len(values)}{kind}", *map(int, values)), len(values)
            inline = content.ljust(4, b"\x00") if len(content) <= 4 else struct.pack("<I", self.put(content))
            entries += struct.pack("<HHI", tag, _CODES[kind], count) + inline
        return self.put(struct.pack("<H", len(fields)) + entries + struct.pack("<I", following))

    def done(self, first: int) -> bytes:
        self.held[:8] = b"II*\x00" + struct.pack("<I", first)
        return bytes(self.held)


def _picture(
    file: _Tiff, pixels: np.ndarray, *, reduced: bool = False
) -> dict[int, tuple[str, Sequence[float] | str]]:
    """Return the fields of a picture of 8 bits in colour or 16 of a sensor."""
    high, wide, *bands = pixels.shape
    bits = [8 * pixels.itemsize] * (bands[0] if bands else 1)
    strip = {273: ("I", [file.put(pixels.tobytes())]), 278: ("I", [high]), 279: ("I", [pixels.nbytes])}
    sides = {254: ("I", [int(reduced)]), 256: ("I", [wide]), 257: ("I", [high]), 258: ("H", bits), 259: ("H", [1])}
    return {**sides, 262: ("H", [2 if bands else 32803]), 277: ("H", [len(bits)]), **strip}


def mosaic(colours: np.ndarray) -> np.ndarray:
    """Return what a sensor with red, green, green and blue filters sees of a picture."""
    seen = colours[..., 1].copy()
    seen[0::2, 0::2] = colours[0::2, 0::2, 0]
    seen[1::2, 1::2] = colours[1::2, 1::2, 2]
    return seen


def dng(colours: np.ndarray, *, orientation: int = 1, maker: str = "ACME", version: bool = True) -> bytes:
    """Return a raw file of a picture, ``(even, even, 3)`` uint16: first a thumbnail, and within it what a sensor saw.

    Without ``version`` it is what other makers write, a NEF where the maker is Nikon.
    """
    file = _Tiff()
    sensor = _picture(file, mosaic(colours))
    sensor |= {33421: ("H", [2, 2]), 33422: ("B", [0, 1, 1, 2]), 50714: ("H", [0]), 50717: ("H", [65535])}
    within = file.directory(sensor)
    first = _picture(file, (colours[::4, ::4] >> 8).astype(np.uint8), reduced=True)
    first |= {271: ("s", maker), 272: ("s", "Test 1"), 274: ("H", [orientation]), 330: ("I", [within])}
    first |= {306: ("s", "2024:05:03 06:15:00")}
    if version:
        first |= {50706: ("B", [1, 4, 0, 0]), 50708: ("s", f"{maker} Test 1")}
        first |= {50721: ("R", [1, 0, 0, 0, 1, 0, 0, 0, 1]), 50728: ("U", [1, 1, 1]), 50778: ("H", [21])}
    return file.done(file.directory(first))


def tiff(*pictures: np.ndarray, reduced: int = 0, within: int = 0) -> bytes:
    """Return a TIFF file of pictures of 8 bits, of which some at the start are thumbnails, and some at the end within.

    Parameters
    ----------
    reduced
        How many, from the first, say that they are reduced versions of another.
    within
        How many of the last lie in directories within the first.
    """
    file = _Tiff()
    fields = [_picture(file, pixels, reduced=number < reduced) for number, pixels in enumerate(pictures)]
    split = len(fields) - within
    if within:
        fields[0][330] = ("I", [file.directory(each) for each in fields[split:]])
    following = 0
    for each in reversed(fields[:split]):
        following = file.directory(each, following)
    return file.done(following)


def box(kind: bytes, content: bytes) -> bytes:
    """Return a box of ISO base media."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def brands(content: bytes, major: bytes, *compatible: bytes) -> bytes:
    """Return an ISO base media file with other brands in its first box; offsets count that box, so it is padded."""
    length = int.from_bytes(content[:4], "big")
    listed = b"".join(compatible)
    assert length - 16 >= len(listed), "the first box has no room"
    fill = (compatible[-1:] or (major,))[0] * (length // 4)
    return content[:8] + major + content[12:16] + (listed + fill)[: length - 16] + content[length:]


def film(handler: bytes = b"vide") -> bytes:
    """Return the boxes of an MP4 file with one track of no samples."""
    track = box(b"trak", box(b"mdia", box(b"hdlr", bytes(8) + handler + bytes(13))))
    return box(b"ftyp", b"isom\x00\x00\x02\x00isommp41") + box(b"free", bytes(20)) + box(b"moov", track)
