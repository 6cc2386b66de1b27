"""In which encoding a table is: its mark, then its bytes, then what is stated of it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from biovita.foreign_tables import open_bytes

__all__ = ["WESTERN", "encoding_of"]

UTF_8, WESTERN = "utf-8-sig", "cp1252"
_CHUNK = 1 << 20
_LONGEST = 3  # bytes of a character that a chunk may end within
_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# What Windows-1252 has no character for, and control characters that no text has.
_NO_TEXT = re.compile(rb"[\x81\x8d\x8f\x90\x9d\x00-\x08\x0e-\x1f\x7f]")
_SHOWN = re.compile(rb"[\w\x80-\xff]*[\x80-\xff][\w\x80-\xff]*")


def encoding_of(path: Path, stated: str = UTF_8) -> tuple[str, str | None]:
    """Return the encoding to read a table in, and a note where that is not the one that is stated.

    A table that is said to be UTF-8, holds not one character of it beyond ASCII, and is text in Windows-1252 is that:
    so Excel writes CSV in Western Europe and the Americas. A table that is said to be Latin-1 or the like, and is UTF-8
    from end to end, is UTF-8. Only what is not ASCII is looked at closely.

    Raises
    ------
    DatasetError
        Where the file cannot be read, or unpacks to more than it should.
    """
    if not stated.startswith("utf-8"):
        found = _is_utf_8(path)
        return (UTF_8, f"is UTF-8, not {stated}, and was read as that") if found else (stated, None)
    first = None
    for chunk, is_whole in _chunks(path):
        if chunk.isascii():
            continue
        if is_whole and chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return stated, None  # `open_text` knows it by its mark
        if _CHARACTER.search(chunk) or _NO_TEXT.search(chunk):
            return stated, None
        first = first or _SHOWN.search(chunk)
    if first is None:
        return stated, None
    word = first[0][:40].decode(WESTERN)
    return WESTERN, f"is not UTF-8, and was read as Windows-1252; the first word beyond ASCII is {word!r}"


def _is_utf_8(path: Path) -> bool:
    """Return whether a text begins with the mark of UTF-8, or holds such characters and nothing else."""
    decoder, has_any = codecs.getincrementaldecoder("utf-8")(), False
    with open_bytes(path) as (raw, meter):
        while chunk := raw.read(_CHUNK):
            if meter is not None:
                meter.add(len(chunk))
            has_any = has_any or not chunk.isascii()
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                return False
    return has_any


def _chunks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield the bytes of a file, each chunk with the last of the one before; and whether it is the first."""
    kept, is_first = b"", True
    with open_bytes(path) as (raw, meter):
        while chunk := raw.read(_CHUNK):
            if meter is not None:
                meter.add(len(chunk))
            yield (chunk if kept.isascii() else kept + chunk), is_first
            kept, is_first = chunk[-_LONGEST:], False
