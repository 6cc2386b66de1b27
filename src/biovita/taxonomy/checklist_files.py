"""The tables of a checklist: one file, the files of a folder, or the members of a ZIP file, each opened as bytes."""

from __future__ import annotations

import csv
import io
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from biovita.csv_table import BrokenRow, open_csv
from biovita.errors import DatasetError
from biovita.foreign_tables import DAMAGED, CountedBytes, Meter, open_bytes, open_member, open_zip, row_limit
from biovita.table_kinds import WORKBOOK

__all__ = ["ListFile", "first_line", "list_files", "opened"]


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file of a checklist: one on disk, or a member of the ZIP file there."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """Its name without folders, in lower case and without ``.gz``."""
        name = self.path.name if self.member is None else self.member.rsplit("/", 1)[-1]
        return name.lower().removesuffix(".gz")

    @property
    def where(self) -> str:
        """What to call it in an error."""
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def packed(self) -> int:
        """Bytes on disk, of the ZIP file where it is a member of one."""
        return self.path.stat().st_size


def list_files(path: Path) -> tuple[ListFile, ...]:
    """Return the files of a folder or ZIP file, sorted by name; a workbook and any other file is one by itself.

    Raises
    ------
    DatasetError
        Where it is neither a file nor a folder, or a damaged ZIP file.
    """
    if path.is_dir():
        return tuple(ListFile(file) for file in sorted(path.iterdir()) if file.is_file())
    if not path.is_file():
        raise DatasetError(f"{path} is neither a file nor a folder")
    if not zipfile.is_zipfile(path):
        return (ListFile(path),)
    with open_zip(path) as archive:
        members = archive.namelist()
    if WORKBOOK in members:
        return (ListFile(path),)
    return tuple(ListFile(path, name) for name in sorted(members) if not name.endswith("/"))


@contextmanager
def opened(file: ListFile, wanted: tuple[str, ...] = ()) -> Iterator[IO[bytes]]:
    """Open a file for reading, unpacked; of a workbook the table that has the wanted columns, as CSV.

    Raises
    ------
    DatasetError
        Where it is damaged, or unpacks to more than it should.
    """
    if file.member is None and zipfile.is_zipfile(file.path):
        yield _as_text(file.path, wanted)
    elif file.member is None:
        with open_bytes(file.path) as (raw, meter):
            yield raw if meter is None else cast(IO[bytes], CountedBytes(raw, meter))
    else:
        with open_zip(file.path) as archive:
            try:
                with open_member(archive, file.member, str(file.path)) as member:
                    yield cast(IO[bytes], CountedBytes(member, Meter(file.where, file.packed)))
            except DAMAGED as error:
                raise DatasetError(f"{file.where} is damaged: {error}") from None


def first_line(file: ListFile, wanted: tuple[str, ...] = ()) -> str | None:
    """Return the first line of a text, without its end; None where it is too long.

    Raises
    ------
    DatasetError
        Where the line is not UTF-8.
    """
    most = row_limit()
    with opened(file, wanted) as raw:
        head = raw.read(most + 1).split(b"\n", 1)[0]
    try:
        return head.decode("utf-8-sig").rstrip("\r") if len(head) <= most else None
    except UnicodeDecodeError as error:
        raise DatasetError(f"{file.where}, line 1: is not UTF-8: {error.reason}") from None


def _as_text(path: Path, wanted: tuple[str, ...]) -> IO[bytes]:
    """Return the table of a workbook as CSV."""
    columns = open_csv(path, (), wanted=wanted).ignored
    made = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as it is read
    text = io.TextIOWrapper(cast(BinaryIO, made), encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in open_csv(path, columns, columns):
        if isinstance(row, BrokenRow):
            raise DatasetError(f"{path}, row {row.line}: {row.detail}")
        writer.writerow([row.values[column] for column in columns])
    text.detach()
    made.seek(0)
    return made
