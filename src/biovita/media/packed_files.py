"""Files within packed media, one Lance table of many files: read from local disk or object storage.

Decoders want a path, so a packed file lies on the disk while it is decoded and no longer: a run holds as many as it
has workers, however large the table is. Lance does not survive a fork: worker processes have to be spawned.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

from biovita.errors import MediaError
from biovita.lance_tables import no_panic, open_lance
from biovita.limits import memory_mib
from biovita.redact import redacted
from biovita.storage import for_lance

if TYPE_CHECKING:
    import lance

__all__ = ["MediaPath", "PackedFile", "as_media_path", "contents", "on_disk", "packed_table"]

_SUFFIX = 16  # characters of a temporary file's ending at most
_TABLES: dict[str, lance.LanceDataset] = {}  # open in this process, by address


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file within packed media.

    Attributes
    ----------
    address
        Of the Lance table: a path, or an address of object storage.
    row
        Its place in the table.
    path
        Under which the dataset's tables know it.
    size
        In bytes.
    content
        Its bytes, where they were read ahead.
    """

    address: str
    row: int
    path: str
    size: int
    content: bytes | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.path}"

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return PurePosixPath(self.path).suffix

    def is_file(self) -> bool:
        """Say that it is there: what is not in the table is no packed file."""
        return True

    def read_bytes(self) -> bytes:
        """Return its bytes.

        Raises
        ------
        MediaError
            ``unreadable`` where the table cannot be read, or holds another file in its row.
        """
        return contents([self])[self] if self.content is None else self.content


MediaPath: TypeAlias = Path | PackedFile


def as_media_path(path: str | MediaPath) -> MediaPath:
    """Return a path as a `Path`, and a packed file as it is."""
    return Path(path) if isinstance(path, str) else path


def packed_table(address: str, *, anew: bool = False) -> lance.LanceDataset:
    """Return the Lance table at an address; it is opened once in a process, unless ``anew`` is asked for.

    Raises
    ------
    OSError, ValueError
        Of Lance, where there is none; also where its files lie elsewhere, for a table may name any address, and where
        ``address`` holds more than a bucket and a path.
    """
    if anew or address not in _TABLES:
        _TABLES[address] = open_lance(*for_lance(address))
    return _TABLES[address]


def contents(files: Collection[PackedFile]) -> dict[PackedFile, bytes]:
    """Return the bytes of packed files, read together.

    Raises
    ------
    MediaError
        ``unreadable`` where a table cannot be read, or does not hold one of them where it should; ``too-large`` where
        one does not fit into the memory that is set.
    """
    found: dict[PackedFile, bytes] = {}
    for file in files:
        if file.size > memory_mib() << 20:
            raise MediaError(
                "too-large", f"{file}: the file has {file.size >> 20:,} MiB, and --memory is {memory_mib():,}"
            )
    for address in dict.fromkeys(file.address for file in files):
        here = list(dict.fromkeys(file for file in files if file.address == address))
        try:
            with no_panic():
                table = packed_table(address).take([file.row for file in here], columns=["path", "content"])
        except (OSError, ValueError) as error:
            why = redacted(f"{here[0]}: the file cannot be read: {str(error).splitlines()[0]}")
            raise MediaError("unreadable", why) from None
        for file, row in zip(here, table.to_pylist(), strict=True):
            if row["path"] != file.path:
                raise MediaError(
                    "unreadable", f"{file}: the packed media were replaced meanwhile. Open the dataset again"
                )
            if not isinstance(row["content"], bytes) or len(row["content"]) != file.size:
                raise MediaError(
                    "unreadable", f"{file}: the file does not have the {file.size} bytes that its table states"
                )
            found[file] = row["content"]
    return found


@contextmanager
def on_disk(path: MediaPath) -> Iterator[Path]:
    """Give a path to decode from: a packed file is a temporary file with the same ending until the block ends.

    What a `MediaError` in the block says of the temporary file, it says of the packed one.

    Raises
    ------
    MediaError
        ``unreadable`` where the packed file cannot be read.
    """
    if isinstance(path, Path):
        yield path
        return
    content = path.read_bytes()
    suffix = path.suffix if path.suffix[1:].isalnum() else ""
    handle, name = tempfile.mkstemp(prefix="biovita-", suffix=suffix[:_SUFFIX])
    place = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor has no path
            file.write(content)
        del content
        yield place
    except MediaError as error:
        raise MediaError(error.reason, str(error).replace(name, str(path))) from None
    finally:
        place.unlink()
