"""How a dataset names its media: beside it by relative paths, so that both can be moved together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path, PurePosixPath

from biovita.filenames import path_from

__all__ = ["MediaPaths", "is_beside", "leads_back"]


@dataclass(frozen=True, slots=True)
class MediaPaths:
    """The paths that a dataset's tables have.

    Attributes
    ----------
    home
        Where the dataset lies or will lie, links resolved.
    """

    home: Path

    @classmethod
    def of(cls, dataset: Path) -> MediaPaths:
        """Return those of a dataset that is there or will be."""
        return cls(dataset.resolve())

    def stored(self, file: Path) -> str:
        """Return the path of a file as the tables have it.

        It is relative to the dataset where both lie below one folder that people move as a whole: neither the root of a
        file system, nor the home folder of the user or one above it. Otherwise it is the whole path.
        """
        try:
            shared = Path(os.path.commonpath([self.home.parent, file]))
        except ValueError:  # another drive
            return file.as_posix()
        return file.as_posix() if _is_too_high(shared) else path_from(self.home, file)

    def place(self, path: str) -> Path:
        """Return where a path of the tables that begins with ``../`` leads, by the dataset's own place."""
        return Path(os.path.normpath(self.home / path))


def is_beside(path: str) -> bool:
    """Say whether a path of the tables leads out of the dataset by ``../``."""
    return path.startswith("../")


def leads_back(path: str) -> bool:
    """Say whether ``..`` stands in a path where it may not: anywhere but at its start, or behind a backslash."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    above = parts[:1] == ("..",)
    return ".." in dropwhile(lambda part: part == "..", parts) or (above and not is_beside(path))


def _is_too_high(folder: Path) -> bool:
    if folder == folder.parent:
        return True
    try:
        return Path.home().resolve().is_relative_to(folder)
    except RuntimeError:  # nobody's home
        return False
