"""Workbooks as tables: what Excel writes is read, and what a foreign file may try is refused."""

from __future__ import annotations

import builtins
import datetime as dt
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from biovita import workbooks
from biovita.csv_table import BrokenRow, CsvRow, open_csv
from biovita.errors import DatasetError, MissingExtraError

FIELDS = ("file", "name", "note")


def write_book(path: Path, sheets: Mapping[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def read(path: Path) -> tuple[list[list[str | None]], tuple[str, ...]]:
    table = open_csv(path, FIELDS, ("file", "name"))
    rows = list(table)
    assert all(isinstance(row, CsvRow) for row in rows)
    return [list(row.values.values()) for row in rows if isinstance(row, CsvRow)], table.notes


def changed(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Write a workbook anew with its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, change(name, body))
    return path


def test_cells_are_what_a_person_would_write(tmp_path: Path) -> None:
    moment = dt.datetime.fromisoformat
    cells: list[tuple[object, str | None]] = [
        (45.0, "45"),
        (45, "45"),
        (52.520008, "52.520008"),
        (0.1 + 0.2, "0.3"),
        (1e20, "1e+20"),
        (True, "TRUE"),
        (moment("2021-05-03"), "2021-05-03"),
        (moment("2021-05-03T06:15"), "2021-05-03T06:15:00"),
        (dt.time(6, 15), "06:15:00"),
        ("#N/A", "#N/A"),
        (" two\nlines\u2028and more ", "two\nlines\u2028and more"),
        ("'=1+1", "=1+1"),
        (None, None),
    ]
    file = write_book(tmp_path / "t.xlsx", {"a": [list(FIELDS), *(["f", "n", cell] for cell, _ in cells)]})
    rows, notes = read(file)
    got = [note for _, _, note in rows]
    assert got[3] == "0.30000000000000004" or got[3] == "0.3"
    assert [note for at, note in enumerate(got) if at != 3] == [
        note for at, (_, note) in enumerate(cells) if at != 3
    ]
    assert notes == ()


def test_the_sheet_with_the_columns_is_read(tmp_path: Path) -> None:
    table: list[list[object]] = [["file", "name"], ["a", "b"]]
    other: list[list[object]] = [["what this is"], ["my table"]]
    for sheets in ({"one": table, "two": table}, {"info": other, "data": table}, {"empty": [], "data": table}):
        assert read(write_book(tmp_path / "t.xlsx", sheets))[0] == [["a", "b"]]
    with pytest.raises(DatasetError, match="the sheets 'x', 'y' all have the columns"):
        read(write_book(tmp_path / "t.xlsx", {"info": other, "x": table, "y": table}))
    with pytest.raises(DatasetError, match=r"no sheet has the columns file, name\. Its sheets are 'info', 'more'"):
        read(write_book(tmp_path / "t.xlsx", {"info": other, "more": other}))
    with pytest.raises(DatasetError, match=r"t\.xlsx, sheet 'info', row 1: there are no columns 'file', 'name'"):
        read(write_book(tmp_path / "t.xlsx", {"info": other}))
    with pytest.raises(DatasetError, match="is empty"):
        read(write_book(tmp_path / "t.xlsx", {"info": []}))


def test_a_title_above_empty_rows_and_cells_beyond(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Spring"], [], ["file", "name"], ["a", "b", "", "?"], [None, " "], ["c", "d"]]
    table = open_csv(write_book(tmp_path / "t.xlsx", {"s": rows}), FIELDS, ("file", "name"))
    assert [(row.line, row.values["file"]) for row in table if isinstance(row, CsvRow)] == [(4, "a"), (6, "c")]
    assert table.skipped == 1
    assert table.notes == (
        "its columns are named in row 3; what stands above was not read",
        "1 rows have cells right of the named columns, which were not read",
    )


def test_formulas_without_a_kept_value_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formulas = ["=A1&" + "B" * number for number in range(1, 60)]
    file = write_book(tmp_path / "t.xlsx", {"s": [list(FIELDS), *(["a", "b", each] for each in formulas)]})
    told = "59 cells of the workbook hold a formula without its value, and read as empty; "
    assert read(file)[1] == (f"{told}open it in Excel or LibreOffice and save it, and the values are kept",)
    monkeypatch.setattr(workbooks, "_CHUNK", 100)
    monkeypatch.setattr(workbooks, "_LONGEST_CELL", 200)
    assert read(file)[1][0].startswith(told)

    def kept(_: str, body: bytes) -> bytes:  # as Excel writes a number, and a text that is empty
        return body.replace(b"<v></v>", b"<v>3</v>", 58).replace(b"<v />", b"<v>3</v>", 58)

    assert read(changed(file, kept))[1][0].startswith("1 cells")
    assert read(changed(file, lambda _, body: body.replace(b"><f>", b' t="str"><f>')))[1] == ()


def test_a_long_cell_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_book(tmp_path / "t.xlsx", {"s": [["file", "name"], ["a", "x" * 50], ["c", "d"]]})
    monkeypatch.setenv("BIOVITA_LIMIT_CELL", "40")
    broken, sound = open_csv(file, FIELDS, ("file", "name"))
    assert isinstance(broken, BrokenRow)
    assert (broken.line, broken.reason) == (2, "too-long")
    assert isinstance(sound, CsvRow)


INLINE = b't="inlineStr"><is><t>a</t></is>'


def test_texts_that_cells_share_as_excel_writes_them(tmp_path: Path) -> None:
    """Excel keeps texts apart from the cells, each once; openpyxl does not."""
    types = (
        b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
    )
    types += b'.spreadsheetml.sharedStrings+xml"/></Types>'

    def shared(name: str, body: bytes) -> bytes:
        if name == "[Content_Types].xml":
            return body.replace(b"</Types>", types)
        return body.replace(INLINE, b't="s"><v>1</v>')

    file = changed(write_book(tmp_path / "t.xlsx", {"s": [["file", "name"], ["a", "b"], ["c", "a"]]}), shared)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(
            "xl/sharedStrings.xml",
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>no</t></si>'
            "<si><r><t>Parus </t></r><r><t>major_x000D_</t></r></si></sst>",
        )
    assert read(file)[0] == [["Parus major", "b"], ["c", "Parus major"]]


def _sheet(name: str) -> bool:
    return name == "xl/worksheets/sheet1.xml"


CHANGES: dict[str, tuple[Callable[[str, bytes], bytes], str]] = {
    "an entity": (
        lambda name, body: b'<!DOCTYPE x [<!ENTITY a "b">]>' + body if _sheet(name) else body,
        "sheet1.xml has a document type",
    ),
    "no XML": (lambda name, body: b"<worksheet><sheet" if _sheet(name) else body, "is a damaged workbook"),
    "a row far down": (
        lambda name, body: body.replace(b'<row r="2"', b'<row r="99999999"') if _sheet(name) else body,
        "more rows or columns than Excel accepts",
    ),
    "a column far right": (lambda name, body: body.replace(b'r="A2"', b'r="AAAA2"'), "is a damaged workbook"),
    "no such text": (lambda _, body: body.replace(INLINE, b't="s"><v>999</v>'), "is a damaged workbook"),
    "no number": (lambda _, body: body.replace(INLINE, b't="n"><v>x</v>'), "is a damaged workbook"),
    "no styles": (lambda name, body: b"" if name == "xl/styles.xml" else body, "is a damaged workbook"),
    "more than fits": (
        lambda name, body: body + b" " * (1 << 20) if _sheet(name) else body,
        "more than may be held",
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_hostile_or_damaged_workbook_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    change, said = CHANGES[kind]
    monkeypatch.setattr(workbooks, "_MOST_ROWS", 2000)
    monkeypatch.setattr(workbooks, "memory_mib", lambda: 1)
    file = changed(write_book(tmp_path / "t.xlsx", {"s": [["file", "name"], ["a", "b"]]}), change)
    with pytest.raises(DatasetError, match=said):
        read(file)


def test_without_openpyxl_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_book(tmp_path / "t.csv", {"s": [["file", "name"]]})
    genuine = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == "openpyxl":
            raise ImportError(name)
        return genuine(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"is an Excel workbook.* pip install 'biovita\[excel\]'"):
        read(file)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "an old Excel workbook"),
        (b"<html><table><tr><td>file", "is a web page"),
        (b"\xef\xbb\xbf<!DOCTYPE HTML>", "is a web page"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>', "XML Spreadsheet 2003"),
        (b'<?xml version="1.0"?><x/>', "is XML"),
        (b"\x1f\x8b\x08\0", "is packed with gzip"),
        (b"PAR1\0\0", "is Parquet"),
        (b"%PDF-1.7", "is a PDF"),
        (b"PK\3\4 and no more", "damaged ZIP"),
    ],
)
def test_what_only_looks_like_a_table_is_named(tmp_path: Path, body: bytes, said: str) -> None:
    (tmp_path / "t.csv").write_bytes(body)
    with pytest.raises(DatasetError, match=said):
        read(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"mimetype": "application/vnd.oasis.opendocument.spreadsheet"}, "OpenDocument workbook"),
        ({"xl/workbook.bin": ""}, "binary Excel workbook"),
        ({"Index/Document.iwa": ""}, "a file of Numbers"),
        ({"occurrence.txt": "x"}, "is a ZIP file, not a table"),
    ],
)
def test_other_packages_are_named(tmp_path: Path, members: dict[str, str], said: str) -> None:
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    with pytest.raises(DatasetError, match=said):
        read(tmp_path / "t.xlsx")
