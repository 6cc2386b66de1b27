"""The files of a Darwin Core archive, in a ZIP file or a directory, and the rows that they hold.

Nothing is unpacked: members are read as streams, so a name such as ``../x`` has nowhere to go.
"""

from __future__ import annotations

import codecs
import csv
import io
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from biovita.errors import DatasetError
from biovita.sources.darwin_core_meta import DataFile, Field, Meta, parse_meta

__all__ = ["Archive", "Row", "RowError", "open_archive"]

MAX_META_BYTES = 16 << 20
MAX_LINE = 16 << 20  # characters
MAX_ROW_LINES = 1000  # of a row whose quoted fields hold line ends
# Deflate reaches 1,032 to 1; tables of text stay under 100.
MAX_RATIO = 250
_RATIO_FROM = 64 << 20  # bytes unpacked; what is smaller does no harm


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its line in the file (the first is 1), its id or core id, and its values by full term."""

    line: int
    id: str | None
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be read."""

    line: int
    reason: str
    detail: str


class _Members(Protocol):
    def names(self) -> list[str]: ...

    def open(self, name: str) -> IO[bytes]: ...


@dataclass(frozen=True, slots=True)
class _ZipMembers:
    path: Path
    file: zipfile.ZipFile

    def names(self) -> list[str]:
        return [info.filename for info in self.file.infolist() if not info.is_dir()]

    def open(self, name: str) -> IO[bytes]:
        info = self.file.getinfo(name)
        if info.flag_bits & 1:
            raise DatasetError(f"{self.path}: {name} is encrypted")
        if info.file_size > _RATIO_FROM and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise DatasetError(
                f"{self.path}: {name} would unpack from {info.compress_size} to {info.file_size} bytes; "
                f"more than {MAX_RATIO} to 1 is refused"
            )
        return self.file.open(info)


@dataclass(frozen=True, slots=True)
class _FolderMembers:
    path: Path

    def names(self) -> list[str]:
        return sorted(file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file())

    def open(self, name: str) -> IO[bytes]:
        file = (self.path / name).resolve()
        if not file.is_relative_to(self.path.resolve()):
            raise DatasetError(f"{self.path}: {name} leads out of the archive")
        return file.open("rb")


@dataclass(frozen=True)
class Archive:
    """An open archive: what its meta file says, and its rows.

    Attributes
    ----------
    root
        Directory within the archive that its files lie in; empty where they lie at the top.
    """

    path: Path
    meta: Meta
    root: str
    members: _Members

    def rows(self, file: DataFile) -> Iterator[Row | RowError]:
        """Yield the rows of the core or of an extension, in order, with those that cannot be read."""
        for location in file.locations:
            with self._open(location) as stream:
                yield from _rows(_lines(stream, file, f"{self.path}: {location}"), file)

    @contextmanager
    def _open(self, location: str) -> Iterator[IO[bytes]]:
        name = self._member(location)
        try:
            with self.members.open(name) as stream:
                yield stream
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise DatasetError(f"{self.path}: {location} is damaged: {error}") from None

    def _member(self, location: str) -> str:
        if "://" in location or location.startswith(("/", "\\")) or ".." in PurePosixPath(location).parts:
            raise DatasetError(f"{self.path}: meta.xml names {location!r}, which is not a file within the archive")
        name = (PurePosixPath(self.root) / location).as_posix()
        if name not in self.members.names():
            raise DatasetError(f"{self.path}: meta.xml names {location!r}, and the archive has no such file")
        return name


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an archive (ZIP or directory), a zipped simple download, or a bare table.

    Raises
    ------
    DatasetError
        Where it is none of them, or its meta file cannot be used; nothing is written anywhere.
    """
    if path.is_dir():
        yield _archive(path, _FolderMembers(path))
    elif zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as file:
                yield _archive(path, _ZipMembers(path, file))
        except zipfile.BadZipFile as error:
            raise DatasetError(f"{path}: is a damaged ZIP file: {error}") from None
    elif path.is_file():
        if path.suffix.lower() not in {".csv", ".tsv", ".txt"}:
            raise DatasetError(f"{path}: is neither a ZIP file nor a table (.csv, .tsv, .txt)")
        members = _FolderMembers(path.parent)
        yield Archive(path, Meta(_simple(path, members, path.name)), "", members)
    else:
        raise DatasetError(f"{path}: there is no such file or directory")


def _archive(path: Path, members: _Members) -> Archive:
    names = [name for name in members.names() if not name.startswith("__MACOSX/")]
    metas = sorted((name for name in names if PurePosixPath(name).name == "meta.xml"), key=lambda n: n.count("/"))
    if metas and metas[0].count("/") <= 1:
        root = metas[0].removesuffix("meta.xml").rstrip("/")
        with members.open(metas[0]) as stream:
            content = stream.read(MAX_META_BYTES + 1)
        if len(content) > MAX_META_BYTES:
            raise DatasetError(f"{path}: {metas[0]} is larger than {MAX_META_BYTES} bytes")
        return Archive(path, parse_meta(content, f"{path}: {metas[0]}"), root, members)
    tables = [name for name in names if name.lower().endswith((".csv", ".txt", ".tsv"))]
    others = [name for name in names if name not in tables and PurePosixPath(name).name.lower() != "eml.xml"]
    if len(tables) != 1 or others:
        found = ", ".join(sorted(names)[:5]) or "nothing"
        raise DatasetError(
            f"{path}: has no meta.xml, so it has to hold one table and at most an EML.xml beside it; "
            f"it holds {found}"
        )
    return Archive(path, Meta(_simple(path, members, tables[0])), "", members)


def _simple(path: Path, members: _Members, name: str) -> DataFile:
    """Return the description of a table without a meta file: its header names the terms."""
    with members.open(name) as stream:
        head = stream.readline(MAX_LINE)
    try:
        line = head.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: {name}, line 1: is not UTF-8: {error}") from None
    delimiter = max("\t,;", key=line.count)
    if delimiter not in line:
        raise DatasetError(f"{path}: {name}, line 1: expected column names separated by tabs or commas")
    header = next(csv.reader([line], delimiter=delimiter))
    fields = tuple(Field(term.strip(), index) for index, term in enumerate(header))
    return DataFile((name,), "", fields, None, "utf-8-sig", delimiter, "\n", '"', header_lines=1)


def _lines(stream: IO[bytes], file: DataFile, where: str) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without their ends; a carriage return before a line feed goes with it."""
    decoder = codecs.getincrementaldecoder(file.encoding)()
    number, rest = 0, ""
    while True:
        chunk = stream.read(1 << 16)
        try:
            rest += decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise DatasetError(
                f"{where}, line {number + rest.count(file.line_end) + error.object[: error.start].count(10) + 1}: "
                f"is not {file.encoding}: {error.reason} (byte {error.object[error.start]:#04x})"
            ) from None
        *lines, rest = rest.split(file.line_end)
        for line in lines:
            number += 1
            yield number, line
        if len(rest) > MAX_LINE:
            raise DatasetError(f"{where}, line {number + 1}: is longer than {MAX_LINE} characters")
        if not chunk:
            if rest:
                yield number + 1, rest
            return


def _rows(lines: Iterator[tuple[int, str]], file: DataFile) -> Iterator[Row | RowError]:
    for line, values in _split(lines, file):
        if isinstance(values, RowError):
            yield values
        elif values and any(values):
            yield _row(line, values, file)


def _row(line: int, values: list[str], file: DataFile) -> Row | RowError:
    if len(values) < file.width:
        return RowError(line, "too-few-columns", f"{len(values)} columns, and {file.width} are described")
    data = {}
    for field in file.fields:
        value = values[field.index] if field.index is not None else ""
        data[field.term] = field.default if not value and field.default is not None else value
    return Row(line, None if file.id_index is None else values[file.id_index], data)


def _split(lines: Iterator[tuple[int, str]], file: DataFile) -> Iterator[tuple[int, list[str] | RowError]]:
    body = ((number, text) for number, text in lines if number > file.header_lines)
    if not file.quote:
        for number, text in body:
            yield number, text.rstrip("\r").split(file.delimiter)
        return
    if len(file.delimiter) != 1 or len(file.quote) != 1:
        raise DatasetError(
            f"{file.locations[0]}: enclosed fields need a separator and a quote of one character each, "
            f"and meta.xml gives {file.delimiter!r} and {file.quote!r}"
        )
    yield from _quoted(body, file)


def _quoted(body: Iterator[tuple[int, str]], file: DataFile) -> Iterator[tuple[int, list[str] | RowError]]:
    """Join the lines of fields that hold line ends, and take rows apart; a quote within a field is doubled."""
    waiting: deque[tuple[int, str]] = deque()  # lines looked at already
    while line := waiting.popleft() if waiting else next(body, None):
        first, whole = line[0], line[1].rstrip("\r")
        taken: list[tuple[int, str]] = []
        while _is_open(whole, file) and len(taken) < MAX_ROW_LINES:
            following = waiting.popleft() if waiting else next(body, None)
            if following is None:
                break
            taken.append(following)
            whole += "\n" + following[1].rstrip("\r")
        if _is_open(whole, file):
            waiting.extendleft(reversed(taken))
            yield first, RowError(first, "open-quote", f"a quote {file.quote} is opened and never closed")
            continue
        reader = csv.reader(io.StringIO(whole, newline=""), delimiter=file.delimiter, quotechar=file.quote)
        try:
            yield first, next(reader, [])
        except csv.Error as error:
            yield first, RowError(first, "not-csv", str(error))


def _is_open(text: str, file: DataFile) -> bool:
    """Return whether the last field of a row begins with a quote that nothing closes yet."""
    if text.count(file.quote) % 2 == 0:
        return False
    inside, may_open = False, True  # a quote opens at the start of a field, or right after one that closed
    for char in text:
        if char == file.quote and (inside or may_open):
            inside = not inside
            may_open = not inside
        elif not inside:
            may_open = char == file.delimiter
    return inside


csv.field_size_limit(MAX_LINE)
