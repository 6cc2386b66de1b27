"""How much sound a WAV or AIFF file holds, whatever its header says: recorders lose power, and 4 GB wrap.

Layouts: Microsoft and IBM, *Multimedia Programming Interface and Data Specifications 1.0* (RIFF); EBU Tech 3306 (RF64)
and ITU-R BS.2088 (BW64); Apple, *Audio Interchange File Format 1.3*.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biovita.media.patience import Patience
from biovita.media.sniff import kind_of
from biovita.media.sound_bytes import TRUNCATION_TOLERANCE_S, SoundBytes, truncated

__all__ = ["aiff_bytes", "riff_bytes"]

_WRAP = 1 << 32  # at which the sizes of RIFF begin anew
# Of 32 bits: programs that write to a pipe state the most, or the most that a signed number holds, less a header.
_PLACEHOLDERS = (range(1), range(0x7FFFF000, 0x80000001), range(0xFFFFF000, _WRAP))
_MOST_FORM = 1 << 10  # bytes of the chunk that says how samples are written
_TAIL = 1 << 16  # bytes in which a last chunk is looked for, and of which samples are told from something else
_PLAIN_FORMS = (1, 3, 0xFFFE)  # PCM, IEEE float, and the extensible form, which holds one of them
_RANDOM_BITS = 7.85  # of the highest bytes of samples; random bytes have 8, a sine of full scale 7.65


@dataclass(frozen=True, slots=True)
class _Form:
    """How samples are written: bytes of all channels together, of one channel, bytes a second."""

    frame: int
    width: int
    byte_rate: int
    is_plain: bool
    is_big_endian: bool

    def seconds(self, count: int) -> float:
        return count / self.byte_rate if self.byte_rate else float("inf")


@dataclass(frozen=True, slots=True)
class _Data:
    """Bytes of samples that the header states, and where they begin; size of the file, and as the header states it."""

    length: int
    start: int
    size: int
    whole: int
    order: str


def riff_bytes(path: Path, file: io.BufferedReader, order: str) -> SoundBytes:
    """Return where the samples of a WAV file (RIFF, RIFX, RF64, BW64) lie.

    Raises
    ------
    MediaError
        ``truncated`` where more than `TRUNCATION_TOLERANCE_S` of what it states is missing.
    """
    size, wide, content = _size(file), 0, b""
    file.seek(4)
    whole = struct.unpack(f"{order}I", file.read(4))[0] + 8
    for at, name, length in Patience(path).over(_chunks(file, size, order)):
        if name == b"ds64":  # RF64 and BW64 keep the 64-bit sizes here
            whole, wide = (*struct.unpack("<QQ", file.read(16).ljust(16, b"\x00")),)
            whole += 8
        elif name == b"fmt ":
            content = file.read(min(length, _MOST_FORM))
        elif name == b"data":
            stated = wide if length == 0xFFFFFFFF and wide else length
            data = _Data(stated, at + 8, size, whole, order)
            end, note = _judged(path, file, _wave_form(content, order), data)
            return _corrected(end, note, _wave_header(content, end - data.start, order), data)
    raise truncated(path, "it ends before its samples begin")


def aiff_bytes(path: Path, file: io.BufferedReader) -> SoundBytes:
    """Return where the samples of an AIFF or AIFF-C file lie.

    Raises
    ------
    MediaError
        ``truncated`` where more than `TRUNCATION_TOLERANCE_S` of what it states is missing.
    """
    size, content = _size(file), b""
    file.seek(4)
    whole, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\x00"))
    for at, name, length in Patience(path).over(_chunks(file, size, ">")):
        if name == b"COMM":
            content = file.read(min(length, _MOST_FORM))
        elif name == b"SSND":
            start = at + 16  # after an offset and a block size
            stated = length if length in {0, 0xFFFFFFFF} else max(0, length - 8)
            form = _aiff_form(content)
            data = _Data(stated, start, size, whole + 8, ">")
            end, note = _judged(path, file, form, data)
            return _corrected(end, note, _aiff_header(kind, content, form, end - start), data)
    raise truncated(path, "it ends before its samples begin")


def _corrected(end: int, note: str | None, header: bytes, data: _Data) -> SoundBytes:
    warnings = () if note is None else (note,)
    if note is None or end == data.start + data.length:
        return SoundBytes(warnings)
    return SoundBytes(warnings, header, data.start, end)


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


def _judged(path: Path, file: io.BufferedReader, form: _Form, data: _Data) -> tuple[int, str | None]:
    """Return where the samples end, and what is odd about it."""
    length, start, size, order = data.length, data.start, data.size, data.order
    found = size - start
    rest = found - length
    if 0 <= rest <= 1 or (length and rest > 0 and _is_chunks(file, start + length, size, order)):
        return start + length, None
    if any(length in each for each in _PLACEHOLDERS):
        return _unfinished(file, form, data)
    if rest < 0:
        detail = f"the header states {length:,} bytes of samples, and {found:,} are there"
        if abs(data.whole - size) <= 1 and form.frame:
            return _whole_frames(form, start, size), f"{detail}: they are used"
        if form.seconds(-rest) > TRUNCATION_TOLERANCE_S:
            raise truncated(path, detail)
        return start + length, detail
    for end in range(start + length + _WRAP, size + 1, _WRAP):
        if size - end <= 1 or _is_chunks(file, end, size, order):
            return end, (
                f"the header states {length:,} bytes of samples, a number that began anew at 4 GB, and "
                f"{end - start:,} are there and used"
            )
    if form.seconds(rest) <= TRUNCATION_TOLERANCE_S:
        return start + length, None
    other = _not_samples(file, form, _whole_frames(form, start, start + length))
    if other is not None:
        return start + length, f"{rest:,} bytes follow the end of the sound and are not used: {other}"
    end = _whole_frames(form, start, size)
    return end, (
        f"the header states {length:,} bytes of samples, {form.seconds(length):.2f} s, and the samples go on to the "
        f"end of the file: {end - start:,} bytes, {form.seconds(end - start):.2f} s, are there and used"
    )


def _unfinished(file: io.BufferedReader, form: _Form, data: _Data) -> tuple[int, str | None]:
    """Return where the samples of a file end whose header was written before anybody knew how many there would be."""
    length, start, size, order = data.length, data.start, data.size, data.order
    if length == 0 and _is_chunks(file, start, size, order):
        return start, None  # no samples
    end = _whole_frames(form, start, size - _last_chunk(file, max(start, size - _TAIL), size, order))
    return end, (
        f"its header was never finished: it states {length:,} bytes of samples, and {end - start:,} are there and used"
    )


def _whole_frames(form: _Form, start: int, end: int) -> int:
    return end - (end - start) % form.frame if form.frame else end


def _is_chunks(file: io.BufferedReader, at: int, size: int, order: str) -> bool:
    """Say whether chunks fill the file from a place on, or from the byte after it."""
    for begin in (at + at % 2, at):
        place, count = begin, 0
        while place + 8 <= size and count < 1000:
            file.seek(place)
            name, length = struct.unpack(f"{order}4sI", file.read(8))
            if not all(32 <= byte < 127 for byte in name) or place + 8 + length > size:
                break
            place += 8 + length + length % 2
            count += 1
        if count and size - place <= 1:
            return True
    return False


def _last_chunk(file: io.BufferedReader, begin: int, size: int, order: str) -> int:
    """Return the bytes of the LIST chunk that ends the file, and 0 where none does."""
    file.seek(begin)
    tail = file.read(size - begin)
    at = tail.rfind(b"LIST")
    if at < 0 or len(tail) - at < 12:
        return 0
    length = struct.unpack_from(f"{order}I", tail, at + 4)[0]
    return len(tail) - at if 0 <= len(tail) - at - 8 - length <= 1 else 0


def _not_samples(file: io.BufferedReader, form: _Form, at: int) -> str | None:
    """Return what follows the samples that a header states; None where it may be more of them."""
    file.seek(at)
    tail = file.read(_TAIL)
    if not tail.strip(b"\x00"):
        return "nothing but zero bytes"
    kind = kind_of(tail)
    if kind.family != "unknown":
        return kind.description
    if not form.is_plain or not form.width:
        return "no samples that can be told from other bytes"
    highest = np.frombuffer(tail, np.uint8)[0 if form.is_big_endian else form.width - 1 :: form.width]
    counts = np.bincount(highest, minlength=256)
    counts = counts[counts > 0]
    shares = counts / counts.sum()
    # Entropy as Miller (1955) corrects it for a few bytes.
    bits = -float(np.sum(shares * np.log2(shares))) + (len(counts) - 1) / (2 * np.log(2) * counts.sum())
    return "random or compressed bytes" if bits > _RANDOM_BITS else None


def _wave_form(content: bytes, order: str) -> _Form:
    tag, _, _, byte_rate, frame, bits = struct.unpack(f"{order}HHIIHH", content[:16].ljust(16, b"\x00"))
    return _Form(frame, (bits + 7) // 8, byte_rate, tag in _PLAIN_FORMS, order == ">")


def _wave_header(content: bytes, length: int, order: str) -> bytes:
    """Return the header of a WAV file that holds ``length`` bytes of samples: RF64 where they are 4 GB and more."""
    body = b"fmt " + struct.pack(f"{order}I", len(content)) + content + b"\x00" * (len(content) % 2)
    if length + len(body) + 100 < _WRAP:
        head = struct.pack(f"{order}4sI4s", b"RIFX" if order == ">" else b"RIFF", len(body) + 12 + length, b"WAVE")
        return head + body + struct.pack(f"{order}4sI", b"data", length)
    head = struct.pack("<4sI4s4sI", b"RF64", 0xFFFFFFFF, b"WAVE", b"ds64", 28)
    sizes = struct.pack("<QQQI", len(body) + 48 + length, length, 0, 0)
    return head + sizes + body + struct.pack("<4sI", b"data", 0xFFFFFFFF)


def _aiff_form(content: bytes) -> _Form:
    channels, _, bits = struct.unpack(">HIH", content[:8].ljust(8, b"\x00"))
    exponent, mantissa = struct.unpack(">HQ", content[8:18].ljust(10, b"\x00"))  # 80-bit floating point
    rate = mantissa * 2.0 ** (exponent - 16383 - 63) if 0 < exponent < 16383 + 32 else 0.0
    coding, width = content[18:22], (bits + 7) // 8
    is_plain = coding in {b"", b"NONE", b"twos", b"sowt", b"fl32", b"FL32", b"fl64", b"FL64"}
    return _Form(channels * width, width, round(channels * width * rate), is_plain, coding != b"sowt")


def _aiff_header(kind: bytes, content: bytes, form: _Form, length: int) -> bytes:
    frames = length // form.frame if form.frame else 0
    made = content[:2] + struct.pack(">I", min(frames, _WRAP - 1)) + content[6:]
    body = kind + b"COMM" + struct.pack(">I", len(made)) + made + b"\x00" * (len(made) % 2)
    body += b"SSND" + struct.pack(">III", min(length + 8, _WRAP - 1), 0, 0)
    return b"FORM" + struct.pack(">I", min(len(body) + length, _WRAP - 1)) + body
