"""How long a FLAC file is by its last frame: the length in its header is 0 where it was written to a pipe, or wrong.

Layout: RFC 9639, sections 8.2 (STREAMINFO) and 9.1 (frame header).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from biovita.errors import MediaError
from biovita.media.patience import Patience
from biovita.media.sound_bytes import TRUNCATION_TOLERANCE_S, SoundBytes, truncated

__all__ = ["flac_bytes"]

_HEAD = 42  # bytes up to the end of STREAMINFO
_TOTAL = 21  # byte in whose lower half the 36 bits of the number of samples begin
_LONGEST_HEADER = 16
_STEP, _MOST_STEP = 1 << 16, 1 << 20  # bytes of the end that are looked at together
_TRIED = 64  # places that look like a frame and are followed up
_ID3V1 = 128


@dataclass(frozen=True, slots=True)
class _Stream:
    """What STREAMINFO says."""

    block: int
    frame: int  # bytes of the largest frame; 0 is unknown
    rate: int
    channels: int
    samples: int


@dataclass(frozen=True, slots=True)
class _Frame:
    """Place of a frame in the file, and its samples."""

    at: int
    first: int
    count: int

    @property
    def end(self) -> int:
        return self.first + self.count


def flac_bytes(path: Path, file: io.BufferedReader) -> SoundBytes:
    """Return a FLAC file under a header that states how many samples there are.

    A file that ends with a whole frame has all that was written into it, and is used up to there.

    Raises
    ------
    MediaError
        ``truncated`` where more than `TRUNCATION_TOLERANCE_S` of what it states is missing, and it ends within a frame;
        ``no-samples`` where neither its header nor a frame says how long it is.
    """
    file.seek(0)
    head = file.read(_HEAD)
    if len(head) < _HEAD or head[4] & 0x7F:
        return SoundBytes()
    stream = _stream_of(head)
    size = file.seek(0, io.SEEK_END)
    last, is_whole = _last_frame(file, size, stream, Patience(path))
    if last is None and stream.samples == 0:
        raise MediaError(
            "no-samples", f"{path}: the header does not say how long the file is, and no whole frame is at its end"
        )
    if last is None or stream.rate == 0 or last.end == stream.samples:
        return SoundBytes()
    samples, end = (last.end, size) if is_whole else (last.first, last.at)
    stated, held = f"{stream.samples / stream.rate:.2f} s", f"{samples / stream.rate:.2f} s"
    missing = (stream.samples - samples) / stream.rate
    if missing > 0 and not is_whole:
        if missing > TRUNCATION_TOLERANCE_S:
            raise truncated(path, f"it states {stated}, and ends within a frame after {held}")
        return SoundBytes()
    states = f"the header states {stated}" if stream.samples else "the header does not say how long it is"
    note = f"{states}, and whole frames of {held} are there and used"
    if not is_whole:
        note += "; the last frame is cut and left out"
    return SoundBytes((note,), _with_total(head, samples), _HEAD, end)


def _stream_of(head: bytes) -> _Stream:
    least, most = int.from_bytes(head[8:10]), int.from_bytes(head[10:12])
    packed = int.from_bytes(head[18:26])
    return _Stream(
        block=least if least == most else 0,
        frame=int.from_bytes(head[15:18]),
        rate=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        samples=packed & 0xFFFFFFFFF,
    )


def _with_total(head: bytes, samples: int) -> bytes:
    made = bytearray(head)
    made[_TOTAL : _TOTAL + 5] = ((head[_TOTAL] >> 4) << 36 | samples).to_bytes(5)
    return bytes(made)


def _last_frame(
    file: io.BufferedReader, size: int, stream: _Stream, patience: Patience
) -> tuple[_Frame | None, bool]:
    """Return the last frame, and whether it is whole: the first from the end that states the right length.

    Else the last one before which a whole frame ends, or which is whole itself; none where that is not found.
    """
    tried = 0
    for tail, offset in _tails(file, size, stream.frame):
        patience.check()
        frames = _frames_from_end(tail, offset, stream)
        later: list[_Frame] = []
        for frame in frames:
            if frame.end == stream.samples:
                return frame, True
            tried += 1
            for each in later[-3:]:
                if each.first == frame.end and _crc16(tail[frame.at - offset : each.at - offset]) == 0:
                    return each, _is_whole(tail[each.at - offset :])
            if _is_whole(tail[frame.at - offset :]):
                return frame, True
            if tried > _TRIED:
                return None, False
            later.append(frame)
    return None, False


def _tails(file: io.BufferedReader, size: int, largest: int) -> Iterator[tuple[bytes, int]]:
    """Yield parts of the file from its end on, which overlap, and where they begin."""
    step = min(max(_STEP, 2 * largest + _LONGEST_HEADER), _MOST_STEP)
    end = size
    while end > _HEAD:
        begin = max(_HEAD, end - 2 * step)
        file.seek(begin)
        yield file.read(end - begin), begin
        if begin == _HEAD:
            return
        end -= step


def _frames_from_end(tail: bytes, offset: int, stream: _Stream) -> Iterator[_Frame]:
    at = tail.rfind(b"\xff", 0, len(tail) - 1)
    while at >= 0:
        if tail[at + 1] & 0xFE == 0xF8:
            frame = _frame_at(tail, at, offset, stream)
            if frame is not None:
                yield frame
        at = tail.rfind(b"\xff", 0, at)


def _frame_at(tail: bytes, at: int, offset: int, stream: _Stream) -> _Frame | None:
    """Return the frame whose header stands at a place; None where that is no header."""
    header = tail[at : at + _LONGEST_HEADER]
    if len(header) < 6:
        return None
    size_code, rate_code, channels = header[2] >> 4, header[2] & 15, header[3] >> 4
    expected = channels + 1 if channels < 8 else 2
    if size_code == 0 or rate_code == 15 or channels > 10 or expected != stream.channels or header[3] & 1:
        return None
    number, place = _coded_number(header)
    if number is None:
        return None
    extra = {6: 1, 7: 2}.get(size_code, 0)
    if extra:
        count = int.from_bytes(header[place : place + extra]) + 1
    elif size_code >= 8:
        count = 256 << (size_code - 8)
    else:
        count = 192 if size_code == 1 else 576 << (size_code - 2)
    place += extra + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if place >= len(header) or _crc8(header[:place]) != header[place]:
        return None
    counts_samples = header[1] & 1
    return _Frame(offset + at, number if counts_samples else number * (stream.block or count), count)


def _coded_number(header: bytes) -> tuple[int | None, int]:
    """Return the number of a frame or sample, coded like a character of UTF-8, and the place after it."""
    first = header[4]
    if first < 0x80:
        return first, 5
    lead = 8 - (first ^ 0xFF).bit_length()  # ones before the first zero
    more = lead - 1
    rest = header[5 : 5 + more]
    if not 1 <= more <= 6 or len(rest) < more or any(byte >> 6 != 2 for byte in rest):
        return None, 0
    number = first & (0x7F >> lead)
    for byte in rest:
        number = number << 6 | byte & 0x3F
    return number, 5 + more


def _is_whole(frame: bytes) -> bool:
    """Say whether a frame ends where the bytes do, or where an ID3v1 tag begins."""
    tagged = len(frame) > _ID3V1 and frame[-_ID3V1 : -_ID3V1 + 3] == b"TAG"
    return _crc16(frame[:-_ID3V1] if tagged else frame) == 0


@cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask = 1 << (bits - 1), (1 << bits) - 1
    table = []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return tuple(table)


def _crc8(data: bytes) -> int:
    table, value = _table(0x07, 8), 0
    for byte in data:
        value = table[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    """Return 0 for a frame with its checksum."""
    table, value = _table(0x8005, 16), 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ table[value >> 8 ^ byte]
    return value
