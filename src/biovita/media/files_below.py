"""The files below a folder that a user names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["OWN", "files_below"]

OWN = ("archive.json", "dataset.toml")
"""What marks a directory of ours: what lies below is no input."""


def files_below(folder: Path, closed: dict[Path, str]) -> Iterator[Path]:
    """Yield the files of a folder and those below it by name; links to folders are not followed.

    Hidden files and folders, and runs and datasets of biovita below the folder, are passed over.

    Parameters
    ----------
    closed
        Takes the folders that cannot be looked into, and why.
    """

    def note(error: OSError) -> None:
        closed[Path(error.filename)] = error.strerror or str(error)

    for directory, folders, names in os.walk(folder, onerror=note):
        if directory != str(folder) and any(name in OWN for name in names):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(directory, name) for name in sorted(names) if not name.startswith("."))
