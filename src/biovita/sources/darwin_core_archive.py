"""The files of a Darwin Core archive, in a ZIP file or a directory, and the rows that they hold.

Nothing is unpacked: members are read as streams, so a name such as ``../x`` has nowhere to go.
"""

from __future__ import annotations

import codecs
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from biovita.csv_records import BrokenRow, Dialect, Record, not_decoded, records, split_header
from biovita.errors import DatasetError
from biovita.foreign_tables import DAMAGED, CountedBytes, Meter, open_member, open_zip, row_limit
from biovita.limits import limit, over
from biovita.sources.darwin_core_layout import LOOKED_AT, as_written, first_line, shown_encoding
from biovita.sources.darwin_core_meta import DataFile, Field, Meta, check_separators, parse_meta
from biovita.sources.rows_read import TableRead

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
        return frozenset(info.filename for info in self.file.infolist() if not info.filename.endswith("/"))

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
    tables
        What was read of each table so far, those that were read to their ends.
    """

    path: Path
    meta: Meta
    root: str
    members: _Members
    meter: Meter
    tables: list[TableRead] = field(default_factory=list)

    def rows(self, file: DataFile) -> Iterator[ArchiveRow | BrokenRow]:
        """Yield the rows of the core or of an extension, in order, with those that cannot be read."""
        for location in file.locations:
            with self._open(location) as stream:
                counted, where = CountedBytes(stream, self.meter), f"{self.path}: {location}"
                head = _first(counted)
                written, notes = as_written(file, head, whole=len(head) < LOOKED_AT)
                check_separators(where, written)
                rows = skipped = 0
                for row in _rows(_lines(counted, head, written, where), written):
                    rows += 1
                    if row is None:
                        skipped += 1
                    else:
                        yield row
            if not rows:
                notes = (*notes, "it has no row below its header" if head.strip() else "it is empty")
            self.tables.append(TableRead(location, rows, skipped, tuple(f"{location}: {each}" for each in notes)))

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
    """Return the description of a table without a meta file: its header names the terms.

    GBIF's downloads are tab separated, and their quotes are text. In tables of R, rows may begin with a name that the
    header has no column for.
    """
    where, most = f"{path}: {name}", row_limit()
    head = _head(path, members, name, most + 1)
    encoding = shown_encoding(head[:LOOKED_AT], "utf-8")
    line = first_line(head[: most + 1], encoding)
    delimiter, header = split_header(line if len(line) <= most else None, where, "\t,;")
    if len(header) < 2:
        raise DatasetError(f"{where}, line 1: has to hold column names, separated by tabs or commas")
    is_of_gbif = delimiter == "\t" and '"' not in line and _OF_GBIF & {each.lower() for each in header}
    shift = 0 if is_of_gbif else _row_names(head, encoding, delimiter, len(header))
    fields = tuple(Field(term, index) for index, term in enumerate(header, start=shift) if term)
    return DataFile(
        (name,), "", fields, None, encoding, delimiter, "\n", "" if is_of_gbif else '"', header_lines=1
    )


_OF_GBIF = {"gbifid", "datasetkey", "taxonkey", "specieskey"}


def _row_names(head: bytes, encoding: str, delimiter: str, width: int) -> int:
    """Return 1 where the next line has one cell more than the header, and the last is not empty; else 0."""
    lines = head[:LOOKED_AT].decode(encoding, "replace").splitlines()[1:2]
    cells = [row.cells for row in records(iter(enumerate(lines)), Dialect(delimiter)) if isinstance(row, Record)]
    return int(bool(cells) and len(cells[0]) == width + 1 and cells[0][-1] != "")


def _head(path: Path, members: _Members, name: str, size: int) -> bytes:
    try:
        with members.open(name) as stream:
            return stream.read(size)
    except DAMAGED as error:
        raise DatasetError(f"{path}: {name} is damaged: {error}") from None


def _first(stream: CountedBytes) -> bytes:
    """Return the first `LOOKED_AT` bytes of a stream, or all where there are fewer."""
    head = b""
    while len(head) < LOOKED_AT and (chunk := stream.read(LOOKED_AT - len(head))):
        head += chunk
    return head


def _lines(stream: CountedBytes, head: bytes, file: DataFile, where: str) -> Iterator[tuple[int, str | None]]:
    """Yield numbered lines without their ends, None for one that is too long; ``head`` was read already."""
    decoder = codecs.getincrementaldecoder(file.encoding)("surrogateescape")
    most, most_lines, end = row_limit(), limit("rows") + file.header_lines, file.line_end
    number, rest, skipping, chunk = 0, "", False, head
    while True:
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
        chunk = stream.read(max(_CHUNK, len(rest)))  # twice as much each time that no line ends


def _rows(lines: Iterator[tuple[int, str | None]], file: DataFile) -> Iterator[ArchiveRow | BrokenRow | None]:
    """Yield rows; None is one of empty cells."""
    if file.quote and (len(file.delimiter) != 1 or len(file.quote) != 1):
        raise DatasetError(
            f"{file.locations[0]}: enclosed fields need a separator and a quote of one character each, "
            f"and meta.xml gives {file.delimiter!r} and {file.quote!r}"
        )
    body = ((number, text and text.rstrip("\r")) for number, text in lines if number > file.header_lines)
    dialect = Dialect(file.delimiter, file.quote, strict=False, most_lines=MAX_ROW_LINES)
    for row in records(body, dialect, columns=file.columns):
        if isinstance(row, BrokenRow):
            yield row
        else:
            yield _row(row, file) if any(row.cells) else None


def _row(row: Record, file: DataFile) -> ArchiveRow | BrokenRow:
    values = row.cells
    if len(values) < file.width:
        detail = f"the row has {len(values)} columns, and the table has {file.width}"
        return BrokenRow(row.line, "too-few-columns", detail)
    if file.columns is not None and len(values) > file.columns and any(values[file.columns :]):
        detail = f"the row has {len(values)} columns, and most rows have {file.columns}"
        return BrokenRow(row.line, "too-many-columns", detail)
    if not_decoded("".join(values)):
        return BrokenRow(
            row.line, "not-utf8", f"the row holds bytes that are not {file.encoding.removesuffix('-sig')}"
        )
    data = {}
    for each in file.fields:
        value = values[each.index] if each.index is not None else ""
        data[each.term] = each.default if not value and each.default is not None else value
    return ArchiveRow(row.line, None if file.id_index is None else values[file.id_index], data)
