"""Cameras' raw files: told by what they hold, and developed as the camera would show them, by LibRaw."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.errors import MediaError
from biovita.limits import gate, memory_mib
from biovita.media.bombs import TimedFile, check_memory, check_size
from biovita.media.patience import Patience
from biovita.media.sniff import RAW_MARKS

if TYPE_CHECKING:
    import rawpy
    from PIL import Image

__all__ = ["probe_raw", "raw_format", "raw_size", "read_raw"]

_BYTES_A_PIXEL = 14  # measured: 2 of the sensor, 8 while it is developed, 3 of the result
_MOST_DIRECTORIES, _MOST_FIELDS = 64, 1024
# Fields of TIFF 6.0, TIFF/EP (ISO 12234-2) and DNG 1.7.
_PHOTOMETRIC, _MAKE, _SUBIFDS, _DNG_VERSION = 262, 271, 330, 50706
_OF_SENSORS = {32803, 34892}  # a mosaic of colour filters, and what was computed of one
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 13: 4}  # of the types of values that are read, in bytes
_BY_MAKER: Mapping[str, str] = {
    "canon": "cr2",
    "eastman": "dcr",
    "fujifilm": "raf",
    "hasselblad": "3fr",
    "kodak": "dcr",
    "leaf": "mos",
    "leica": "rwl",
    "mamiya": "mef",
    "nikon": "nef",
    "olympus": "orf",
    "panasonic": "rw2",
    "pentax": "pef",
    "phase": "iiq",
    "ricoh": "pef",
    "samsung": "srw",
    "seiko": "erf",
    "sony": "arw",
}
_SWAPS_SIDES = 4  # bit of LibRaw's flip


def raw_format(path: Path, head: bytes) -> str | None:
    """Return the format of a camera's raw file, such as ``dng`` or ``nef``; None of any other file.

    A TIFF file is one where it states a version of DNG, or one of its pictures is of a sensor. What its maker calls it
    follows from the maker that it states.

    Parameters
    ----------
    head
        Its first bytes.
    """
    for offset, mark, name in RAW_MARKS:
        if head[offset : offset + len(mark)] == mark:
            return name
    if head[:4] not in {b"II*\x00", b"MM\x00*"}:
        return None
    of_sensor, maker = False, ""
    try:
        with path.open("rb") as file:
            for fields in _directories(file):
                if _DNG_VERSION in fields:
                    return "dng"
                maker = maker or "".join(map(chr, fields.get(_MAKE, ())))
                of_sensor |= not _OF_SENSORS.isdisjoint(fields.get(_PHOTOMETRIC, ()))
    except OSError as error:
        raise MediaError("unreadable", f"{path}: the file cannot be read: {error.strerror}") from None
    return _BY_MAKER.get(maker.lower().partition(" ")[0].rstrip("\x00"), "raw") if of_sensor else None


def probe_raw(path: Path, name: str) -> tuple[int, int]:
    """Unpack what the sensor saw, and return the size that `read_raw` gives, in pixels.

    Raises
    ------
    MediaError
        ``too-large``, ``truncated`` or ``undecodable``, as `biovita.media.probe_image`; ``undecodable`` also where the
        extra ``raw`` is not installed.
    """
    if name == "raf":  # some of these sensors lie askew: their sizes show when they are developed
        return read_raw(path, name).size
    with _opened(path, name) as (raw, needed), gate.holding(needed):
        raw.unpack()
        return _size(raw)


def raw_size(path: Path, name: str) -> tuple[int, int]:
    """Return width and height of a raw file as its header states them, once it is turned upright, in pixels.

    Raises
    ------
    MediaError
        As `probe_raw`, as far as the header shows it.
    """
    with _opened(path, name) as (raw, _):
        return _size(raw)


def read_raw(path: Path, name: str) -> Image.Image:
    """Return a camera's raw file as RGB of 8 bits: the camera's white balance, upright, of the sensor's full size.

    Half the size would take a fifth of the time, but a distant animal is a small part of its picture.

    Raises
    ------
    MediaError
        As `probe_raw`.
    """
    from PIL import Image

    with _opened(path, name) as (raw, needed), gate.holding(needed):
        pixels = raw.postprocess(use_camera_wb=True, output_bps=8)
    return Image.fromarray(
        pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels
    )  # a sensor without colours


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[rawpy.RawPy, int]]:
    """Give the file, of which only the header is read yet, and how many bytes it takes to develop it."""
    what = f"{path}: the file is a camera's raw file ({name.upper()})"
    try:
        import rawpy
    except ImportError:
        raise MediaError(
            "undecodable", f"{what}. Run pip install 'biovita[raw]' to read it, or export it as JPEG"
        ) from None
    size = path.stat().st_size
    if size > memory_mib() << 20:
        raise MediaError("too-large", f"{path}: the file has {size >> 20:,} MiB, and --memory is {memory_mib():,}")
    try:
        # From a buffer: of a path, LibRaw would look for files of like names beside it.
        with io.BufferedReader(TimedFile(path, Patience(path))) as file, rawpy.imread(file) as raw:
            sides = _size(raw)
            check_size(path, sides, _BYTES_A_PIXEL)
            needed = sides[0] * sides[1] * _BYTES_A_PIXEL + size
            check_memory(path, sides, needed)
            yield raw, needed
    except rawpy.LibRawIOError as error:
        raise MediaError("truncated", f"{path}: the file is cut short: {_said(error)}") from None
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise MediaError(
            "undecodable",
            f"{what} that LibRaw {'.'.join(map(str, rawpy.libraw_version))} does not read ({_said(error)}). "
            "Export it as JPEG",
        ) from None


def _said(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _size(raw: rawpy.RawPy) -> tuple[int, int]:
    """Return width and height once it is developed: pixels are made square, and the picture upright."""
    sizes = raw.sizes
    wide, high, aspect = sizes.iwidth, sizes.iheight, sizes.pixel_aspect
    if aspect < 0.995:
        high = int(high / aspect + 0.5)
    elif aspect > 1.005:
        wide = int(wide * aspect + 0.5)
    return (high, wide) if sizes.flip & _SWAPS_SIDES else (wide, high)


def _directories(file: io.BufferedReader) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield the fields of whole numbers and texts of each directory of a TIFF file, those within others among them."""
    order = "<" if file.read(2) == b"II" else ">"
    waiting, seen = [_number(file, order, "I", 4)], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop()
        if not at or at in seen:
            continue
        seen.add(at)
        fields = _fields(file, order, at)
        waiting += [_number(file, order, "I", file.tell()), *fields.get(_SUBIFDS, ())]
        yield fields


def _number(file: io.BufferedReader, order: str, code: str, at: int) -> int:
    file.seek(at)
    held = file.read(struct.calcsize(code))
    found: tuple[Any, ...] = struct.unpack(f"{order}{code}", held) if len(held) == struct.calcsize(code) else (0,)
    return int(found[0])


def _fields(file: io.BufferedReader, order: str, at: int) -> dict[int, tuple[int, ...]]:
    """Return the wanted fields of one directory; the file then stands behind them."""
    count = min(_number(file, order, "H", at), _MOST_FIELDS)
    held, found = file.read(12 * count), dict[int, tuple[int, ...]]()
    for entry in range(0, len(held) - 11, 12):
        tag, kind, number, place = struct.unpack_from(f"{order}HHII", held, entry)
        size = _SIZES.get(kind, 0) * number
        if tag not in {_PHOTOMETRIC, _MAKE, _SUBIFDS, _DNG_VERSION} or not 0 < size <= _MOST_FIELDS:
            continue
        if size > 4:
            file.seek(place)
        content = held[entry + 8 : entry + 8 + size] if size <= 4 else file.read(size)
        code = {1: "B", 2: "H", 4: "I"}[_SIZES[kind]]
        if len(content) == size:
            found[tag] = struct.unpack(f"{order}{number}{code}", content)
    file.seek(at + 2 + len(held))
    return found
