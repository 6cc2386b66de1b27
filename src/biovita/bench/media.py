"""The media of a benchmark: where each file really lies, and whether it can be used."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa

from biovita.bench.task import Benchmark
from biovita.dataset.schema import Modality
from biovita.errors import DatasetError

__all__ = ["Renamed", "find_metadata", "resolve_media"]

_PLACES = ("metadata.csv", "../metadata.csv", "../train/metadata.csv", "../../train/metadata.csv")


@dataclass(frozen=True)
class Renamed:
    """A file that an index names differently than it is called."""

    modality: Modality
    said: str
    found: str


def find_metadata(root: Path) -> Path | None:
    """Return the release's ``metadata.csv`` near a benchmark's media, None where there is none."""
    return next((file for place in _PLACES if (file := root / place).is_file()), None)


def resolve_media(benchmark: Benchmark, metadata: Path | None = None) -> tuple[Benchmark, list[Renamed]]:
    """Return the benchmark with its files as they are called on disk, and those that are called differently.

    In the release, some recordings are named otherwise in the index and on disk; within a species the k-th row of
    the index is the k-th row of ``metadata.csv``. Where an index names a file that is not there, that row's
    ``file_name``, ``asa_<recording_id>`` (Animal Sound Archive) and the upload name at the end of its
    ``download_url`` (xeno-canto) are looked for, in the file's own directory and at the root. A file that is not
    found stays as the index names it.

    Parameters
    ----------
    metadata
        ``metadata.csv``; by default it is looked for near the media.
    """
    root = benchmark.root
    if root is None:
        return benchmark, []
    if metadata is None:
        metadata = find_metadata(root)
    table = benchmark.items[Modality.AUDIO]
    rows = table.to_pylist()
    gone = [at for at, row in enumerate(rows) if row["path"] and not benchmark.locate(row["path"]).is_file()]
    if not gone or metadata is None:
        return benchmark, []
    described = _by_species(metadata)
    places = _within_species(rows)
    renamed, paths = [], [row["path"] for row in rows]
    taken = {path for at, path in enumerate(paths) if at not in set(gone)}
    for at in gone:
        species = rows[at]["species"]
        known = described.get(species or "", [])
        if places[at] >= len(known):
            continue
        for candidate in _names(paths[at], known[places[at]]):
            if candidate not in taken and _inside(root, candidate) and (root / candidate).is_file():
                renamed.append(Renamed(Modality.AUDIO, paths[at], candidate))
                paths[at] = candidate
                taken.add(candidate)
                break
    column = table.schema.get_field_index("path")
    items = {**benchmark.items, Modality.AUDIO: table.set_column(column, "path", pa.array(paths, pa.string()))}
    return replace(benchmark, items=items), renamed


def _by_species(file: Path) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, restval="")
        if "scientific_name" not in (reader.fieldnames or ()):
            raise DatasetError(f"{file}: lacks the column scientific_name")
        for row in reader:
            for name in {row["scientific_name"], row.get("accepted_name") or row["scientific_name"]}:
                found[name].append(row)
    return found


def _within_species(rows: list[dict[str, Any]]) -> list[int]:
    """Return, for each row, how many rows of its species and part come before it."""
    seen: Counter[tuple[str, str]] = Counter()
    places = []
    for row in rows:
        key = row["part"], row["species"]
        places.append(seen[key])
        seen[key] += 1
    return places


def _names(path: str, row: Mapping[str, str]) -> Iterator[str]:
    """Yield what the file may be called, from the root; the likeliest first."""
    folder, suffix = PurePosixPath(path).parent, PurePosixPath(path).suffix or ".mp3"
    upload = PurePosixPath(unquote(urlparse(row.get("download_url") or "").path)).name
    recording = row.get("recording_id") or ""
    names = [PurePosixPath(row.get("file_name") or "").name, upload]
    if recording and "/" not in recording:
        names.insert(1, f"asa_{recording}{suffix}")
    for name in names:
        if name and name not in {".", ".."}:
            yield str(folder / name)
            yield name
    if row.get("file_name"):
        yield row["file_name"]


def _inside(root: Path, path: str) -> bool:
    return (root / path).resolve().is_relative_to(root.resolve())
