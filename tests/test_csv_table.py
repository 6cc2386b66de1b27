"""CSV files, well formed and broken, row by row."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biovita.csv_safe import write_rows
from biovita.csv_table import BrokenRow, CsvRow, CsvTable, held_rows, open_csv, sound_rows
from biovita.errors import DatasetError

FIELDS = ("file", "name", "note")


@dataclass(frozen=True)
class Got:
    """What a table gives."""

    table: CsvTable
    rows: tuple[CsvRow | BrokenRow, ...]

    @property
    def ignored(self) -> tuple[str, ...]:
        return self.table.ignored


def read_csv(path: Path, **options: Any) -> Got:
    table = open_csv(path, FIELDS, ("file", "name"), **options)
    return Got(table, tuple(held_rows(table)))


def read(path: Path, text: str | bytes, **options: Any) -> Got:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(path, **options)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


def test_rows_have_their_line(table: Path) -> None:
    got = read(table, 'file,name,extra,note\na,b,c,d\n\n"multi\nline", b ,,\nx,y,z,\n')
    assert got.ignored == ("extra",)
    assert got.rows == (
        CsvRow(2, {"file": "a", "name": "b", "note": "d"}),
        CsvRow(4, {"file": "multi\nline", "name": "b", "note": None}),
        CsvRow(6, {"file": "x", "name": "y", "note": None}),
    )


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(table: Path, ending: str) -> None:
    got = read(table, ending.join(["file,name", "a,b", "c,d"]))
    assert [row.line for row in got.rows] == [2, 3]


@pytest.mark.parametrize(
    ("broken", "reason", "detail"),
    [
        ("a", "not-as-described", "has 1 fields, and the header has 3"),
        ("a,b,c,d", "not-as-described", "has 4 fields, and the header has 3"),
        ('a,"b,c', "not-csv", "a quote is not closed"),
        ('a,"b"x,c', "not-csv", "cannot be read: ',' expected after '\"'"),
    ],
)
def test_a_broken_row_does_not_cost_the_next(table: Path, broken: str, reason: str, detail: str) -> None:
    got = read(table, f"file,name,note\n1,2,3\n{broken}\n4,5,6\n7,8,9\n")
    assert [row.line for row in got.rows] == [2, 3, 4, 5]
    assert got.rows[1] == BrokenRow(3, reason, detail)
    assert isinstance(got.rows[2], CsvRow)


def test_a_stray_quote_that_swallows_rows_costs_one(table: Path) -> None:
    got = read(table, 'file,name,note\na,"open,c\n1,2,3\n4,5,"six"\n')
    assert [type(row) for row in got.rows] == [BrokenRow, CsvRow, CsvRow]
    assert got.rows[2] == CsvRow(4, {"file": "4", "name": "5", "note": "six"})


def test_bytes_that_are_not_utf8(table: Path) -> None:
    got = read(table, b"file,name,note\na,\xc3\xa9,c\nd,\xe9l\xe8ve,f\ng,h,i\n")
    assert [getattr(row, "reason", None) for row in got.rows] == [None, "not-utf8", None]
    for text, said in (
        (b"file,n\xe4me\n\xc3\xa4,\n", "UTF-8"),
        (b"", "empty"),
        (b"\n;;\n \n", "empty"),
        (b"\n\na", "line 3: there are no columns 'file', 'name'"),
    ):
        with pytest.raises(DatasetError, match=said):
            read(table, text)


def test_the_separator_is_that_of_the_needed_columns(table: Path) -> None:
    got = read(table, "file;name;a,b,c,d,e\n1;2;3,4\n")
    assert got.rows == (CsvRow(2, {"file": "1", "name": "2"}),)
    assert got.ignored == ("a,b,c,d,e",)
    with pytest.raises(DatasetError, match="Columns: file, x"):
        read(table, "file\tx\n1\t2\n")
    with pytest.raises(DatasetError, match="a quote is not closed"):
        read(table, '"file,name\n')


_cell = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(_cell.filter(str.strip), _cell, _cell), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    bom=st.booleans(),
)
def test_what_a_csv_writer_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], delimiter: str, bom: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "roundtrip.csv"
    with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([FIELDS, *rows])
    got = read_csv(path)
    want = [dict(zip(FIELDS, (cell.strip() or None for cell in row), strict=True)) for row in rows]
    assert [row.values for row in got.rows if isinstance(row, CsvRow)] == want


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=300))
def test_any_bytes_give_rows_or_reasons(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"file,name,note\n" + body)
    got = read_csv(path)
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    filled = [line for line in text.split("\n") if line.strip(" ")]
    lines = [row.line for row in got.rows]
    assert lines == sorted(set(lines))
    assert bool(lines or got.table.skipped) == bool(filled)


def test_rows_that_must_all_be_sound(table: Path) -> None:
    table.write_text('file,name,note\na,b\n,,\nc,"d\ne",f\n')
    short = open_csv(table, FIELDS, ("file", "name"), short_rows=True)
    assert [row.values for row in sound_rows(short)] == [
        {"file": "a", "name": "b", "note": None},
        {"file": "c", "name": "d\ne", "note": "f"},
    ]
    with pytest.raises(DatasetError, match=r"t\.csv, line 2: has 2 fields, and the header has 3"):
        list(sound_rows(open_csv(table, FIELDS)))
    with pytest.raises(DatasetError, match=r"there are no columns 'id', 'url'\. Columns: file, name, note$"):
        open_csv(table, ("id", "url"), ("id", "url"))


def test_text_after_a_quote_is_taken_where_that_is_accepted(table: Path) -> None:
    table.write_text('name\tnote\n"a"b\t5" off\n"open\tc\nd\te\n')
    rows = list(open_csv(table, ("name", "note"), delimiter="\t", strict=False))
    assert rows[0] == CsvRow(2, {"name": "ab", "note": '5" off'})
    assert rows[1] == BrokenRow(3, "not-csv", "a quote is not closed")
    assert rows[2] == CsvRow(4, {"name": "d", "note": "e"})
    strict = list(open_csv(table, ("name", "note"), delimiter="\t"))
    assert [type(row) for row in strict] == [BrokenRow, BrokenRow, CsvRow]


def test_packed_tables_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress("file,name\na,É\n".encode()))
    assert list(open_csv(tmp_path / "t.csv.gz", FIELDS)) == [CsvRow(2, {"file": "a", "name": "É"})]
    (tmp_path / "t.csv").write_bytes(b"file,name\na,\x92\nb,\x81\n")
    good, bad = open_csv(tmp_path / "t.csv", FIELDS, encoding="cp1252")
    assert good == CsvRow(2, {"file": "a", "name": "’"})
    assert bad == BrokenRow(3, "not-utf8", "holds bytes that are not cp1252")


@settings(max_examples=200, deadline=None)
@given(cells=st.lists(st.tuples(_cell, _cell), min_size=1, max_size=6))
def test_what_is_written_safely_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "safe.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        write_rows(file, ("name", "note"), [{"name": f"={name}", "note": note} for name, note in cells])
    got = [
        row.values if isinstance(row, CsvRow) else row for row in open_csv(path, ("name", "note"), delimiter=",")
    ]
    assert got == [{"name": f"={name}".strip(), "note": note.strip() or None} for name, note in cells]


def test_whole_rows_between_two_stray_quotes_are_rows_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = [f"{number},Pica pica,CC0,x" for number in range(9)]
    rows[2], rows[6] = '2,Pica pica,CC0,"by the', '6,Pica pica,CC0,lake"'
    file.write_text("\n".join(["id,name,licence,remark", *rows, '9,Pica,CC0,"two', 'lines, of a text"', ""]))
    read = list(open_csv(file, ("id", "remark")))
    assert [row.line for row in read] == list(range(2, 12))
    assert [row.line for row in read if isinstance(row, BrokenRow)] == [4]
    last = read[-1]
    assert isinstance(last, CsvRow)
    assert last.values["remark"] == "two\nlines, of a text"
