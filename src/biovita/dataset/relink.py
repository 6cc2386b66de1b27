"""Media that were moved: the dataset's tables say where they are now, and nothing else changes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset, replace_tables
from biovita.dataset.media_paths import MediaPaths
from biovita.dataset.schema import MEDIA_TABLES
from biovita.errors import DatasetError
from biovita.hashing import sha256_of
from biovita.media.packed_files import PackedFile
from biovita.modality import MEDIA, Modality
from biovita.one_line import OneLine
from biovita.progress import progress_bar
from biovita.suggestion import quoted, suggested

__all__ = ["RelinkReport", "relink_dataset", "relink_hint"]

_TOLD = 10
_TABLES: Mapping[Modality, str] = {Modality.AUDIO: "audio", Modality.IMAGE: "images"}


@dataclass(frozen=True, slots=True, repr=False)
class RelinkReport(OneLine):
    """What was relinked.

    Attributes
    ----------
    files
        How many files have another path now; ``audio`` and ``images`` are the items that use them.
    """

    dataset: Path
    old: str
    new: Path
    files: int
    audio: int
    images: int


def relink_dataset(
    dataset: Dataset | str | Path, old: str | Path, new: str | Path, *, progress: bool = True
) -> RelinkReport:
    """Say where the media of a dataset are, after they were moved or renamed; every file is hashed first.

    Vectors stay: they belong to a file's content, not to its place.

    Parameters
    ----------
    dataset
        A dataset, or its directory.
    old
        The folder or file that `biovita.dataset.check` misses, or as the tables name it.
    new
        Where that is now.
    progress
        Show a bar on standard error where that is a terminal.

    Raises
    ------
    DatasetError
        Where no path of the dataset begins with ``old``, or a file is missing at the new place or has other bytes than
        the tables state; then nothing is changed. Where the media are packed.
    """
    dataset, old, new = Dataset.open(dataset), str(old), Path(new)
    if dataset.packed_address is not None:
        raise DatasetError(
            f"{dataset.path} reads its media from {dataset.packed_address}. Unpack them first: "
            + suggested("data unpack", quoted(dataset.packed_address), "--out", dataset.path)
        )
    tables = {modality: dataset.media(modality) for modality in MEDIA}
    hashes = dict[str, set[str]]()
    for table in tables.values():
        for path, digest in zip(table["path"].to_pylist(), table["sha256"].to_pylist(), strict=True):
            hashes.setdefault(path, set()).add(digest)
    moved = dict(_moved(dataset, hashes, old, new.absolute()))
    if not moved:
        raise DatasetError(
            f"no file of {dataset.path} lies below {old}. Its tables name, for example, {next(iter(hashes), 'no file')}"
        )
    _check(dataset, {file: hashes[path] for path, file in moved.items()}, progress=progress)
    paths = MediaPaths.of(dataset.path)
    stored = {path: paths.stored(file) for path, file in moved.items()}
    counts = {modality: sum(path in moved for path in tables[modality]["path"].to_pylist()) for modality in MEDIA}
    changed = {_TABLES[modality]: _with_paths(tables[modality], stored) for modality in MEDIA if counts[modality]}
    replace_tables(dataset, changed, {})
    return RelinkReport(dataset.path, old, new, len(moved), counts[Modality.AUDIO], counts[Modality.IMAGE])


def relink_hint(dataset: Dataset) -> str:
    """Return what to run where files of a dataset are missing, which may have been moved; empty where none is."""
    missing: set[int] = set()  # hashes of paths: the paths of millions would not fit
    shared: Path | None = None
    for path in _paths(dataset):
        place = dataset.locate(path)
        if isinstance(place, PackedFile) or place.exists():
            continue
        missing.add(hash(path))
        folder = place.absolute().parent
        shared = folder if shared is None else _shared(shared, folder)
    if shared is None:
        return ""
    command = suggested("data relink", dataset.path, shared, "NEW")
    return f"{len(missing):,} files are missing. If they were moved, run: {command}, with the folder where they are now"


def _shared(folder: Path, other: Path) -> Path:
    """Return the folder that two folders lie in; the first where they are on several drives."""
    if other.is_relative_to(folder):
        return folder
    try:
        return Path(os.path.commonpath([folder, other]))
    except ValueError:
        return folder


def _paths(dataset: Dataset) -> Iterator[str]:
    """Yield the paths that the tables name, each at least once."""
    for name in MEDIA_TABLES.values():
        for batch in dataset.batches(name, ["path"]):
            yield from pc.unique(batch.column(0)).to_pylist()


def _moved(dataset: Dataset, paths: Iterable[str], old: str, new: Path) -> Iterator[tuple[str, Path]]:
    """Yield each path that lies below the old place, by its text or by where it leads, and where its file is now."""
    text = PurePosixPath(old.replace("\\", "/"))
    folders = {Path(os.path.abspath(old)), Path(old).resolve()}  # noqa: PTH100 - once with links, once without
    for path in paths:
        named, place = PurePosixPath(path.replace("\\", "/")), Path(str(dataset.locate(path))).absolute()
        if named.is_relative_to(text):
            yield path, new / named.relative_to(text)
            continue
        for folder in folders:
            if place.is_relative_to(folder):
                yield path, new / place.relative_to(folder)
                break


def _check(dataset: Dataset, files: Mapping[Path, set[str]], *, progress: bool) -> None:
    def look(file: Path) -> str | None:
        try:
            return None if files[file] == {sha256_of(file)} else "has other bytes than the dataset states"
        except FileNotFoundError:
            return "there is no such file"
        except (OSError, DatasetError) as error:
            return f"cannot be read: {error}"

    faults = list[str]()
    with progress_bar("Checking files", len(files), shown=progress) as advance, ThreadPoolExecutor(4) as pool:
        for file, fault in zip(files, pool.map(look, files), strict=True):
            advance(1)
            if fault is not None:
                faults.append(f"{file}: {fault}")
    if faults:
        more = f"; and {len(faults) - _TOLD:,} more" if len(faults) > _TOLD else ""
        raise DatasetError(
            f"{dataset.path} is not changed: {len(faults):,} of {len(files):,} files cannot be used at the new place. "
            f"{'; '.join(faults[:_TOLD])}{more}"
        )


def _with_paths(table: pa.Table, stored: Mapping[str, str]) -> pa.Table:
    paths = pa.array([stored.get(path, path) for path in table["path"].to_pylist()], pa.string())
    at = table.schema.get_field_index("path")
    return table.set_column(at, table.schema.field(at), paths)
