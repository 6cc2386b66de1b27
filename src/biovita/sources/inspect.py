"""Media files looked at in parallel: decoded once, and hashed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from biovita.compute.cores import cpu_count
from biovita.errors import MediaError
from biovita.hashing import sha256_of
from biovita.media import AudioProbe, ImageProbe, probe_audio, probe_image
from biovita.modality import Modality
from biovita.progress import progress_bar

__all__ = ["Inspected", "default_workers", "inspect_files", "map_threads"]

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Inspected:
    """A usable media file: what it holds, and the SHA-256 of its bytes."""

    probe: AudioProbe | ImageProbe
    sha256: str


def default_workers() -> int:
    """Return the number of threads to decode with: the processors this process may use, at most 16."""
    return min(16, cpu_count())


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise MediaError("unreadable", f"{path}: cannot be read: {error.strerror}") from None


def inspect_files(
    files: Sequence[tuple[Modality, Path]], *, workers: int | None = None, progress: bool = True
) -> dict[tuple[Modality, Path], Inspected | MediaError]:
    """Decode and hash each file, and return what it holds or why it cannot be used."""
    probes: Mapping[Modality, Callable[[Path], AudioProbe | ImageProbe]] = {
        Modality.AUDIO: probe_audio,
        Modality.IMAGE: probe_image,
    }

    def inspect(file: tuple[Modality, Path]) -> Inspected | MediaError:
        modality, path = file
        try:
            return Inspected(probes[modality](path), _hash(path))
        except MediaError as error:
            return error

    found = map_threads(inspect, files, workers=workers, progress=progress, label="Checking media")
    return dict(zip(files, found, strict=True))


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
