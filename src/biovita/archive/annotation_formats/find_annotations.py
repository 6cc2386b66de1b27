"""Files of annotations in what a user names: files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from biovita.archive.annotation_formats.annotation_readers import READERS
from biovita.errors import DatasetError, unknown_name

__all__ = ["find_annotations"]


def find_annotations(places: Sequence[str | Path], format: str) -> tuple[Path, ...]:  # noqa: A002
    """Return the files of annotations, each once, in the order named and by name within a folder.

    A folder is searched with all below it for files with the endings that the format has; hidden ones do not count. A
    file that is named itself counts whatever its ending is. A pattern has ``*``, ``?``, ``[`` or ``**`` in it.

    Parameters
    ----------
    format
        A name in `biovita.archive.annotation_formats.annotation_readers.READERS`.

    Raises
    ------
    DatasetError
        Where the format is not known, a place does not exist, a pattern fits nothing, or a folder has no such file.
    """
    if format not in READERS:
        raise DatasetError(unknown_name("format", format, READERS))
    endings = READERS[format].endings
    found: dict[Path, None] = {}
    for place in places:
        found |= dict.fromkeys(_files(Path(place).expanduser(), endings))
    if not found:
        raise DatasetError("no file of annotations is named. Give files, folders or patterns")
    return tuple(found)


def _files(place: Path, endings: Sequence[str]) -> list[Path]:
    """Return the files that one place stands for."""
    if place.is_dir():
        files = list(_below(place, endings))
        if not files:
            raise DatasetError(f"{place}: the folder has no file that ends with {' or '.join(endings)}")
        return files
    if place.exists():
        return [place]
    if not glob.has_magic(str(place)):
        raise DatasetError(f"{place} does not exist")
    fitting = map(Path, sorted(glob.glob(str(place), recursive=True)))  # noqa: PTH207 - it may be absolute
    files = [path for path in fitting if path.is_file()]
    if not files:
        raise DatasetError(f"no file fits the pattern {place}")
    return files


def _below(folder: Path, endings: Sequence[str]) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(tuple(endings)):
                yield Path(directory, name)
