"""How tables are laid out: what programs write before, beside and around the cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.csv_table import BrokenRow, CsvRow, CsvTable, open_csv
from biovita.errors import DatasetError

FIELDS = ("file", "name", "note")
ROW_NAMES = "its rows have one cell more than the header, their names as R writes them, which was not read"


def opened(path: Path, text: str, **options: object) -> CsvTable:
    path.write_text(text, encoding="utf-8", newline="")
    return open_csv(path, FIELDS, ("file", "name"), **options)  # type: ignore[arg-type]


def cells(table: CsvTable) -> list[tuple[str | None, ...]]:
    return [tuple(row.values.values()) for row in table if isinstance(row, CsvRow)]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("sep=;\r\nfile;name\r\na;b,c\r\n", None),
        ('"SEP=|",,\nfile|name\na|b,c\n', None),
        ("\ufeffsep=\t\nfile\tname\na\tb,c\n", None),
        ("\n;;\nfile;name\na;b,c\n", None),
        (
            "Ringing\n2024;north\nfile;name\na;b,c\n",
            "its columns are named in line 3; what stands above was not read",
        ),
        ('"file" "name"\n"a" "b,c"\n', None),
        ('"file" "name"\n"1" "a" "b,c"\n', ROW_NAMES),
        ('"file";"name"\n"x 1";"a";"b,c"\n"x 2";"a";"b,c"\n', ROW_NAMES),
        ("file\tname\n1\ta\tb,c\n3\ta\tb,c\n", ROW_NAMES),
        ('"","file","name"\n"1","a","b,c"\n', "its column 1 has no name, and was not read"),
        ("file;name;\na;b,c\n", None),
        ("file;name\na;b,c;\n", None),
        ("file;name;;\na;b,c;;;;\n", None),
        ("file;name;;\na;b,c;;x\n", "its column 4 has no name, and was not read"),
        ("file \u200b;\ufeffname\na;b,c\n", None),
    ],
)
def test_tables_as_programs_write_them(tmp_path: Path, text: str, note: str | None) -> None:
    table = opened(tmp_path / "t.csv", text)
    rows = cells(table)
    assert set(rows) == {("a", "b,c")}
    assert table.notes == (() if note is None else (note,))
    assert table.ignored == ()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("file,name,place\na,b\nc,d\n", 2),  # the header is wider, and names what rows lack
        ("file,name\n1,52,5\n2,48,1\n", 2),  # a decimal comma, and no name of a row
        ('"file","name"\n"1","a","b"\n"1","c","d"\n', 2),  # names of rows are not there twice
        ('"file","name"\n"1","a","b"\n"c","d"\n', 1),
    ],
)
def test_rows_of_another_width_are_broken_one_by_one(tmp_path: Path, text: str, count: int) -> None:
    rows = list(opened(tmp_path / "t.csv", text))
    assert [row.reason for row in rows if isinstance(row, BrokenRow)] == ["not-as-described"] * count


def test_a_header_of_several_lines(tmp_path: Path) -> None:
    table = opened(tmp_path / "t.csv", 'file,"Notes\n (free) ",name\n"a",x,b\n')
    assert table.ignored == ("Notes (free)",)
    assert [(row.line, row.values["name"]) for row in table if isinstance(row, CsvRow)] == [(3, "b")]
    with pytest.raises(DatasetError, match=r"line 1: the column names cannot be read: a quote is not closed"):
        opened(tmp_path / "t.csv", '"file,name\n' + "a,b\n" * 30)


def test_quotes_that_are_not_doubled(tmp_path: Path) -> None:
    table = opened(
        tmp_path / "t.csv",
        "file,name,note\n"
        'a,"the "best" one",x\n'
        'b,"the \\"best\\", one",x\n'
        'c,"""best"", one",x\n'
        'd,5" disc,x\n'
        'e,"5 inch,x\n'
        'f,"C:\\dir\\",x\n'
        'g,"a" or "b", x\n'
        'h,"a"b,x\n',
    )
    rows = list(table)
    assert [(row.values["file"], row.values["name"]) for row in rows if isinstance(row, CsvRow)] == [
        ("a", 'the "best" one'),
        ("b", 'the "best", one'),
        ("c", '"best", one'),
        ("d", '5" disc'),
        ("f", "C:\\dir\\"),
        ("g", 'a" or "b'),
    ]
    assert [row.line for row in rows if isinstance(row, BrokenRow)] == [6, 9]
    (note,) = table.notes
    assert note.startswith("quotes within cells are not doubled in 3 rows, the first in line 2;")


def test_a_stray_quote_in_a_lenient_table_takes_no_row_along(tmp_path: Path) -> None:
    text = 'file,name\n"a,b\nc,d\n"e",f\n'
    rows = list(opened(tmp_path / "t.csv", text, strict=False, short_rows=True))
    assert [row.line for row in rows if isinstance(row, BrokenRow)] == [2]
    assert [tuple(row.values.values()) for row in rows if isinstance(row, CsvRow)] == [("c", "d"), ("e", "f")]


def test_line_ends_of_all_systems_and_of_none(tmp_path: Path) -> None:
    for end, lines in (("\n", 1), ("\r\n", 1), ("\r", 1), ("\r\r\n", 2)):
        table = opened(tmp_path / "t.csv", end.join(["file,name", "a\u2028b,c\x0cd", "e\x85f,g\x0bh", ""]))
        assert cells(table) == [("a\u2028b", "c\x0cd"), ("e\x85f", "g\x0bh")]
        assert [row.line for row in table] == [1 + lines, 1 + 2 * lines]
