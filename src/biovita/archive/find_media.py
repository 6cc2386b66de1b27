"""Recordings and photographs in what a user names: files, folders, patterns, lists of paths, and datasets."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biovita.dataset.dataset import Dataset
from biovita.errors import DatasetError, MediaError
from biovita.jsonfile import read_text
from biovita.media.files_below import files_below
from biovita.media.sniff import kind_of, read_head
from biovita.modality import Modality
from biovita.values import kind_by_ending

__all__ = ["FoundMedia", "MediaFile", "find_media"]

_LISTS = {".txt", ".lst"}
_FAMILIES = {"audio": Modality.AUDIO, "image": Modality.IMAGE}


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
    closed
        Folders that cannot be looked into, and why.
    """

    files: tuple[MediaFile, ...]
    datasets: tuple[Dataset, ...]
    others: Counter[str]
    closed: tuple[tuple[Path, str], ...] = ()


def find_media(places: Sequence[str | Path]) -> FoundMedia:
    """Return the recordings and photographs in files, folders, patterns, lists and datasets.

    A folder is searched with all below it. There, files count by their endings; hidden ones, and runs and datasets of
    biovita, do not. A file that is named itself counts whatever its ending is. A pattern has ``*``, ``?``, ``[`` or
    ``**`` in it. A list is a text file (``.txt``, ``.lst``) with a path a line, which starts at the list's folder;
    empty lines and those that begin with ``#`` do not count.

    Raises
    ------
    DatasetError
        Where a place does not exist or is a run, a pattern fits nothing, or a list cannot be read.
    """
    files: dict[Path, MediaFile] = {}
    datasets: list[Dataset] = []
    others: Counter[str] = Counter()
    closed: dict[Path, str] = {}
    for place in _places(("", place) for place in places):
        if place.is_dir() and (place / "dataset.toml").is_file():
            datasets.append(Dataset.open(place))
        elif (place / "archive.json").is_file():
            raise DatasetError(
                f"{place} is a run of biovita identify, which is asked alone. Name it by itself, or name its files"
            )
        elif place.is_dir():
            for path in files_below(place, closed):
                modality = kind_by_ending(path.name)
                if modality is None:
                    others[path.suffix.lower() or "no ending"] += 1
                else:
                    files.setdefault(path, MediaFile(path, modality, place))
        else:
            files.setdefault(place, MediaFile(place, _named_itself(place), place.parent))
    return FoundMedia(tuple(files.values()), tuple(datasets), others, tuple(closed.items()))


def _places(given: Iterable[tuple[str, str | Path]], base: Path = Path()) -> Iterator[Path]:
    """Yield absolute paths of what exists, patterns and lists taken apart.

    Of what is given, the first says where an error is: nothing, or the line of a list.
    """
    for where, text in given:
        place = Path(os.path.abspath(base / Path(text).expanduser()))  # noqa: PTH100 - links stay as they are named
        if place.exists():
            if not where and place.is_file() and place.suffix.lower() in _LISTS:
                yield from _places(_lines(place), place.parent)
            else:
                yield place
        elif not glob.has_magic(str(text)):
            raise DatasetError(f"{where}{text} does not exist{_nearest(place)}")
        elif fitting := _fitting(place):
            yield from fitting
        else:
            raise DatasetError(
                f"{where}nothing fits the pattern {text}, and no file has that name{_nearest(place)}"
            )


def _fitting(pattern: Path) -> list[Path]:
    """Return what fits a pattern; a folder that is there by its very name, brackets and all, is that folder."""
    root = next(folder for folder in pattern.parents if folder.is_dir())
    found = glob.glob(str(pattern.relative_to(root)), root_dir=root, recursive=True)  # noqa: PTH207 - of a root
    return sorted(root / name for name in found)


def _lines(file: Path) -> list[tuple[str, str]]:
    """Return the paths that a list has, each after what an error says of its place."""
    lines = enumerate(read_text(file, DatasetError).splitlines(), 1)
    found = [(f"{file}, line {number}: ", line.strip()) for number, line in lines]
    paths = [(where, line) for where, line in found if line and not line.startswith("#")]
    if not paths:
        raise DatasetError(f"{file} lists no path")
    return paths


def _nearest(place: Path) -> str:
    from difflib import get_close_matches

    try:
        there = sorted(path.name for path in place.parent.iterdir())
    except OSError:
        return ""
    near = get_close_matches(place.name, there, n=1)
    return f". Did you mean {place.parent / near[0]}?" if near else ""


def _named_itself(file: Path) -> Modality:
    """Return what a file is by its content; by its ending where that says nothing, or the file cannot be read."""
    by_name = kind_by_ending(file.name) or Modality.AUDIO
    try:
        return _FAMILIES.get(kind_of(read_head(file)).family, by_name)
    except MediaError:
        return by_name
