"""Whether an MP4 or QuickTime file is a film or sound: which tracks it states."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

__all__ = ["is_film"]

_MOST_BOXES = 4096
_WITHIN = {
    b"moov": b"trak",
    b"trak": b"mdia",
    b"mdia": b"hdlr",
}  # where a track says what it holds (ISO/IEC 14496-12)


def is_film(path: Path) -> bool:
    """Say whether a file in ISO base media boxes has a track of pictures; where its boxes say nothing, it has none."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        return b"vide" in _handlers(file, b"moov", 0, size, [_MOST_BOXES])


def _handlers(file: io.BufferedReader, wanted: bytes, start: int, stop: int, left: list[int]) -> Iterator[bytes]:
    """Yield what kind of medium each track is of."""
    for kind, begin, end in _boxes(file, start, stop, left):
        if kind != wanted:
            continue
        if kind == b"hdlr":
            file.seek(begin + 8)
            yield file.read(4)
        else:
            yield from _handlers(file, _WITHIN[kind], begin, end, left)


def _boxes(file: io.BufferedReader, at: int, stop: int, left: list[int]) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each box, and where what it holds begins and ends; ``left`` is how many are looked at yet."""
    while at + 8 <= stop and left[0] > 0:
        left[0] -= 1
        file.seek(at)
        head = file.read(16)
        length, begin = int.from_bytes(head[:4], "big"), at + 8
        if length == 1:
            length, begin = int.from_bytes(head[8:16], "big"), at + 16
        end = stop if length == 0 else at + length
        if end <= at or end < begin:
            return
        yield head[4:8], begin, min(end, stop)
        at = end
