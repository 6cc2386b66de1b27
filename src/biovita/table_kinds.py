"""What a file is that is given as a table: text, an Excel workbook, or something that only looks like one."""

from __future__ import annotations

import zipfile
from enum import Enum
from pathlib import Path

from biovita.errors import DatasetError
from biovita.foreign_tables import DAMAGED, open_bytes, open_zip

__all__ = ["WORKBOOK", "TableKind", "kind_of_table"]

_SAVE = "Save the table as CSV in UTF-8"
_HEAD = 1024
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARY = {
    _OLE2: "is an old Excel workbook (.xls), or one with a password. Save it as .xlsx without a password, or as CSV",
    b"\x1f\x8b": "is packed with gzip, and its name does not end in .gz. Rename it, or unpack it",
    b"PAR1": f"is Parquet, not a table of text. {_SAVE}",
    b"%PDF": f"is a PDF, not a table. {_SAVE}",
    b"{\\rtf": f"is a text of a word processor (RTF), not a table. {_SAVE}",
    b"SQLite format 3\0": f"is a database of SQLite, not a table. {_SAVE}",
}
_PAGES = (b"<!doctype html", b"<html", b"<table", b"<head", b"<body")
WORKBOOK = "xl/workbook.xml"  # the member that makes a ZIP file one
_ODS = "application/vnd.oasis.opendocument.spreadsheet"


class TableKind(Enum):
    """How a table is read."""

    TEXT = "text"
    WORKBOOK = "workbook"


def kind_of_table(path: Path) -> TableKind:
    """Return what a file is by its first bytes, whatever its name says.

    Raises
    ------
    DatasetError
        Where it is neither text nor an Excel workbook, with what it is and how to save it; where it cannot be read.
    """
    with open_bytes(path) as (raw, _):
        head = raw.read(_HEAD)
    for sign, what in _BINARY.items():
        if head.startswith(sign):
            raise DatasetError(f"{path} {what}")
    if head.startswith(b"PK\3\4") and path.suffix != ".gz":
        return _of_zip(path)
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<?xml") and (b"excel.sheet" in start or b"urn:schemas-microsoft-com:office" in start):
        raise DatasetError(f"{path} is a workbook of Excel in XML (XML Spreadsheet 2003). {_SAVE}")
    if start.startswith(_PAGES):
        raise DatasetError(f"{path} is a web page (HTML), which some programs give out as a table. {_SAVE}")
    if start.startswith(b"<?xml"):
        raise DatasetError(f"{path} is XML, not a table. {_SAVE}")
    return TableKind.TEXT


def _of_zip(path: Path) -> TableKind:
    with open_zip(path) as archive:
        names = set(archive.namelist())
        if WORKBOOK in names:
            return TableKind.WORKBOOK
        if "xl/workbook.bin" in names:
            raise DatasetError(f"{path} is a binary Excel workbook (.xlsb). Save it as .xlsx or CSV")
        if any(name.startswith("Index/") and name.endswith(".iwa") for name in names):
            raise DatasetError(f"{path} is a file of Numbers. Export it as CSV in UTF-8")
        if _mimetype(archive, names).startswith(_ODS):
            raise DatasetError(f"{path} is an OpenDocument workbook (.ods). Save it as .xlsx or CSV")
    raise DatasetError(f"{path} is a ZIP file, not a table. Unpack it, and give the table")


def _mimetype(archive: zipfile.ZipFile, names: set[str]) -> str:
    if "mimetype" not in names:
        return ""
    try:
        with archive.open("mimetype") as member:
            return member.read(200).decode("ascii", "replace")
    except (*DAMAGED, RuntimeError):
        return ""
