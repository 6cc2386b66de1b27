"""Whether a sound file is as long as its container says; of a cut one, decoders return what is left."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path

from biovita.errors import MediaError
from biovita.media.flac_frames import flac_bytes
from biovita.media.patience import Patience
from biovita.media.sound_bytes import SoundBytes, truncated
from biovita.media.wave_lengths import aiff_bytes, riff_bytes

__all__ = ["check_complete"]

_OGG_TAIL = 1 << 17  # two pages of the largest size
_OGG_LAST = 4  # flag


def check_complete(path: Path, head: bytes) -> SoundBytes:
    """Check a WAV, AIFF, FLAC, Ogg or MP4 file against its own container, and return what of it is sound.

    A file is cut short where it ends within its last frame, page or box, or before the size that a WAV or AIFF file
    states. One that ends with a whole frame or page, or whose header was never finished, is used as far as it goes.

    Raises
    ------
    MediaError
        ``truncated`` where more than `biovita.media.sound_bytes.TRUNCATION_TOLERANCE_S` is missing; ``no-samples``
        where an Ogg file holds headers only.
    """
    with path.open("rb") as file:
        if head[8:12] == b"WAVE":
            return riff_bytes(path, file, "<" if head[:4] != b"RIFX" else ">")
        if head[:4] == b"FORM":
            return aiff_bytes(path, file)
        if head[:4] == b"fLaC":
            return flac_bytes(path, file)
        if head[:4] == b"OggS":
            return SoundBytes(_ogg(path, file))
        if head[4:8] == b"ftyp":
            return SoundBytes(_mp4(path, file))
    return SoundBytes()


def _trailing(count: int) -> str:
    return f"{count} bytes follow the end of the sound and are not used"


def _size(file: io.BufferedReader) -> int:
    return file.seek(0, io.SEEK_END)


def _ogg(path: Path, file: io.BufferedReader) -> tuple[str, ...]:
    """Look for the page flagged as the last (RFC 3533, section 6): at the end of the file, else page by page."""
    size = _size(file)
    file.seek(0)
    serial = file.read(18)[14:18]
    file.seek(max(0, size - _OGG_TAIL))
    tail = file.read()
    at = tail.rfind(b"OggS")
    end = size - len(tail) + at + _page_length(tail[at:]) if at >= 0 else 0
    is_flagged = True
    if at < 0 or not tail[at + 5 : at + 6] or not tail[at + 5] & _OGG_LAST or tail[at + 14 : at + 18] != serial:
        end, is_flagged = _walk_ogg(path, file, size, serial)
    if end > size:
        raise truncated(path, "it ends within its last Ogg page")
    if not is_flagged:
        return ("no page is flagged as the last, and the last one is whole: the stream is used up to there",)
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


def _walk_ogg(path: Path, file: io.BufferedReader, size: int, serial: bytes) -> tuple[int, bool]:
    """Return where the page flagged as the last ends; else where the last one does, which ends the file."""
    end, holds_sound = 0, False
    for at, page in Patience(path).over(_pages(file, size)):
        if len(page) > 18 and page[14:18] != serial:
            raise MediaError(
                "undecodable", f"{path}: the file holds more than one Ogg stream. Write it anew as a single one"
            )
        end = at + _page_length(page)
        if len(page) > 5 and page[5] & _OGG_LAST:
            return end, True
        holds_sound |= (
            len(page) >= 14 and int.from_bytes(page[6:14], "little", signed=True) > 0
        )  # samples up to there
    if end == size and holds_sound:
        return end, False
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
