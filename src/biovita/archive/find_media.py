"""Recordings and photographs in what a user names: files, folders, patterns, lists of paths, and datasets."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biovita.dataset.dataset import Dataset
from biovita.errors import DatasetError, MediaError
from biovita.jsonfile import read_text
from biovita.media.sniff import kind_of, read_head
from biovita.modality import Modality
from biovita.values import kind_by_ending

__all__ = ["FoundMedia", "MediaFile", "find_media"]

_LISTS = {".txt", ".lst"}
_FAMILIES = {"audio": Modality.AUDIO, "image": Modality.IMAGE}
OWN = ("archive.json", "dataset.toml")  # what marks a directory of ours: what lies below is no input


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file that was found.

    Attributes
    ----------
    root
        The folder that was named, or in which it lies where it was named itself.
    """

    path: Path
    modality: Modality
    root: Path


@dataclass(frozen=True)
class FoundMedia:
    """What was named.

    Attributes
    ----------
    files
        In the order named, and by name within a folder; each once.
    datasets
        Those among what was named.
    others
        How many files in folders are neither sound nor pictures by their names, by ending.
    """

    files: tuple[MediaFile, ...]
    datasets: tuple[Dataset, ...]
    others: Counter[str]


def find_media(places: Sequence[str | Path]) -> FoundMedia:
    """Return the recordings and photographs in files, folders, patterns, lists and datasets.

    A folder is searched with all below it. There, files count by their endings; hidden ones, and runs and datasets of
    biovita, do not. A file that is named itself counts whatever its ending is. A pattern has ``*``, ``?``, ``[`` or
    ``**`` in it. A list is a text file (``.txt``, ``.lst``) with a path a line, which starts at the list's folder;
    empty lines and those that begin with ``#`` do not count.

    Raises
    ------
    DatasetError
        Where a place does not exist, a pattern fits nothing, or a list cannot be read.
    """
    files: dict[Path, MediaFile] = {}
    datasets: list[Dataset] = []
    others: Counter[str] = Counter()
    for place in _places(places):
        if place.is_dir() and (place / "dataset.toml").is_file():
            datasets.append(Dataset.open(place))
        elif place.is_dir():
            for path in _below(place):
                modality = kind_by_ending(path.name)
                if modality is None:
                    others[path.suffix.lower() or "no ending"] += 1
                else:
                    files.setdefault(path, MediaFile(path, modality, place))
        else:
            files.setdefault(place, MediaFile(place, _named_itself(place), place.parent))
    return FoundMedia(tuple(files.values()), tuple(datasets), others)


def _places(given: Sequence[str | Path], base: Path = Path(), *, within: Path | None = None) -> Iterator[Path]:
    """Yield absolute paths of what exists, patterns and lists taken apart."""
    for text in given:
        place = Path(os.path.abspath(base / Path(text).expanduser()))  # noqa: PTH100 - links stay as they are named
        if place.exists():
            if within is None and place.is_file() and place.suffix.lower() in _LISTS:
                yield from _places(_lines(place), place.parent, within=place)
            else:
                yield place
        elif glob.has_magic(str(text)):
            fitting = sorted(glob.glob(str(place), recursive=True))  # noqa: PTH207 - an absolute pattern
            if not fitting:
                raise DatasetError(f"nothing fits the pattern {text}")
            yield from map(Path, fitting)
        else:
            where = "" if within is None else f"{within}: "
            raise DatasetError(f"{where}{text} does not exist{_nearest(place)}")


def _lines(file: Path) -> list[str]:
    lines = [line.strip() for line in read_text(file, DatasetError).splitlines()]
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise DatasetError(f"{file} lists no path")
    return found


def _nearest(place: Path) -> str:
    from difflib import get_close_matches

    there = sorted(path.name for path in place.parent.iterdir()) if place.parent.is_dir() else []
    near = get_close_matches(place.name, there, n=1)
    return f". Did you mean {place.parent / near[0]}?" if near else ""


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and those below it by name; links to folders are not followed."""
    for directory, folders, names in os.walk(folder):
        if directory != str(folder) and any(name in OWN for name in names):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(directory, name) for name in sorted(names) if not name.startswith("."))


def _named_itself(file: Path) -> Modality:
    """Return what a file is by its content; by its ending where that says nothing, or the file cannot be read."""
    by_name = kind_by_ending(file.name) or Modality.AUDIO
    try:
        return _FAMILIES.get(kind_of(read_head(file)).family, by_name)
    except MediaError:
        return by_name
