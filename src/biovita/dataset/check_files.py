"""The files that a dataset names: whether they are there, with the bytes and of the kind that its tables state."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.dataset.problems import DatasetProblem
from biovita.errors import DatasetError, MediaError
from biovita.files import open_regular
from biovita.media.packed_files import MediaPath, PackedFile
from biovita.media.sniff import HEAD_BYTES, FileKind, kind_of
from biovita.modality import Modality

__all__ = ["file_problems"]

_THREADS = 4
_TOGETHER = 32  # files that a thread looks at in turn
_KEPT = 1 << 16  # files that are not looked at again, for the spans that come next
_NO_KIND = FileKind("unknown", "not read")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a file; ``state`` is why it cannot be used."""

    state: str | None
    sha256: str = ""
    kind: FileKind = _NO_KIND


_THERE = _Seen(None)


def file_problems(
    dataset: Dataset, name: str, modality: Modality, rows: Iterable[pa.RecordBatch], *, hashes: bool
) -> Iterator[DatasetProblem]:
    """Yield what is wrong with the files of a table, row after row.

    A file is looked at once for all its spans that come within some ten thousand files.

    Parameters
    ----------
    rows
        ``id``, ``path`` and ``sha256`` of the table.
    hashes
        Read each file, for its hash and its kind.
    """

    @lru_cache(_KEPT)
    def look(path: str) -> _Seen:
        return _read(dataset.locate(path)) if hashes else _look(dataset.locate(path))

    def look_at(paths: pa.Array) -> list[_Seen]:
        return [look(path) for path in paths.to_pylist()]

    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for batch in rows:
                named = batch.filter(batch.column("path").is_valid())
                coded = named.column("path").dictionary_encode()
                paths, files = coded.dictionary, coded.indices.to_numpy()
                some = [paths.slice(start, _TOGETHER) for start in range(0, len(paths), _TOGETHER)]
                seen = [each for found in pool.map(look_at, some) for each in found]
                odd = _are_odd(named.column("sha256"), files, seen, modality, hashes=hashes)
                faulty = named.filter(pa.array(odd)).to_pylist()
                for row, file in zip(faulty, files[odd].tolist(), strict=True):
                    code, what = _fault(seen[file], row["sha256"])
                    yield DatasetProblem(code, name, str(row["id"]), f"{dataset.locate(row['path'])}: {what}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _are_odd(
    stated: pa.Array, files: np.ndarray, seen: list[_Seen], modality: Modality, *, hashes: bool
) -> np.ndarray:
    """Return of which rows something is wrong with the file, ``(rows,)``, bool."""
    families = {modality.value, "unknown"}
    odd = np.array([each.state is not None or each.kind.family not in families for each in seen], bool)[files]
    if hashes:
        found = pa.array([each.sha256 for each in seen], pa.string()).take(pa.array(files))
        odd |= pc.fill_null(pc.not_equal(found, stated), True).to_numpy(zero_copy_only=False)  # noqa: FBT003 - pyarrow takes it by position only
    return odd


def _fault(seen: _Seen, sha256: str | None) -> tuple[str, str]:
    """Return the code of what is wrong with a file, and what it is."""
    if seen.state is not None:
        return "missing-file", seen.state
    if seen.sha256 != sha256:
        return "changed-file", "its bytes have changed"
    return "not-media", f"is {seen.kind.description}"


def _look(path: MediaPath) -> _Seen:
    """Look whether a file is there, without opening it: a device or a pipe would have no end."""
    if isinstance(path, PackedFile):
        return _THERE
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _Seen("there is no such file")
    except OSError as error:
        return _Seen(str(error.strerror))
    except ValueError as error:
        return _Seen(str(error))
    return _THERE if stat.S_ISREG(mode) else _Seen("is not a regular file")


def _read(path: MediaPath) -> _Seen:
    """Read a file that is there, for its hash and its kind."""
    seen = _look(path)
    if seen.state is not None:
        return seen
    try:
        if isinstance(path, PackedFile):
            content = path.read_bytes()
            return _Seen(None, hashlib.sha256(content).hexdigest(), kind_of(content[:HEAD_BYTES]))
        with open_regular(path) as file:
            kind = kind_of(file.read(HEAD_BYTES))
            file.seek(0)
            return _Seen(None, hashlib.file_digest(file, "sha256").hexdigest(), kind)
    except OSError as error:
        return _Seen(str(error.strerror))
    except MediaError as error:
        return _Seen(error.reason)
    except DatasetError as error:  # another file lies there meanwhile
        return _Seen(str(error))
