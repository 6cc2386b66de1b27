"""The files of a Darwin Core archive, in a ZIP file or a directory, and the rows that they hold.

Nothing is unpacked: members are read as streams, so a name such as ``../x`` has nowhere to go.
"""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from biovita.csv_records import BrokenRow, Dialect, Record, records, split_header
from biovita.errors import DatasetError
from biovita.foreign_tables import DAMAGED, CountedBytes, Meter, open_member, open_zip, row_limit
from biovita.limits import limit, over
from biovita.sources.darwin_core_meta import DataFile, Field, Meta, parse_meta

__all__ = ["ArchiveRow", "DarwinCoreArchive", "open_archive"]

MAX_META_BYTES = 1 << 20
MAX_ROW_LINES = 1000  # of a row whose quoted fields hold line ends
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """A row: its line in the file (the first is 1), its id or core id, and its values by full term."""

    line: int
    id: str | None
    data: dict[str, str]


class _Members(Protocol):
    @property
    def names(self) -> frozenset[str]: ...

    def open(self, name: str) -> IO[bytes]: ...

    def place(self, name: str) -> object:
        """Return where a member's bytes are: the same for two names of them."""


@dataclass(frozen=True)
class _ZipMembers:
    path: Path
    file: zipfile.ZipFile

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(info.filename for info in self.file.infolist() if not info.is_dir())

    def open(self, name: str) -> IO[bytes]:
        return open_member(self.file, name, str(self.path))

    def place(self, name: str) -> object:
        return self.file.getinfo(name).header_offset


@dataclass(frozen=True)
class _FolderMembers:
    path: Path

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file())

    def open(self, name: str) -> IO[bytes]:
        file = (self.path / name).resolve()
        if not file.is_relative_to(self.path.resolve()):
            raise DatasetError(f"{self.path}: {name} leads out of the archive")
        return file.open("rb")

    def place(self, name: str) -> object:
        return (self.path / name).resolve()


@dataclass(frozen=True)
class _OneFile(_FolderMembers):
    """A bare table; what else lies in its folder is none of ours."""

    name: str

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset({self.name})


@dataclass(frozen=True)
class DarwinCoreArchive:
    """An open archive: what its meta file says, and its rows.

    Attributes
    ----------
    root
        Directory within the archive that its files lie in; empty where they lie at the top.
    meter
        Counts the bytes that are read of its files, unpacked.
    """

    path: Path
    meta: Meta
    root: str
    members: _Members
    meter: Meter

    def rows(self, file: DataFile) -> Iterator[ArchiveRow | BrokenRow]:
        """Yield the rows of the core or of an extension, in order, with those that cannot be read."""
        for location in file.locations:
            with self._open(location) as stream:
                yield from _rows(_lines(CountedBytes(stream, self.meter), file, f"{self.path}: {location}"), file)

    def refuse_repeats(self, files: Sequence[DataFile]) -> None:
        """Refuse to read a file of the archive twice, under whatever names.

        Raises
        ------
        DatasetError
            Where two of the files are one, or one of them is not there.
        """
        seen: dict[object, str] = {}
        for location in (location for file in files for location in file.locations):
            place = self.members.place(self._member(location))
            if place in seen:
                raise DatasetError(f"{self.path}: meta.xml names one file as {seen[place]!r} and as {location!r}")
            seen[place] = location

    @contextmanager
    def _open(self, location: str) -> Iterator[IO[bytes]]:
        name = self._member(location)
        try:
            with self.members.open(name) as stream:
                yield stream
        except DAMAGED as error:
            raise DatasetError(f"{self.path}: {location} is damaged: {error}") from None

    def _member(self, location: str) -> str:
        if "://" in location or location.startswith(("/", "\\")) or ".." in PurePosixPath(location).parts:
            raise DatasetError(f"{self.path}: meta.xml names {location!r}, which is not a file within the archive")
        name = (PurePosixPath(self.root) / location).as_posix()
        if name not in self.members.names:
            raise DatasetError(f"{self.path}: meta.xml names {location!r}, and the archive has no such file")
        return name


@contextmanager
def open_archive(path: Path) -> Iterator[DarwinCoreArchive]:
    """Open an archive (ZIP or directory), a zipped simple download, or a bare table.

    Raises
    ------
    DatasetError
        Where it is none of them, or its meta file cannot be used; nothing is written anywhere.
    """
    if path.is_dir():
        yield _archive(path, _FolderMembers(path), None)
    elif not path.is_file():
        raise DatasetError(f"{path}: there is no such file or directory")
    elif zipfile.is_zipfile(path):
        with open_zip(path) as file:
            yield _archive(path, _ZipMembers(path, file), path.stat().st_size)
    elif path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        members = _OneFile(path.parent, path.name)
        yield DarwinCoreArchive(path, Meta(_simple(path, members, path.name)), "", members, Meter(str(path), None))
    else:
        raise DatasetError(f"{path}: is neither a ZIP file nor a table (.csv, .tsv, .txt)")


def _archive(path: Path, members: _Members, packed: int | None) -> DarwinCoreArchive:
    meter = Meter(str(path), packed)
    names = [name for name in members.names if not name.startswith("__MACOSX/")]
    metas = sorted(
        (name for name in names if PurePosixPath(name).name == "meta.xml"), key=lambda n: (n.count("/"), n)
    )
    if metas and metas[0].count("/") <= 1:
        root = metas[0].removesuffix("meta.xml").rstrip("/")
        content = _head(path, members, metas[0], MAX_META_BYTES + 1)
        if len(content) > MAX_META_BYTES:
            raise DatasetError(f"{path}: {metas[0]} is larger than {MAX_META_BYTES} bytes")
        return DarwinCoreArchive(path, parse_meta(content, f"{path}: {metas[0]}"), root, members, meter)
    tables = [name for name in names if name.lower().endswith((".csv", ".txt", ".tsv"))]
    others = [name for name in names if name not in tables and PurePosixPath(name).name.lower() != "eml.xml"]
    if len(tables) != 1 or others:
        found = ", ".join(sorted(names)[:5]) or "nothing"
        raise DatasetError(
            f"{path}: has no meta.xml, so it has to hold one table and at most an EML.xml beside it; "
            f"it holds {found}"
        )
    return DarwinCoreArchive(path, Meta(_simple(path, members, tables[0])), "", members, meter)


def _simple(path: Path, members: _Members, name: str) -> DataFile:
    """Return the description of a table without a meta file: its header names the terms."""
    where, most = f"{path}: {name}", row_limit()
    head = _head(path, members, name, most + 1).split(b"\n", 1)[0]
    try:
        line = head.decode("utf-8-sig").rstrip("\r") if len(head) <= most else None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}, line 1: is not UTF-8: {error}") from None
    delimiter, header = split_header(line, where, "\t,;")
    if len(header) < 2:
        raise DatasetError(f"{where}, line 1: has to hold column names, separated by tabs or commas")
    fields = tuple(Field(term, index) for index, term in enumerate(header))
    return DataFile((name,), "", fields, None, "utf-8-sig", delimiter, "\n", '"', header_lines=1)


def _head(path: Path, members: _Members, name: str, size: int) -> bytes:
    try:
        with members.open(name) as stream:
            return stream.read(size)
    except DAMAGED as error:
        raise DatasetError(f"{path}: {name} is damaged: {error}") from None


def _lines(stream: CountedBytes, file: DataFile, where: str) -> Iterator[tuple[int, str | None]]:
    """Yield numbered lines without their ends, None for one that is too long."""
    decoder = codecs.getincrementaldecoder(file.encoding)()
    most, most_lines, end = row_limit(), limit("rows") + file.header_lines, file.line_end
    number, rest, skipping = 0, "", False
    while True:
        chunk = stream.read(max(_CHUNK, len(rest)))  # twice as much each time that no line ends
        try:
            rest += decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{where}, line {number + rest.count(end) + error.object[: error.start].count(10) + 1}: "
                f"is not {file.encoding}: {error.reason} (byte {error.object[error.start]:#04x})"
            ) from None
        *lines, rest = rest.split(end)
        if skipping and lines:
            skipping, lines = False, lines[1:]
            number += 1
            yield number, None
        for line in lines:
            number += 1
            yield number, line
        if number > most_lines:
            raise DatasetError(f"{where}: has too many rows: {over('rows')}")
        if len(rest) > most:
            skipping, rest = True, rest[len(rest) - len(end) + 1 :]
        if not chunk:
            if rest or skipping:
                yield number + 1, None if skipping else rest
            return


def _rows(lines: Iterator[tuple[int, str | None]], file: DataFile) -> Iterator[ArchiveRow | BrokenRow]:
    if file.quote and (len(file.delimiter) != 1 or len(file.quote) != 1):
        raise DatasetError(
            f"{file.locations[0]}: enclosed fields need a separator and a quote of one character each, "
            f"and meta.xml gives {file.delimiter!r} and {file.quote!r}"
        )
    body = ((number, text and text.rstrip("\r")) for number, text in lines if number > file.header_lines)
    for row in records(body, Dialect(file.delimiter, file.quote, strict=False, most_lines=MAX_ROW_LINES)):
        if isinstance(row, BrokenRow):
            yield row
        elif any(row.cells):
            yield _row(row, file)


def _row(row: Record, file: DataFile) -> ArchiveRow | BrokenRow:
    values = row.cells
    if len(values) < file.width:
        detail = f"the row has {len(values)} columns, and the table has {file.width}"
        return BrokenRow(row.line, "too-few-columns", detail)
    data = {}
    for field in file.fields:
        value = values[field.index] if field.index is not None else ""
        data[field.term] = field.default if not value and field.default is not None else value
    return ArchiveRow(row.line, None if file.id_index is None else values[file.id_index], data)
