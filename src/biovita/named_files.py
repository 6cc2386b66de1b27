"""Files of a folder by the names that tables give them, where those differ a little from the names on the disk.

Tables come from other systems: their names are in another Unicode form or letter case, have backslashes, are encoded as
addresses are, or begin with folders of another machine. A file is found where just one can be meant, and never outside
the folder.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from biovita.filenames import folded

__all__ = ["NamedFiles", "is_absolute", "last_name"]

_QUOTES = "\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_DRIVE = re.compile(r"[A-Za-z]:/")
_FILE_ADDRESS = re.compile(r"file:/{2,3}(?=/|[A-Za-z]:)", re.IGNORECASE)
_MOST_HINTS = 100  # names to which the nearest is looked for; each takes milliseconds in a large folder
_MOST_LISTED = 200_000  # files among which it is
_ALIKE = 70.0  # of 100, by rapidfuzz


def is_absolute(name: str) -> bool:
    """Say whether a name in a table is a whole path, of this system or another one."""
    text = name.replace("\\", "/")
    return text.startswith("/") or _DRIVE.match(text) is not None


def last_name(name: str) -> str:
    r"""Return the last part of a path, of this system or another one.

    Examples
    --------
    >>> last_name(r"C:\Users\me\field")
    'field'
    """
    return PurePosixPath(name.replace("\\", "/")).name


class NamedFiles:
    """The files below a folder. Each of its folders is listed once, when a name is looked for there.

    Parameters
    ----------
    root
        The folder, links resolved.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._above = [folded(part) for part in root.parts]
        self._listed: dict[Path, dict[str, list[str]]] = {}
        self._all: list[str] | None = None
        self._hints = 0

    def find(self, name: str) -> Path | None:
        """Return the one file that a name can mean; None where there is none, or more than one.

        Of a whole path, the folders at its start are those of another machine: the longest end of it that is a path in
        the folder counts. A path of this machine that lies elsewhere means no file of the folder.
        """
        for reading in _readings(name):
            for parts in self._below(reading):
                if found := self._matching(parts):
                    return found[0] if len(found) == 1 else self._same(found, parts)
        return None

    def nearest(self, name: str) -> str:
        """Return a hint at the file whose name is most like this one; empty where none is, or many were asked for."""
        self._hints += 1
        if self._hints > _MOST_HINTS:
            return ""
        if self._all is None:
            self._all = list(self._files())
        text = next(_readings(name))
        wanted = folded(PurePosixPath(text).name)
        same = [path for path in self._all if folded(PurePosixPath(path).name) == wanted]
        near = same[0] if same else self._most_alike(text)
        return "" if near is None else f". Did you mean {near!r}?"

    def _most_alike(self, text: str) -> str | None:
        from rapidfuzz.fuzz import ratio
        from rapidfuzz.process import extractOne

        found = extractOne(text, self._all or (), scorer=ratio, processor=folded, score_cutoff=_ALIKE)
        return None if found is None else str(found[0])

    def _below(self, reading: str) -> Iterator[tuple[str, ...]]:
        """Yield what a path may be within the folder, from the longest."""
        parts = PurePosixPath(reading).parts
        if ".." in parts:
            return
        if reading.startswith("/") and not reading.startswith("//") and os.path.lexists(reading):
            path = Path(reading)
            if path.is_relative_to(self.root):
                yield path.relative_to(self.root).parts
            return
        whole = is_absolute(reading)
        if not whole:
            yield parts
        for count in range(1, len(parts)):
            if whole or self._above[-count:] == [folded(part) for part in parts[:count]]:
                yield parts[count:]

    def _matching(self, parts: tuple[str, ...]) -> list[Path]:
        places = [self.root]
        for part in parts:
            places = [place / name for place in places for name in self._names(place).get(folded(part), ())]
        return [place for place in places if place.is_file()]

    def _same(self, found: list[Path], parts: tuple[str, ...]) -> Path | None:
        """Return the one of several files whose name differs in nothing but its Unicode form."""
        wanted = unicodedata.normalize("NFC", "/".join(parts))
        same = [
            path
            for path in found
            if unicodedata.normalize("NFC", path.relative_to(self.root).as_posix()) == wanted
        ]
        return same[0] if len(same) == 1 else None

    def _names(self, folder: Path) -> dict[str, list[str]]:
        """Return what is in a folder, by folded names; nothing where it is none."""
        if folder not in self._listed:
            names: dict[str, list[str]] = {}
            try:
                for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names alone
                    names.setdefault(folded(name), []).append(name)
            except OSError:
                pass
            self._listed[folder] = names
        return self._listed[folder]

    def _files(self) -> Iterator[str]:
        """Yield the first files of the folder and all below it, as paths from there."""
        left = _MOST_LISTED
        for parent, folders, names in os.walk(self.root):
            folders.sort()
            below = Path(parent).relative_to(self.root)
            for name in sorted(names)[:left]:
                yield (below / name).as_posix()
            left -= len(names)
            if left <= 0:
                return


def _readings(name: str) -> Iterator[str]:
    """Yield a name as a path with slashes, and as what it is where it is encoded as addresses are."""
    text = name.strip().strip(_QUOTES).strip().replace("\\", "/")
    text = _FILE_ADDRESS.sub("", text)
    if text.startswith("~/"):
        text = os.path.expanduser(text)  # noqa: PTH111 - slashes stay
    yield text
    if "%" in text:
        try:
            decoded = unquote(text, errors="strict").replace("\\", "/")
        except UnicodeDecodeError:
            return
        if "\x00" not in decoded:
            yield decoded
