"""The frames of an MPEG audio file: how many, where they lie, and what its header says.

libsndfile trusts the frame count in the Xing, Info or VBRI header. Without one it guesses the length from the
bit rate of the first frame: of a file whose rate varies it returns a part and says nothing, and some files with
bytes after the last frame it refuses. `scan` walks the frame headers, and `FileWindow` shows the decoder the
frames alone, under a header that states their number. Layouts: ISO/IEC 11172-3 2.4.1.3 and 13818-3 2.4.2.3; the
Xing header as LAME writes it.
"""

from __future__ import annotations

import io
import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from biovita.media.file_window import FileWindow
from biovita.media.patience import Patience

__all__ = ["Mp3Layout", "scan"]

_CHAIN = 3  # headers in a row that make a frame believable
_RESYNC_BYTES = 1024  # what mpg123 skips between frames before it gives up
_START_SEARCH_BYTES = 1 << 16
_TAGS_BYTES = 128  # an ID3v1 tag at the end
_TRIED_AT_ONCE = 1 << 16  # places of a header between two looks at the clock

_BITRATES = {  # (MPEG-1, layer): kbit/s by index 1 to 14
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits


@dataclass(frozen=True, slots=True)
class _Frame:
    size: int  # bytes
    samples: int  # a channel
    rate: int
    stream: tuple[int, int, int]  # version, layer and rate: the same in all frames of a stream


@dataclass(frozen=True, slots=True)
class Mp3Layout:
    """Where the frames of an MP3 lie.

    Attributes
    ----------
    start, end
        Bytes from the first frame of sound (after an Xing, Info or VBRI one) to the end of the last complete one.
    header_start
        Where the frames begin with that header frame counted in.
    frames
        Complete frames of sound.
    stated
        Frames of sound the header states; None where it does not.
    samples_per_frame, sample_rate
        Of every frame.
    cut
        Whether the file ends within a frame.
    trailing
        Bytes after the last complete frame.
    gaps
        Where bytes between frames begin and end that are none. mpg123 skips them, and says so on standard error.
    damage
        Offset and length of the first gap that is wider than a decoder looks for the next frame.
    first_header
        The first frame's four header bytes.
    """

    header_start: int
    start: int
    end: int
    frames: int
    stated: int | None
    samples_per_frame: int
    sample_rate: int
    cut: bool
    trailing: int
    gaps: tuple[tuple[int, int], ...]
    damage: tuple[int, int] | None
    first_header: bytes

    @property
    def missing_s(self) -> float:
        """Seconds that the header states and the file lacks."""
        if self.stated is None:
            return 0.0
        return max(0, self.stated - self.frames) * self.samples_per_frame / self.sample_rate

    @property
    def _is_stated_right(self) -> bool:
        return self.stated is not None and abs(self.stated - self.frames) <= 1

    @property
    def is_plain(self) -> bool:
        """Whether a decoder reads the file right as it is."""
        return self._is_stated_right and self.trailing <= _TAGS_BYTES and not self.gaps

    def window(self, file: io.BufferedReader) -> FileWindow:
        """Return a view of ``file`` that holds the frames under a header that states their number.

        It costs a call for each frame on the way to a far one: 2 s in a recording of two hours.
        """
        if self._is_stated_right:
            return FileWindow(file, b"", *self._spans(self.header_start))
        return FileWindow(file, _count_frame(self.first_header, self.frames), *self._spans(self.start))

    def _spans(self, start: int) -> list[tuple[int, int]]:
        begins = [start, *(end for begin, end in self.gaps if begin >= start)]
        return list(zip(begins, [*(begin for begin, _ in self.gaps if begin >= start), self.end], strict=True))


def scan(path: Path) -> Mp3Layout | None:
    """Return the frames of an MPEG audio file; None where no run of frames is found, or they state no size."""
    stat = path.stat()
    return _scan(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _scan(path: Path, size: int, _mtime_ns: int) -> Mp3Layout | None:
    if size == 0:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _walk(data, Patience(path))


def _walk(data: mmap.mmap | bytes, patience: Patience) -> Mp3Layout | None:
    begin = _after_id3v2(data, 0)
    run = _next_run(data, begin, begin + _START_SEARCH_BYTES, None, patience)
    if run is None:
        return None
    first, head = run
    stated, is_header = _stated_frames(data, first, head)
    frames = -1 if is_header else 0
    position = end = first
    gaps: list[tuple[int, int]] = []
    damage: tuple[int, int] | None = None
    cut = False
    while position < len(data):
        frame = _frame_at(data, position)
        if frame is None or frame.stream != head.stream:
            resume = _next_run(data, position, len(data), head.stream, patience)
            if resume is None:
                break
            if resume[0] - position > _RESYNC_BYTES and damage is None:
                damage = (position, resume[0] - position)
            gaps.append((position, resume[0]))
            position = resume[0]
            continue
        if position + frame.size > len(data):
            cut = True
            break
        frames += 1
        position += frame.size
        end = position
        if frames % _TRIED_AT_ONCE == 0:
            patience.check()
    start = first + head.size if is_header else first
    return Mp3Layout(
        header_start=first,
        start=start,
        end=end,
        frames=max(0, frames),
        stated=stated,
        samples_per_frame=head.samples,
        sample_rate=head.rate,
        cut=cut,
        trailing=len(data) - end,
        gaps=tuple(gaps),
        damage=damage,
        first_header=bytes(data[start : start + 4]) or bytes(data[first : first + 4]),
    )


def _frame_at(data: mmap.mmap | bytes, position: int) -> _Frame | None:
    header = data[position : position + 3]
    if len(header) < 3 or header[0] != 0xFF:
        return None
    return _frame_of(header[1], header[2])


@lru_cache(maxsize=1 << 16)
def _frame_of(second: int, third: int) -> _Frame | None:
    version, layer_bits = (second >> 3) & 3, (second >> 1) & 3
    bitrate_index, rate_index = third >> 4, (third >> 2) & 3
    if second & 0xE0 != 0xE0 or version == 1 or layer_bits == 0:
        return None
    if bitrate_index in {0, 15} or rate_index == 3:  # 0 is the free format, which states no frame size
        return None
    return _sized(second, third)


def _sized(second: int, third: int) -> _Frame:
    version, layer_bits, bitrate_index, rate_index = (
        (second >> 3) & 3,
        (second >> 1) & 3,
        third >> 4,
        (third >> 2) & 3,
    )
    layer, mpeg1 = 4 - layer_bits, version == 3
    bitrate = 1000 * _BITRATES[mpeg1, layer][bitrate_index - 1]
    rate, padding = _RATES[version][rate_index], (third >> 1) & 1
    samples = {1: 384, 2: 1152, 3: 1152 if mpeg1 else 576}[layer]
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * bitrate // rate + padding) * slot
    return _Frame(size, samples, rate, (version, layer, rate))


def _next_run(
    data: mmap.mmap | bytes,
    begin: int,
    stop: int,
    stream: tuple[int, int, int] | None,
    patience: Patience,
) -> tuple[int, _Frame] | None:
    """Return the place and first frame of a run of `_CHAIN` frames, or of fewer that end with the data."""
    position = data.find(b"\xff", begin, stop)
    tried = 0
    while position >= 0:
        frame = _frame_at(data, position)
        if frame is not None and (stream is None or frame.stream == stream) and _is_run(data, position, frame):
            return position, frame
        position = data.find(b"\xff", position + 1, stop)
        tried += 1
        if tried % _TRIED_AT_ONCE == 0:
            patience.check()
    return None


def _is_run(data: mmap.mmap | bytes, position: int, first: _Frame) -> bool:
    for found in range(1, _CHAIN + 1):
        frame = _frame_at(data, position)
        if frame is None or frame.stream != first.stream:
            return False
        position += frame.size
        if position == len(data):
            return True
        if position > len(data):
            return found > 1  # one cut frame alone proves nothing
    return True


def _after_id3v2(data: mmap.mmap | bytes, position: int) -> int:
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        sizes = data[position + 6 : position + 10]
        length = sum((byte & 0x7F) << shift for byte, shift in zip(sizes, (21, 14, 7, 0), strict=True))
        footer = 10 if data[position + 5] & 0x10 else 0
        position += 10 + length + footer
    return position


def _side_info_size(header: bytes) -> int:
    mpeg1, mono = (header[1] >> 3) & 3 == 3, header[3] >> 6 == 3
    return (17 if mono else 32) if mpeg1 else (9 if mono else 17)


def _stated_frames(data: mmap.mmap | bytes, first: int, frame: _Frame) -> tuple[int | None, bool]:
    """Return the frames a header frame states, and whether the first frame is one."""
    body = bytes(data[first : first + frame.size])
    at = 4 + _side_info_size(body) if len(body) > 4 else 0
    if body[at : at + 4] in {b"Xing", b"Info"}:
        flags = int.from_bytes(body[at + 4 : at + 8])
        return (int.from_bytes(body[at + 8 : at + 12]) if flags & 1 else None), True
    if body[36:40] == b"VBRI":
        return int.from_bytes(body[50:54]), True
    return None, False


def _count_frame(header: bytes, frames: int) -> bytes:
    """Return a frame of silence that decoders read as an Xing header and leave out."""
    third = 0xE0 | (header[2] & 0x0C)  # the highest bit rate, so that it is long enough; no padding
    made = bytes([0xFF, header[1] | 1, third, header[3]])
    body = made + bytes(_side_info_size(made)) + b"Xing" + struct.pack(">II", 1, frames)
    return body.ljust(_sized(made[1], made[2]).size, b"\x00")
