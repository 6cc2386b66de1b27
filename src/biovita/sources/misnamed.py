"""Recordings of the published release that lie under another name than its index says.

Within a species the k-th row of the benchmark's audio index is the k-th row of ``metadata.csv``; that row tells what
the file may be called.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from biovita.csv_table import CsvRow, open_csv
from biovita.foreign_tables import Held
from biovita.values import address_parts

__all__ = ["find_metadata", "inside", "locate_recordings", "size_of"]

_TELLING = ("file_name", "recording_id", "download_url")
_LONGEST_PATH = 4096  # characters; systems accept no more
_PLACES = ("metadata.csv", "../metadata.csv", "../train/metadata.csv", "../../train/metadata.csv")


def find_metadata(root: Path) -> Path | None:
    """Return the release's ``metadata.csv`` near a benchmark's media, None where there is none."""
    return next((file for place in _PLACES if (file := root / place).is_file()), None)


def locate_recordings(
    root: Path,
    rows: Sequence[tuple[str, str]],
    metadata: Path | None,
    parts: Sequence[str] | None = None,
    is_there: Callable[[str], bool] | None = None,
) -> list[str | None]:
    """Return the path of each recording from the root, as it is called on disk; None where it is not found.

    Where the file that the index names is not there, these are looked for in its directory and at the root: the
    ``file_name`` of the metadata's row, ``asa_<recording_id>`` (Animal Sound Archive), the upload name at the end of
    its ``download_url`` (xeno-canto), ``<recording_id>`` and ``XC<recording_id>``. Nothing found so stands for two rows
    or lies outside the root.

    Parameters
    ----------
    rows
        Path and species of each row of the index, in its order.
    metadata
        ``metadata.csv``; see `find_metadata`.
    parts
        Of the benchmark, for each row; rows are counted within species and part.
    is_there
        Whether what the index names is there; by default, whether it is a file under the root.

    Raises
    ------
    DatasetError
        Where the metadata cannot be read or lack the column ``scientific_name``.
    """
    if is_there is None:
        found = [path if size_of(root / path) is not None else None for path, _ in rows]
    else:
        found = [path if is_there(path) else None for path, _ in rows]
    if metadata is None or None not in found:
        return found
    described, counts = _by_species(metadata, {species for _, species in rows}), Counter[tuple[str, str]]()
    taken = {path for path in found if path is not None}
    for at, (path, species) in enumerate(rows):
        key = parts[at] if parts is not None else "", species
        place = counts[key]
        counts[key] += 1
        known = described.get(species, [])
        if found[at] is not None or place >= len(known):
            continue
        for candidate in _names(path, known[place]):
            if candidate not in taken and inside(root, candidate) is not None:
                found[at] = candidate
                taken.add(candidate)
                break
    return found


def _by_species(file: Path, wanted: AbstractSet[str]) -> dict[str, list[Mapping[str, str]]]:
    """Return what may tell how a recording is called, of the rows of the wanted species."""
    found: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    held = Held(str(file))
    for row in open_csv(file, ("scientific_name", "accepted_name", *_TELLING), ("scientific_name",)):
        if isinstance(row, CsvRow):
            given = row.values["scientific_name"] or ""
            for name in dict.fromkeys((given, row.values.get("accepted_name") or given)):
                if name in wanted:
                    told = {column: value for column in _TELLING if (value := row.values.get(column))}
                    held.add(500 + sum(map(len, told.values())))
                    found[name].append(told)
    return found


def _names(path: str, row: Mapping[str, str]) -> Iterator[str]:
    """Yield what the file may be called, from the root; the likeliest first."""
    folder, suffix = PurePosixPath(path).parent, PurePosixPath(path).suffix or ".mp3"
    parts = address_parts(row.get("download_url", ""))
    upload = "" if parts is None else PurePosixPath(unquote(parts.path)).name
    recording = row.get("recording_id", "")
    names = [PurePosixPath(row.get("file_name", "")).name, upload]
    if recording and "/" not in recording:
        names[1:1] = [f"asa_{recording}{suffix}"]
        names += [f"{recording}{suffix}", f"XC{recording}{suffix}"]
    for name in names:
        if name and name not in {".", ".."}:
            yield str(folder / name)
            yield name
    if file := row.get("file_name"):
        yield file


def inside(root: Path, name: str) -> Path | None:
    """Return a file of a folder; None where it is not there or would lie outside."""
    if "\x00" in name or len(name) > _LONGEST_PATH:
        return None
    try:
        file = (root / name).resolve()
        return file if file.is_relative_to(root.resolve()) and file.is_file() else None
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no text that the system takes for a name
        return None


def size_of(file: Path) -> int | None:
    """Return the size of a regular file; None where there is none."""
    try:
        return file.stat().st_size if file.is_file() else None
    except (OSError, ValueError):
        return None
