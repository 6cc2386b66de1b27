"""Foreign tables within the limits: what is read of a file, how long a line may be, and how much rows may hold."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

from biovita.errors import DatasetError
from biovita.limits import limit, memory_mib, over

__all__ = [
    "DAMAGED",
    "MAX_COLUMNS",
    "BoundedLines",
    "CountedBytes",
    "Held",
    "Meter",
    "open_bytes",
    "open_member",
    "open_zip",
    "row_limit",
]

MAX_COLUMNS = 10_000
# Deflate reaches 1,032 to 1; tables of text stay under 100.
MAX_RATIO = 250
_RATIO_FROM = 64 << 20  # bytes unpacked; what is smaller does no harm
_CHUNK = 1 << 16
_CELLS = 16  # of the longest that are accepted: so long may a row be
# What reading a damaged ZIP or gzip file raises, an encrypted or an unknown member included.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, gzip.BadGzipFile)
# And what opening one raises whose numbers and names lie.
_ZIP_FAULTS = (*DAMAGED, ValueError, OSError, struct.error, IndexError)
MAX_DIRECTORY = 16 << 20  # bytes; a download from GBIF lists tens of thousands of members in a third of that
_ZIP_TAIL = (1 << 16) + 200  # bytes that the end of a ZIP file takes, with the longest comment


class _Raw(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Meter:
    """Counts the bytes that are read of one compressed file, all its members together.

    Parameters
    ----------
    where
        The file, for errors.
    packed
        Its size as it lies on disk; None where it is not compressed, and only counted.
    """

    def __init__(self, where: str, packed: int | None) -> None:
        self.read = 0
        self._where, self._packed, self._limit = where, packed, limit("archive")
        self._most = self._limit if packed is None else max(_RATIO_FROM, MAX_RATIO * packed)

    def add(self, size: int) -> None:
        """Count bytes.

        Raises
        ------
        DatasetError
            Where more is read than the limit ``archive``, or out of all proportion to the size of the file.
        """
        self.read += size
        if self._packed is None:
            return
        if self.read > self._limit:
            raise DatasetError(f"{self._where} unpacks to too much: {over('archive')}")
        if self.read > self._most:
            raise DatasetError(
                f"{self._where}: {self._packed} bytes would unpack to more than {self._most}; "
                f"more than {MAX_RATIO} to 1 is refused"
            )


class Held:
    """Counts about how much memory the rows of a table take that are held all at once.

    Parameters
    ----------
    least
        Bytes that are accepted in any case.
    """

    def __init__(self, where: str, least: int = 0) -> None:
        self._where, self._most = where, max(memory_mib() << 20, least)
        self._size = 0

    def add(self, size: int) -> None:
        """Count bytes.

        Raises
        ------
        DatasetError
            Where they are more than the memory that may be used.
        """
        self._size += size
        if self._size > self._most:
            raise DatasetError(
                f"{self._where}: its rows take more than {self._most >> 20} MiB of memory "
                "(--memory MIB sets another amount)"
            )


def row_limit() -> int:
    """Return how many characters (or bytes) a row may have."""
    return _CELLS * limit("cell")


class CountedBytes(io.BufferedIOBase):
    """Bytes that a meter is told of."""

    def __init__(self, raw: _Raw, meter: Meter) -> None:
        self._raw, self._meter = raw, meter

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        chunk = self._raw.read(-1 if size is None else size)
        self._meter.add(len(chunk))
        return chunk

    def read1(self, size: int = -1, /) -> bytes:
        """Return what `read` does."""
        return self.read(size)


class BoundedLines(io.BufferedIOBase):
    """The bytes of a text, but of a line that is too long only its beginning; ``cuts`` counts such lines.

    Parameters
    ----------
    meter
        Told of what is read, where that is given.
    most
        Bytes of a line; None is `row_limit`.
    """

    def __init__(self, raw: _Raw, meter: Meter | None = None, most: int | None = None) -> None:
        self.cuts = 0
        self._raw, self._meter, self._most = raw, meter, most or row_limit()
        self._line = 0  # bytes of the line that is being read

    def readable(self) -> bool:
        """Return True."""
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """Return some bytes; none at the end. A text wrapper takes more than it asks for."""
        while True:
            chunk = self._raw.read(max(size, _CHUNK))
            if self._meter is not None:
                self._meter.add(len(chunk))
            kept = chunk if self._line + len(chunk) <= self._most else self._cut(chunk)
            end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
            self._line = self._line + len(chunk) if end < 0 else len(chunk) - 1 - end
            if kept or not chunk:
                return kept

    def as_text(self, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
        """Return the text, its line ends as they stand."""
        return io.TextIOWrapper(cast(BinaryIO, self), encoding=encoding, errors=errors, newline="")

    def read(self, size: int | None = -1, /) -> bytes:
        """Return what `read1` does."""
        return self.read1(-1 if size is None else size)

    def _cut(self, chunk: bytes) -> bytes:
        """Return a chunk without the rest of a line that is too long and began before it."""
        ends = [at for at in (chunk.find(b"\n"), chunk.find(b"\r")) if at >= 0]
        first = min(ends, default=len(chunk))
        room = max(0, self._most - self._line)
        if first <= room:
            return chunk
        self.cuts += self._line <= self._most
        return chunk[:room] + chunk[first:]


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[IO[bytes], Meter | None]]:
    """Open a file, unpacked where its name ends in ``.gz``; with what counts the bytes that are unpacked.

    Raises
    ------
    DatasetError
        Where it is no regular file, or cannot be read.
    """
    if not path.is_file():
        what = "is not a regular file" if path.exists() else "there is no such file"
        raise DatasetError(f"{path}: {what}")
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as unpacked:
                yield unpacked, Meter(str(path), path.stat().st_size)  # type: ignore[misc] # GzipFile
        else:
            with path.open("rb") as file:
                yield file, None
    except (OSError, *DAMAGED) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None


def open_member(archive: zipfile.ZipFile, name: str, where: str) -> IO[bytes]:
    """Return a member of a ZIP file, open for reading.

    Raises
    ------
    DatasetError
        Where it is encrypted, compressed by a method other than deflate (which would not unpack piece by piece), or
        states a size out of proportion.
    """
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise DatasetError(f"{where}: {name} is encrypted")
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise DatasetError(
            f"{where}: {name} is compressed by the method {info.compress_type}. "
            "Only members that are stored or deflated are read"
        )
    if info.file_size > _RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        raise DatasetError(
            f"{where}: {name} would unpack from {info.compress_size} to {info.file_size} bytes; "
            f"more than {MAX_RATIO} to 1 is refused"
        )
    try:
        return archive.open(info)
    except _ZIP_FAULTS as error:
        raise DatasetError(f"{where}: {name} is damaged: {error}") from None


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a ZIP file.

    Raises
    ------
    DatasetError
        Where it is damaged, or lists far more members than anybody puts into one.
    """
    with path.open("rb") as file:
        if (size := _directory_size(file)) > MAX_DIRECTORY:
            raise DatasetError(
                f"{path}: the list of its members has {size} bytes, and at most {MAX_DIRECTORY} are accepted"
            )
        try:
            archive = zipfile.ZipFile(file)
        except _ZIP_FAULTS as error:
            raise DatasetError(f"{path}: is a damaged ZIP file: {error}") from None
        with archive:
            yield archive


def _directory_size(file: IO[bytes]) -> int:
    """Return the size of the list of members, the largest that the end of a ZIP file states."""
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - _ZIP_TAIL))
    tail, sizes = file.read(_ZIP_TAIL), [0]
    for signature, at, form in ((b"PK\5\6", 12, "<L"), (b"PK\6\6", 40, "<Q")):
        found = tail.find(signature)
        while found >= 0:
            stated = tail[found + at : found + at + struct.calcsize(form)]
            if len(stated) == struct.calcsize(form) and stated != b"\xff\xff\xff\xff":
                sizes.append(struct.unpack(form, stated)[0])
            found = tail.find(signature, found + 1)
    return max(sizes)
