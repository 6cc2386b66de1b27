"""Looks at the files of many items: each is asked for size and time once, and hashed where these are not as stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from biovita.embedding.items import NO_FILE, file_state
from biovita.hashing import sha256_of
from biovita.media.packed_files import MediaPath, PackedFile

__all__ = ["FileLooks", "Look", "file_looks"]

_THREADS = 16
_TOGETHER = 256  # files that a thread looks at
Given = TypeVar("Given")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Look:
    """A file as it is now: its size in bytes, its time of change, and the hash of its bytes."""

    size: int
    mtime_ns: int
    sha256: str


@contextmanager
def file_looks(locate: Callable[[str], MediaPath]) -> Iterator[FileLooks]:
    """Give what looks at files by the paths of items; ``locate`` says where they lie."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="look") as pool:  # it has no thread before the first work
        yield FileLooks(locate, pool)


class FileLooks:
    """Looks at files, and remembers which folders are not there."""

    def __init__(self, locate: Callable[[str], MediaPath], pool: ThreadPoolExecutor) -> None:
        self._locate, self._pool = locate, pool
        self._there: set[str] = set()
        self._gone: set[str] = set()

    def changed(self, paths: pa.Array, sizes: np.ndarray, times: np.ndarray) -> dict[int, Look]:
        """Return the files whose size or time is not the one given, by their numbers.

        One that is not there, or that is packed, has not changed.

        Parameters
        ----------
        paths, sizes, times
            Of the files, which may come more than once.
        """
        encoded = paths.fill_null("").dictionary_encode()
        places: dict[int, Path] = {}
        for number, path in enumerate(encoded.dictionary.to_pylist()):
            folder = path.rpartition("/")[0]
            if folder not in self._gone and (place := self._place(path, folder)) is not None:
                places[number] = place
        states = np.full((len(encoded.dictionary), 2), NO_FILE, np.int64)
        if places:
            states[list(places)] = self._each(file_state, list(places.values()), _TOGETHER)
        of = encoded.indices.to_numpy()
        now = states[of]
        other = np.flatnonzero((now[:, 0] != NO_FILE[0]) & ((now[:, 0] != sizes) | (now[:, 1] != times)))
        files = list(dict.fromkeys(of[other].tolist()))
        hashes = dict(zip(files, self._each(sha256_of, [places[file] for file in files], 1), strict=True))
        return {row: Look(int(now[row, 0]), int(now[row, 1]), hashes[of[row]]) for row in other.tolist()}

    def _place(self, path: str, folder: str) -> Path | None:
        """Return where a file lies; None where it is packed, or its folder is not there."""
        place = self._locate(path)
        if isinstance(place, PackedFile):
            return None
        if folder not in self._there:
            (self._there if place.parent.is_dir() else self._gone).add(folder)
        return place if folder in self._there else None

    def _each(self, work: Callable[[Given], Found], files: Sequence[Given], together: int) -> list[Found]:
        """Return what comes out of each file, from threads where there are many."""
        if len(files) <= together:
            return [work(file) for file in files]
        parts = [files[start : start + together] for start in range(0, len(files), together)]
        return [
            found for part in self._pool.map(lambda some: [work(each) for each in some], parts) for found in part
        ]
