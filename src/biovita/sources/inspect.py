"""Media files looked at in parallel: hashed, and each content decoded once; files that have not changed are neither."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

from biovita.compute.cores import cpu_count
from biovita.errors import DatasetError, MediaError
from biovita.hashing import sha256_of
from biovita.media import AudioProbe, ImageProbe, probe_audio, probe_image
from biovita.modality import Modality
from biovita.progress import progress_bar

__all__ = [
    "Content",
    "FileState",
    "Inspected",
    "Inspection",
    "Known",
    "Probe",
    "content_of",
    "default_workers",
    "inspect_files",
    "map_threads",
    "state_of",
]

Item = TypeVar("Item")
Result = TypeVar("Result")
Probe = AudioProbe | ImageProbe
FileState = tuple[int, int]
"""The size of a file in bytes, and its time of change in nanoseconds."""
Content = tuple[str, str, str]
"""What decides what decoding gives; see `content_of`."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """A usable media file: what it holds, the SHA-256 of its bytes, and its size and time when it was looked at."""

    probe: Probe
    sha256: str
    state: FileState | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out before: about files by their places, and about bytes wherever they lie."""

    files: Mapping[tuple[Modality, Path], Inspected] = field(default_factory=dict)
    contents: Mapping[Content, Probe] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found out about files.

    Attributes
    ----------
    found
        What each file holds, or why it cannot be used.
    unchanged
        How many have the size and time that they had before: they were neither hashed nor decoded.
    """

    found: Mapping[tuple[Modality, Path], Inspected | MediaError]
    unchanged: int

    @property
    def usable(self) -> dict[tuple[Modality, Path], Inspected]:
        """The files that can be used."""
        return {file: each for file, each in self.found.items() if isinstance(each, Inspected)}


def default_workers() -> int:
    """Return the number of threads to decode with: the processors this process may use, at most 16."""
    return min(16, cpu_count())


def state_of(path: Path) -> FileState | None:
    """Return the size and time of a file; None where it cannot be asked for them."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def inspect_files(
    files: Sequence[tuple[Modality, Path]],
    *,
    known: Known | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Inspection:
    """Decode and hash each file, and return what it holds or why it cannot be used.

    Files with the same bytes are decoded once.

    Parameters
    ----------
    known
        A file that has the size and time that it had then is not looked into again, and bytes that were decoded then
        are not decoded again.
    """
    known = known or Known()
    probes: Mapping[Modality, Callable[[Path], Probe]] = {
        Modality.AUDIO: probe_audio,
        Modality.IMAGE: probe_image,
    }
    decoded = dict(known.contents)

    def inspect(file: tuple[Modality, Path]) -> Inspected | MediaError:
        modality, path = file
        before, state = known.files.get(file), state_of(path)
        if before is not None and before.state is not None and before.state == state:
            return before
        try:
            sha256 = _hash(path)
            probe = None if sha256 is None else decoded.get(content_of(modality, path.name, sha256))
            probe = probe or probes[modality](path)
            if sha256 is None:
                raise MediaError("unreadable", f"{path}: cannot be read")
        except MediaError as error:
            return error
        decoded[content_of(modality, path.name, sha256)] = probe
        return Inspected(probe, sha256, state)

    found = map_threads(inspect, files, workers=workers, progress=progress, label="Checking media")
    unchanged = sum(each is known.files.get(file) for file, each in zip(files, found, strict=True))
    return Inspection(dict(zip(files, found, strict=True)), unchanged)


def content_of(modality: str, name: str, sha256: str) -> Content:
    """Return what decides what decoding gives: the bytes, and for some formats the ending of the name."""
    return str(modality), PurePosixPath(name).suffix.lower(), sha256


def _hash(path: Path) -> str | None:
    """Return the hash of a file; None where it cannot be read, of which decoding says why."""
    try:
        return sha256_of(path)
    except (OSError, DatasetError):
        return None


def map_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    label: str,
    workers: int | None = None,
    progress: bool = True,
) -> list[Result]:
    """Return what ``function`` gives for each item, in their order, from threads, under a progress bar.

    An exception, Ctrl-C included, drops the items that wait; those at work are finished first.
    """
    with (
        progress_bar(label, len(items), shown=progress) as advance,
        ThreadPoolExecutor(workers or default_workers()) as pool,
    ):
        futures = [pool.submit(function, item) for item in items]
        results = []
        try:
            for future in futures:
                results.append(future.result())
                advance(1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return results
