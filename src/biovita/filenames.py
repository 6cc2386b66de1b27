"""Names of files and folders from foreign names and ids: one safe component each, and none for two."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path, PurePosixPath

from biovita.errors import DatasetError
from biovita.files import refuse_links

__all__ = [
    "FileNames",
    "at_home",
    "contained",
    "file_name",
    "folded",
    "is_name",
    "is_path",
    "own_place",
    "path_from",
    "safe_suffix",
]

_MOST_BYTES = 120  # of a name; file systems take 255, and endings and marks of temporary files come on top
_MOST_SUFFIX = 16  # characters
_HASH = 8  # characters
_RESERVED = frozenset(  # by Windows, whatever follows after a dot
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in (*"0123456789", "\xb9", "\xb2", "\xb3")}
)
_LONGEST = 255  # bytes of a component that file systems take
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_PUNCTUATION = frozenset('/\\<>:"|?*')
_NO_PATH = frozenset({"Cc", "Cs", "Zl", "Zp"})
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, bidi and other unseen characters, surrogates


def file_name(text: str) -> str:
    """Return a name or an id as one component of a path that every file system takes.

    A text that is one already comes out as it is. From another one separators, control and bidi characters, leading
    and trailing dots and spaces and names that Windows reserves are taken, what is longer than 120 bytes is cut,
    and a hash of the text is added before its ending, so that two texts do not give one name.

    Examples
    --------
    >>> file_name("Parus major"), file_name("xc-123")
    ('Parus major', 'xc-123')
    >>> file_name("../../x")
    '_.._x-9cdf6a50'
    """
    normal = unicodedata.normalize("NFC", text)
    name = "".join("_" if _is_unsafe(character) else character for character in normal)
    name = name.lstrip(". ").rstrip(". ")
    if not name or name.partition(".")[0].rstrip().casefold() in _RESERVED:
        name = f"_{name}"
    if name == text and len(name.encode()) <= _MOST_BYTES:
        return name
    return _marked(name, text)


def safe_suffix(name: str) -> str:
    """Return the ending of a file's name with its dot; empty where it is none of letters and digits.

    Examples
    --------
    >>> safe_suffix("song.FLAC"), safe_suffix("song.a/b"), safe_suffix("song")
    ('.FLAC', '', '')
    """
    stem, dot, ending = name.rpartition(".")
    return (
        f".{ending}"
        if stem and dot and ending.isascii() and ending.isalnum() and len(ending) <= _MOST_SUFFIX
        else ""
    )


def is_path(path: str) -> bool:
    r"""Return whether a text can be the path of a file, and shows as what it is: without control and bidi characters.

    Examples
    --------
    >>> [is_path(path) for path in ("media/a b.wav", "", ".", "a/..", "a\0.wav")]
    [True, False, False, False, False]
    """
    parts = PurePosixPath(path).parts
    return (
        bool(parts)
        and parts[-1] not in {"/", "//", ".."}
        and not any(character in _BIDI or unicodedata.category(character) in _NO_PATH for character in path)
        and all(len(part.encode()) <= _LONGEST for part in parts)
    )


def is_name(text: str) -> bool:
    """Return whether a text can name a taxon or an item: a slash may stand in it, but leads nowhere else.

    Examples
    --------
    >>> [is_name(name) for name in ("Parus major", "Larus argentatus/michahellis", "../x", "/etc", "x/.")]
    [True, True, False, False, False]
    """
    parts = text.replace("\\", "/").split("/")
    return is_path(text) and not any(part.strip(" ") in {"", ".", ".."} for part in parts)


class FileNames:
    """The names given within one folder.

    No two are the same, also on a file system that ignores case or normalises Unicode.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}  # of folded names

    def of(self, text: str) -> str:
        """Return the name of a text, the same each time."""
        return next(name for name in _names(text) if self._owners.setdefault(folded(name), text) == text)

    def new(self, *texts: str, suffix: str = "") -> str:
        """Return a name that was not given before: of the first text whose name is free, or else of the last."""
        for name in chain(map(file_name, texts), _names(texts[-1])):
            if folded(name + suffix) not in self._owners:
                break
        self._owners[folded(name + suffix)] = texts[-1]
        return name + suffix


def contained(root: Path, place: Path) -> Path:
    """Return ``place`` where it lies within ``root``, links followed.

    Raises
    ------
    DatasetError
        Where it does not.
    """
    try:
        inside = place.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a character that no path has
        raise DatasetError(f"{str(place)!r} cannot be a place in {root}: {error}") from None
    if not inside:
        raise DatasetError(
            f"{place} lies outside {root}, or a link leads out of it. biovita writes nothing there. "
            f"Put a folder in the place of the link, or move {root} as a whole to a larger disk"
        )
    return place


def at_home(path: str) -> str:
    """Return a path with the home folder in place of ``~`` or ``~user`` at its start, where the user is known."""
    return os.path.expanduser(path) if path.startswith("~") else path  # noqa: PTH111 - an unknown user is no error here


def path_from(start: Path, place: Path) -> str:
    """Return the path from a directory to a place, with slashes on every system.

    It is the whole path of the place where no other leads there, as to another drive of Windows.
    """
    try:
        return Path(os.path.relpath(place, start)).as_posix()
    except ValueError:
        return Path(place).absolute().as_posix()


def own_place(root: Path, *parts: str) -> Path:
    """Return a place below a directory that may come from elsewhere, for writing there.

    Raises
    ------
    DatasetError
        Where it lies outside by a link, or links are in it.
    """
    place = contained(root, root.joinpath(*parts))
    refuse_links(place)
    return place


def _names(text: str) -> Iterator[str]:
    """Yield the name of a text, and then others for where it is taken."""
    name = file_name(text)
    yield name
    for number in count(1):
        yield _marked(name, f"{text}\0{number}")


def _is_unsafe(character: str) -> bool:
    return character in _PUNCTUATION or unicodedata.category(character) in _CATEGORIES


def _marked(name: str, text: str) -> str:
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH]
    suffix = safe_suffix(name)
    stem = name.removesuffix(suffix).encode()[: _MOST_BYTES - len(suffix) - _HASH - 1].decode(errors="ignore")
    return f"{stem.rstrip('. ')}-{mark}{suffix}"


def folded(name: str) -> str:
    """Return what the names have in common that some file system takes for one: letter case and Unicode form are gone.

    Examples
    --------
    >>> folded("STRASSE.WAV") == folded("Stra\u00dfe.wav"), folded("a.wav") == folded("b.wav")
    (True, False)
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
