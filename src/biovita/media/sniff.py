"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from biovita.errors import MediaError

__all__ = ["FileKind", "kind_of", "read_head"]

HEAD_BYTES = 4096

# offset, bytes there, family, description
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xff\xd8\xff", "image", "a JPEG picture"),
    (0, b"\x89PNG\r\n\x1a\n", "image", "a PNG picture"),
    (0, b"GIF87a", "image", "a GIF picture"),
    (0, b"GIF89a", "image", "a GIF picture"),
    (8, b"WEBP", "image", "a WebP picture"),
    (0, b"II*\x00", "image", "a TIFF picture"),
    (0, b"MM\x00*", "image", "a TIFF picture"),
    (4, b"ftypavif", "image", "an AVIF picture"),
    (4, b"ftypheic", "image", "a HEIC picture"),
    (4, b"ftypmif1", "image", "a HEIF picture"),
    (8, b"WAVE", "audio", "WAV sound"),
    (0, b"fLaC", "audio", "FLAC sound"),
    (0, b"OggS", "audio", "Ogg sound"),
    (0, b"ID3", "audio", "MP3 sound"),
    (8, b"AIFF", "audio", "AIFF sound"),
    (8, b"AIFC", "audio", "AIFF sound"),
    (4, b"ftyp", "audio", "MP4 sound or film"),
    (0, b"%PDF-", "other", "a PDF document"),
    (0, b"PK\x03\x04", "other", "a ZIP archive"),
    (0, b"PK\x05\x06", "other", "a ZIP archive"),
    (0, b"\x1f\x8b", "other", "gzip-compressed data"),
    (0, b"7z\xbc\xaf\x27\x1c", "other", "a 7z archive"),
    (0, b"Rar!", "other", "a RAR archive"),
    (0, b"SQLite format 3\x00", "other", "a SQLite database"),
)
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


@dataclass(frozen=True, slots=True)
class FileKind:
    """What the first bytes say: ``audio``, ``image``, ``other`` or ``unknown``, and in words."""

    family: str
    description: str


def kind_of(head: bytes) -> FileKind:
    """Return what a file that starts with ``head`` looks like."""
    for offset, signature, family, description in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return FileKind(family, description)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return FileKind("other", "an HTML page")
    if text.startswith(b"<?xml"):
        return FileKind("other", "an XML document")
    if head and not head.strip(b"\x00"):
        return FileKind("other", "nothing but zero bytes")
    if head and _is_text(head):
        return FileKind("other", "JSON text" if text[:1] in {b"{", b"["} else "plain text")
    return FileKind("unknown", "no known format")


def _is_text(head: bytes) -> bool:
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in head):
        return False
    try:
        head[:-3].decode("utf-8")  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def read_head(path: Path) -> bytes:
    """Return the first bytes of a media file.

    Raises
    ------
    MediaError
        ``missing`` where there is no such file, ``empty`` where it has no bytes,
        ``unreadable`` where the system does not let us read it.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError("missing", f"{path}: this is not a file")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise MediaError("missing", f"{path}: there is no such file") from None
    except OSError as error:
        raise MediaError("unreadable", f"{path}: the file cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise MediaError("missing", f"{path}: this cannot be the path of a file: {error}") from None
    if not head:
        raise MediaError("empty", f"{path}: the file has no bytes")
    return head
