"""What stands in a WAV file beside its samples: the chunks that recorders and programs write into it."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from biovita.media.statements import plain

__all__ = ["WaveChunks", "read_chunks"]

_KEPT = (b"guan", b"wamd", b"bext")
_OFTEN = (*_KEPT, b"LIST", b"data", b"fmt ", b"fact", b"junk", b"JUNK", b"id3 ", b"iXML")
_MOST_BYTES = 1 << 20  # of one chunk; recorders write a few thousand, and a voice note may follow them
_MOST_CHUNKS = 4096
_UNKNOWN = 0xFFFFFFFF  # length that RF64 states elsewhere, and that an unfinished recording keeps


@dataclass(frozen=True, slots=True)
class WaveChunks:
    """Chunks by their name (``guan``, ``wamd``, ``bext``), texts of ``INFO`` by theirs, and what was odd."""

    chunks: Mapping[str, bytes]
    info: Mapping[str, str]
    notes: tuple[str, ...]


def read_chunks(path: Path) -> WaveChunks:
    """Return what a WAV file (RIFF, RIFX, RF64 or BW64) holds beside its samples.

    No stated length is trusted: a chunk that runs past the end of the file is noted and read as far as it goes, and of
    each at most a MiB is read. Of chunks of one name, the first counts.

    Raises
    ------
    OSError
        Where the file cannot be read.
    """
    chunks: dict[str, bytes] = {}
    info: dict[str, str] = {}
    notes: list[str] = []
    with path.open("rb") as file:
        order = ">" if file.read(4) == b"RIFX" else "<"
        for name, length, there in _walk(file, order):
            is_info = name == b"LIST" and file.read(4) == b"INFO"
            if not is_info and name not in _KEPT:
                continue
            title = "INFO" if is_info else name.decode()
            if there < length:
                notes.append(
                    f"The header states {length:,} bytes for the chunk {title!r}, and {there:,} are there: "
                    "they are read"
                )
            content = file.read(min(there - 4 if is_info else there, _MOST_BYTES))
            if is_info:
                info = {**_info(content, order), **info}
            elif title in chunks:
                notes.append(f"The file holds more than one chunk {title!r}: the first is read")
            else:
                chunks[title] = content
    return WaveChunks(chunks, info, tuple(notes))


def _walk(file: io.BufferedReader, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, stated length and bytes that are there of each chunk; the file then stands at its content."""
    size, at, wide = file.seek(0, io.SEEK_END), 12, 0
    for _ in range(_MOST_CHUNKS):
        head = _head(file, at)
        if head is None:
            return
        name, length = struct.unpack(f"{order}4sI", head)
        if name == b"ds64":
            wide = int.from_bytes(file.read(16)[8:16], "little")
        if length == _UNKNOWN:
            length = wide if name == b"data" and wide else size - at - 8
        file.seek(at + 8)
        yield name, length, min(length, size - at - 8)
        at = _next(file, at + 8 + length, odd=length % 2 == 1)


def _next(file: io.BufferedReader, end: int, *, odd: bool) -> int:
    """Return where the next chunk begins: after one of odd length stands a zero, which some programs leave out."""
    if not odd:
        return end
    head = _head(file, end)
    return end + 1 if head is None or head[1:5] in _OFTEN else end


def _head(file: io.BufferedReader, at: int) -> bytes | None:
    """Return name and length of the chunk at a place; None where none begins there."""
    file.seek(at)
    head = file.read(8)
    return head if len(head) == 8 and all(32 <= byte < 127 for byte in head[:4]) else None


def _info(content: bytes, order: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at + 8 <= len(content):
        name, length = struct.unpack_from(f"{order}4sI", content, at)
        text = plain(content[at + 8 : at + 8 + length])
        if text is not None:
            found.setdefault(name.decode("latin-1"), text)
        at += 8 + length + length % 2
    return found
