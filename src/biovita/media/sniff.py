"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from biovita.errors import MediaError

__all__ = ["RAW_MARKS", "FileKind", "brands_of", "kind_of", "read_head"]

HEAD_BYTES = 4096
RAW_MARKS: tuple[tuple[int, bytes, str], ...] = (
    (8, b"CR\x02", "cr2"),
    (4, b"ftypcrx ", "cr3"),
    (6, b"HEAPCCDR", "crw"),
    (0, b"IIRO\x08", "orf"),
    (0, b"IIRS\x08", "orf"),
    (0, b"MMOR\x00", "orf"),
    (0, b"IIU\x00", "rw2"),
    (0, b"FUJIFILMCCD-RAW", "raf"),
    (0, b"\x00MRM", "mrw"),
    (0, b"FOVb", "x3f"),
)
"""What a camera's raw file begins with: offset, bytes there, and its format. Others begin as TIFF does."""

# offset, bytes there, family, description
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\xff\xd8\xff", "image", "a JPEG picture"),
    (0, b"\x89PNG\r\n\x1a\n", "image", "a PNG picture"),
    (0, b"GIF87a", "image", "a GIF picture"),
    (0, b"GIF89a", "image", "a GIF picture"),
    (8, b"WEBP", "image", "a WebP picture"),
    (0, b"II*\x00", "image", "a TIFF picture"),
    (0, b"MM\x00*", "image", "a TIFF picture"),
    (4, b"JXL \r\n\x87\n", "image", "a JPEG XL picture"),
    (4, b"jP  \r\n\x87\n", "image", "a JPEG 2000 picture"),
    (0, b"8BPS", "image", "a Photoshop picture"),
    (8, b"WAVE", "audio", "WAV sound"),
    (0, b"fLaC", "audio", "FLAC sound"),
    (0, b"OggS", "audio", "Ogg sound"),
    (0, b"ID3", "audio", "MP3 sound"),
    (8, b"AIFF", "audio", "AIFF sound"),
    (8, b"AIFC", "audio", "AIFF sound"),
    (0, b"%PDF-", "other", "a PDF document"),
    (0, b"PK\x03\x04", "other", "a ZIP archive"),
    (0, b"PK\x05\x06", "other", "a ZIP archive"),
    (0, b"\x1f\x8b", "other", "gzip-compressed data"),
    (0, b"7z\xbc\xaf\x27\x1c", "other", "a 7z archive"),
    (0, b"Rar!", "other", "a RAR archive"),
    (0, b"SQLite format 3\x00", "other", "a SQLite database"),
)
# Brands of ISO base media (mp4ra.org): of pictures by how they are coded, and of sound and film.
_PICTURES = (
    ("an AVIF picture", frozenset({b"avif", b"avis", b"MA1A", b"MA1B"})),
    (
        "a HEIC picture",
        frozenset(
            {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"MiHA", b"MiHB", b"MiHE"}
        ),
    ),
    ("a HEIF picture", frozenset({b"mif1", b"mif2", b"msf1", b"miaf", b"1pic"})),
)
_STRUCTURE = frozenset(
    {b"isom", b"mp41", b"mp42", *(b"iso%c" % digit for digit in b"23456789abc")}
)  # films, and more
_SOUND_OR_FILM = frozenset(
    {
        *(
            b"M4A ",
            b"M4B ",
            b"M4P ",
            b"M4V ",
            b"M4VH",
            b"M4VP",
            b"F4A ",
            b"F4B ",
            b"F4V ",
            b"F4P ",
            b"qt  ",
            b"avc1",
        ),
        *(b"3gp%c" % digit for digit in b"123456789"),
        *(
            b"3g2a",
            b"3g2b",
            b"3g2c",
            b"3ge6",
            b"3ge7",
            b"3ge9",
            b"3gg6",
            b"3gs7",
            b"3gr6",
            b"mmp4",
            b"MSNV",
            b"dash",
        ),
        *(
            b"XAVC",
            b"mp71",
            b"f4v ",
            b"kddi",
            b"sdv ",
            b"piff",
            b"msdh",
            b"cmfc",
            b"cmfs",
            b"caqv",
            b"NDSC",
            b"NDSM",
        ),
    }
)
_MOST_BRANDS = 64
_CHUNK = 1 << 20
_MOST_ZEROS = 256 << 20  # bytes that are read before a file of zeros is given up
_TEXT_CONTROLS = frozenset(b"\t\n\r\f\x1b")


@dataclass(frozen=True, slots=True)
class FileKind:
    """What the first bytes say: ``audio``, ``image``, ``other`` or ``unknown``, and in words."""

    family: str
    description: str


def kind_of(head: bytes, file: Path | None = None) -> FileKind:
    """Return what a file that starts with ``head`` looks like.

    Parameters
    ----------
    file
        Is read on where ``head`` is nothing but zeros, up to what follows them.
    """
    for offset, signature, name in RAW_MARKS:
        if head[offset : offset + len(signature)] == signature:
            return FileKind("image", f"a camera's raw file ({name.upper()})")
    for offset, signature, family, description in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return FileKind(family, description)
    if brands := brands_of(head):
        return _of_brands(*brands)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return FileKind("other", "an HTML page")
    if text.startswith(b"<?xml"):
        return FileKind("other", "an XML document")
    if head and not head.strip(b"\x00"):
        return _of_zeros(head, file)
    if head and _is_text(head):
        return FileKind("other", "JSON text" if text[:1] in {b"{", b"["} else "plain text")
    return FileKind("unknown", "no known format")


def brands_of(head: bytes) -> tuple[bytes, ...]:
    """Return the brands of an ISO base media file (MP4, QuickTime, HEIF, AVIF), the major one first; none of others."""
    if head[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(head[:4], "big"), len(head), 16 + 4 * _MOST_BRANDS)
    return (head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4)))


def _of_brands(major: bytes, *compatible: bytes) -> FileKind:
    """Return what brands say: the major one, unless it is unknown, or names a structure that pictures have, too."""
    if major in _SOUND_OR_FILM:
        return FileKind("audio", "MP4 sound or film")
    for description, brands in _PICTURES:
        if major in brands:
            return FileKind("image", _coded(description, compatible))
    for description, brands in _PICTURES:
        if not brands.isdisjoint(compatible):
            return FileKind("image", description)
    if major in _STRUCTURE or not (_STRUCTURE | _SOUND_OR_FILM).isdisjoint(compatible):
        return FileKind("audio", "MP4 sound or film")
    name = major.decode("ascii", "replace").strip()
    return FileKind("unknown", f"no known format: an ISO media file of the brand {name!r}")


def _coded(description: str, compatible: tuple[bytes, ...]) -> str:
    """Return what codes the pictures of a container whose major brand says nothing of that."""
    if description != _PICTURES[-1][0]:
        return description
    return next((coded for coded, brands in _PICTURES if not brands.isdisjoint(compatible)), description)


def _of_zeros(head: bytes, file: Path | None) -> FileKind:
    if len(head) < HEAD_BYTES:
        return FileKind("other", "nothing but zero bytes")
    if file is None:
        return FileKind("unknown", f"no known format: it begins with {len(head):,} zero bytes")
    zeros, is_all, is_given_up = _leading_zeros(file)
    if is_all:
        return FileKind("other", "nothing but zero bytes")
    if is_given_up:
        return FileKind("other", f"nothing but zero bytes in its first {zeros >> 20:,} MiB")
    return FileKind("unknown", f"no known format: it begins with {zeros:,} zero bytes")


def _leading_zeros(file: Path) -> tuple[int, bool, bool]:
    """Return how many zero bytes a file begins with, whether these are all, and whether reading on was given up.

    Holes of sparse files are passed over where the system tells them.
    """
    with file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        at = read = 0
        while at < size and read < _MOST_ZEROS:
            at = _next_data(opened.fileno(), at, size)
            opened.seek(at)
            chunk = opened.read(_CHUNK)
            if not chunk:
                return size, True, False
            if rest := chunk.lstrip(b"\x00"):
                return at + len(chunk) - len(rest), False, False
            at, read = at + len(chunk), read + len(chunk)
    return at, at >= size, at < size


def _next_data(descriptor: int, at: int, size: int) -> int:
    """Return where the next bytes lie that are not of a hole, from ``at`` on; the size where there are none."""
    if not hasattr(os, "SEEK_DATA"):
        return at
    try:
        return os.lseek(descriptor, at, os.SEEK_DATA)
    except OSError as error:
        return size if error.errno == errno.ENXIO else at


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
