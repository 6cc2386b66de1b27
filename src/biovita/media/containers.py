"""Whether a sound file is as long as its container says; of a cut one, decoders return what is left."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from biovita.errors import MediaError
from biovita.media.packed_files import MediaPath
from biovita.media.patience import Patience

__all__ = ["TRUNCATION_TOLERANCE_S", "check_complete", "truncated"]

# Less is told in a warning: encoders state a frame more or less, downloads lose a tag.
TRUNCATION_TOLERANCE_S = 0.1

_OGG_TAIL = 1 << 17  # two pages of the largest size
_OGG_LAST = 4  # flag


def truncated(path: MediaPath, detail: str) -> MediaError:
    """Return the error for a file that lacks a part of its sound."""
    return MediaError("truncated", f"{path}: the file is cut short: {detail}")


def check_complete(path: Path, head: bytes) -> tuple[str, ...]:
    """Check a WAV, AIFF, Ogg or MP4 file against its own container, and return warnings.

    Raises
    ------
    MediaError
        ``truncated`` where more than `TRUNCATION_TOLERANCE_S` is missing; ``no-samples`` where an Ogg file holds
        headers only.
    """
    with path.open("rb") as file:
        if head[8:12] == b"WAVE":
            return _riff(path, file, "<" if head[:4] != b"RIFX" else ">")
        if head[:4] == b"FORM":
            return _aiff(path, file)
        if head[:4] == b"OggS":
            return _ogg(path, file)
        if head[4:8] == b"ftyp":
            return _mp4(path, file)
    return ()


def _trailing(count: int) -> str:
    return f"{count} bytes follow the end of the sound and are not used"


def _size(file: io.BufferedReader) -> int:
    return file.seek(0, io.SEEK_END)


def _chunks(file: io.BufferedReader, size: int, order: str) -> Iterator[tuple[int, bytes, int]]:
    """Yield where each chunk of a RIFF or an IFF file begins, its name and the length that it states."""
    at = 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        yield at, name, length
        at += 8 + length + length % 2


def _riff(path: Path, file: io.BufferedReader, order: str) -> tuple[str, ...]:
    size, wide, byte_rate = _size(file), 0, 0
    for at, name, length in Patience(path).over(_chunks(file, size, order)):
        if name == b"ds64":  # RF64 and BW64 keep the 64-bit size here
            wide = struct.unpack("<QQ", file.read(16).ljust(16, b"\x00"))[1]
        elif name == b"fmt ":
            byte_rate = struct.unpack(f"{order}HHII", file.read(12).ljust(12, b"\x00"))[3]
        elif name == b"data":
            unknown = length in {0, 0xFFFFFFFF} and not wide  # written as a stream, never finished
            stated = wide if length == 0xFFFFFFFF else length
            return () if unknown else _compare(path, stated, size - at - 8, byte_rate)
    raise truncated(path, "it ends before its samples begin")


def _aiff(path: Path, file: io.BufferedReader) -> tuple[str, ...]:
    size = _size(file)
    for at, name, length in Patience(path).over(_chunks(file, size, ">")):
        if name == b"SSND":
            return _compare(path, length, size - at - 8, 0)
    raise truncated(path, "it ends before its samples begin")


def _compare(path: Path, stated: int, found: int, byte_rate: int) -> tuple[str, ...]:
    missing = stated - found
    if missing <= 0:
        return ()
    detail = f"the header states {stated} bytes of samples, and {found} are there"
    if byte_rate == 0 or missing / byte_rate > TRUNCATION_TOLERANCE_S:
        raise truncated(path, detail)
    return (detail,)


def _ogg(path: Path, file: io.BufferedReader) -> tuple[str, ...]:
    """Look for the page flagged as the last (RFC 3533, section 6): at the end of the file, else page by page."""
    size = _size(file)
    file.seek(0)
    serial = file.read(18)[14:18]
    file.seek(max(0, size - _OGG_TAIL))
    tail = file.read()
    at = tail.rfind(b"OggS")
    end = size - len(tail) + at + _page_length(tail[at:]) if at >= 0 else 0
    if at < 0 or not tail[at + 5 : at + 6] or not tail[at + 5] & _OGG_LAST or tail[at + 14 : at + 18] != serial:
        end = _walk_ogg(path, file, size, serial)
    if end > size:
        raise truncated(path, "it ends within its last Ogg page")
    return (_trailing(size - end),) if end < size else ()


def _page_length(page: bytes) -> int:
    """Return the bytes of a page, from its header and segment table; more than any page where these are cut."""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return 1 << 20
    return 27 + page[26] + sum(page[27 : 27 + page[26]])


def _pages(file: io.BufferedReader, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield where each Ogg page begins, and its first bytes."""
    at = 0
    while at < size:
        file.seek(at)
        page = file.read(27 + 255)
        if page[:4] != b"OggS":
            return
        yield at, page
        at += _page_length(page)


def _walk_ogg(path: Path, file: io.BufferedReader, size: int, serial: bytes) -> int:
    """Return where the page flagged as the last ends."""
    for at, page in Patience(path).over(_pages(file, size)):
        if len(page) > 18 and page[14:18] != serial:
            raise MediaError(
                "undecodable", f"{path}: the file holds more than one Ogg stream. Write it anew as a single one"
            )
        if len(page) > 5 and page[5] & _OGG_LAST:
            return at + _page_length(page)
    raise truncated(path, "its last Ogg page, the one flagged as the end, is not there")


def _boxes(file: io.BufferedReader, size: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield where each top-level box begins, its name and its length (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if not all(32 <= byte < 127 or byte == 0xA9 for byte in name):
            return
        if length == 1:
            length = int.from_bytes(file.read(8))
        if length == 0:  # up to the end
            length = size - at
        if length < 8:
            return
        yield at, name, length
        at += length


def _mp4(path: Path, file: io.BufferedReader) -> tuple[str, ...]:
    size, end = _size(file), 0
    seen: set[bytes] = set()
    for at, name, length in Patience(path).over(_boxes(file, size)):
        if at + length > size and name in {b"mdat", b"moov", b"moof"}:
            raise truncated(path, f"its {name.decode()} box states {length} bytes, and {size - at} are there")
        seen.add(name)
        end = at + length
    if b"moov" not in seen:
        raise truncated(path, "it has no moov box, the table of what it holds")
    return (_trailing(size - end),) if end < size else ()
