from __future__ import annotations

from pathlib import Path

import pytest

from biovita.csv_records import BrokenRow
from biovita.errors import DatasetError
from biovita.sources.darwin_core_archive import open_archive
from biovita.sources.rows_read import TableRead
from sources.test_darwin_core import CORE, FIELDS, make

ROWS = [["1", "Pica pica", "Bonn"], ["2", "Parus major", ""], ["3", "Sitta europaea", "Köln"]]


def read(path: Path) -> tuple[list[list[str] | str], TableRead]:
    """Return the id and values of each row, or why it cannot be read; and what was read in all."""
    with open_archive(path) as archive:
        rows = list(archive.rows(archive.meta.core))
        (table,) = archive.tables
    cells = [
        row.reason if isinstance(row, BrokenRow) else [*([] if row.id is None else [row.id]), *row.data.values()]
        for row in rows
    ]
    assert table.rows == len(rows) + table.skipped
    return cells, table


def archive(folder: Path, how: str, content: bytes) -> tuple[list[list[str] | str], TableRead]:
    return read(make(folder / "a.zip", CORE.format(how=how, file="o.txt", body=FIELDS), {"o.txt": content}))


def table_of(delimiter: str, end: str, rows: list[list[str]] = ROWS, header: bool = True) -> str:
    lines = [["id", "scientificName", "locality"], *rows] if header else rows
    return "".join(delimiter.join(line) + end for line in lines)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("stated", [r"\n", r"\r\n", r"\r", r"\\n", r"\\r\\n", "&#10;", "\n", "LF", "", r"\n\r"])
def test_rows_end_as_they_do_whatever_is_stated(tmp_path: Path, stated: str, end: str) -> None:
    how = f'fieldsTerminatedBy="\\t" linesTerminatedBy="{stated}" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    rows, table = archive(tmp_path, how, table_of("\t", end).encode())
    assert rows == ROWS
    told = [note for note in table.notes if "rows are said to end with" in note]
    assert (end == "\r" or stated not in {r"\n", "&#10;", ""}) == bool(told) or (stated, end) in {
        (r"\r\n", "\r\n"),
        (r"\r", "\r"),
    }


@pytest.mark.parametrize("header", [0, 1])
def test_a_quote_of_several_characters_that_no_field_has_is_refused(tmp_path: Path, header: int) -> None:
    how = f'fieldsTerminatedBy="," fieldsEnclosedBy="&quot;&quot;" ignoreHeaderLines="{header}"'
    with pytest.raises(DatasetError, match="one character each"):
        archive(tmp_path, how, table_of(",", "\n", header=bool(header)).encode())


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("stated", [r"\t", ",", r"\\t", "\t", "TAB", ";"])
def test_fields_are_told_apart_as_they_are(tmp_path: Path, stated: str, delimiter: str) -> None:
    how = f'fieldsTerminatedBy="{stated}" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    rows, table = archive(tmp_path, how, table_of(delimiter, "\n").encode())
    assert rows == ROWS
    is_stated = stated.replace(r"\t", "\t") == delimiter and stated != "\t"
    assert bool(table.notes) != is_stated


@pytest.mark.parametrize(
    ("stated", "encoding", "note"),
    [
        ("UTF-8", "latin-1", "the text is Windows-1252"),
        ("ISO-8859-1", "utf-8", "the text is UTF-8"),
        ("windows-1252", "utf-8-sig", "the text is UTF-8"),
        ("utf-8", "utf-16", "the text is utf-16"),
        ("utf-8", "utf-16-be", "the text is utf-16-be"),
        ("utf-16", "utf-8", "the text is UTF-8"),
        ("utf-8", "utf-8-sig", ""),
        ("gbk", "gbk", ""),
        ("latin-1", "latin-1", ""),
    ],
)
def test_the_encoding_is_that_of_the_bytes(tmp_path: Path, stated: str, encoding: str, note: str) -> None:
    how = f'encoding="{stated}" fieldsTerminatedBy="\\t" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    given = [*ROWS[:2], ["3", "Sitta europaea", "北京"]] if encoding == "gbk" else ROWS
    rows, table = archive(tmp_path, how, table_of("\t", "\n", given).encode(encoding))
    assert rows == given
    assert [note in each for each in table.notes] == ([True] if note else [])


def test_bytes_that_are_not_of_the_encoding_cost_their_row(tmp_path: Path) -> None:
    content = table_of("\t", "\n").encode() + "4\tPica pica\tK\xf6ln\n5\tPica pica\tx\n".encode("latin-1")
    rows, table = archive(tmp_path, 'fieldsTerminatedBy="\\t" ignoreHeaderLines="1"', content)
    assert rows == [*ROWS, "not-utf8", ["5", "Pica pica", "x"]]
    assert table == TableRead("o.txt", 5)


@pytest.mark.parametrize(
    ("quote", "lines", "expected", "notes"),
    [
        # a quote that is stated, and is text: it opens a field and no other closes it there
        ('"', ['1\tPica\t"a', "2\tPica\tb", '3\tPica\t"c'], ['"a', "b", '"c'], 1),
        ('"', ['1\tPica\t"a" house', "2\tPica\tb"], ['"a" house', "b"], 1),
        # none is stated, and all texts are enclosed
        ("", ['"1"\t"Pica"\t"a"', '"2"\t"Pica"\t"say ""b"""'], ["a", 'say "b"'], 1),
        ("", ['1\t"Pica"\t"a\tb"', '2\t"Pica"\t"c"'], ["a\tb", "c"], 1),
        # as stated
        ('"', ['1\tPica\t"a\tb"', "2\tPica\tc"], ["a\tb", "c"], 0),
        ("", ['1\tPica\t"a"', "2\tPica\tc"], ['"a"', "c"], 0),
        ('"', ['1\tPica\t"two\nlines"', "2\tPica\tc"], ["two\nlines", "c"], 0),
    ],
)  # fmt: skip
def test_quotes_enclose_where_rows_come_out_alike_with_them(
    tmp_path: Path, quote: str, lines: list[str], expected: list[str], notes: int
) -> None:
    stated = quote.replace('"', "&quot;")
    how = f'fieldsTerminatedBy="\\t" fieldsEnclosedBy="{stated}"'
    rows, table = archive(tmp_path, how, "".join(line + "\n" for line in lines).encode())
    assert [row[-1] for row in rows] == expected
    assert len(table.notes) == notes


def test_whole_rows_between_two_stray_quotes_are_not_lost_far_down_the_table(tmp_path: Path) -> None:
    body = FIELDS + '<field index="3" term="http://purl.org/dc/terms/license"/>'
    lines = [f'{number},Pica pica,"{number}, Bonn",CC0' for number in range(9000)]
    lines[8000] = '8000,Pica pica,"north,CC0'
    lines[8007] = '8007,Pica pica,"south",CC0'
    path = make(
        tmp_path / "a.zip", CORE.format(how="", file="o.txt", body=body), {"o.txt": "\n".join(lines).encode()}
    )
    rows, table = read(path)
    assert table.rows == 9000
    assert [number for number, row in enumerate(rows) if row == "not-csv"] == [8000]
    swallowed = [*(f"{number},Pica pica,plain,CC0" for number in range(8001, 8007)), '8007,Pica pica,south",CC0']
    lines[8001:8008] = swallowed
    path = make(
        tmp_path / "b.zip", CORE.format(how="", file="o.txt", body=body), {"o.txt": "\n".join(lines).encode()}
    )
    rows, table = read(path)
    assert table.rows == 9000
    assert [number for number, row in enumerate(rows) if row == "not-csv"] == [8000]


@pytest.mark.parametrize(
    ("stated", "first", "rows", "told"),
    [
        (0, "id,scientificName,locality", 2, True),
        (0, "occurrenceID,http://rs.tdwg.org/dwc/terms/scientificName,Locality", 2, True),
        (1, "7,Pica pica,Bonn", 3, True),
        (1, "nr,name,where", 2, False),
        (0, "a,Pica pica,Bonn", 3, False),
    ],
)
def test_a_header_is_one_where_it_names_the_terms(
    tmp_path: Path, stated: int, first: str, rows: int, told: bool
) -> None:
    content = f"{first}\n1,Parus major,x\n2,Parus major,y\n".encode()
    found, table = archive(tmp_path, f'ignoreHeaderLines="{stated}"', content)
    assert len(found) == table.rows == rows
    assert bool(table.notes) == told


def test_rows_that_are_wider_or_narrower_are_rejected_and_counted(tmp_path: Path) -> None:
    content = "1,a,b\n2,a,b,c\n3,a\n4,a,b,\n,,\n5,a,\x85b\u2028c\x0c\n6,a,b\n".encode()
    rows, table = archive(tmp_path, "", content)
    assert rows == [
        ["1", "a", "b"], "too-many-columns", "too-few-columns", ["4", "a", "b"], ["5", "a", "\x85b\u2028c\x0c"],
        ["6", "a", "b"],
    ]  # fmt: skip
    assert table == TableRead("o.txt", 7, 1)


def test_a_table_without_a_row_says_so(tmp_path: Path) -> None:
    rows, table = archive(tmp_path, 'ignoreHeaderLines="1"', b"id,scientificName,locality\n")
    assert (rows, table.notes) == ([], ("o.txt: it has no row below its header",))
    (tmp_path / "empty").mkdir()
    assert archive(tmp_path / "empty", "", b"")[1].notes == ("o.txt: it is empty",)


@pytest.mark.parametrize(
    "root",
    [
        '<archive xmlns="https://rs.tdwg.org/dwc/text/">{}</archive>',
        '<Archive xmlns="http://rs.tdwg.org/dwc/Text">{}</Archive>',
        "<archive>{}</archive>",
    ],
)
def test_names_of_elements_and_kinds_of_rows_are_known_in_every_spelling(tmp_path: Path, root: str) -> None:
    core = CORE.format(how='IgnoreHeaderLines="1"', file="o.txt", body=FIELDS).replace("core", "Core")
    media = (
        '<extension rowType="https://rs.gbif.org/terms/1.0/MULTIMEDIA"><files><location>m.txt</location></files>'
        '<coreId Index="0"/><field index="1" term="identifier"/></extension>'
    )
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "meta.xml").write_text(root.format(core + media))
    (folder / "o.txt").write_text("id,name,place\n1,Pica pica,Bonn\n")
    with open_archive(folder) as opened:
        assert opened.meta.core.header_lines == 1
        assert [(file.row_kind, file.id_index) for file in opened.meta.extensions] == [("multimedia", 0)]
        assert len(list(opened.rows(opened.meta.core))) == 1


def test_the_occurrence_id_stands_in_for_an_id_that_is_not_named(tmp_path: Path) -> None:
    body = '<field index="0" term="http://rs.tdwg.org/dwc/terms/occurrenceID"/>'
    media = '<extension rowType="m"><files><location>m.txt</location></files><coreid index="0"/></extension>'
    path = make(tmp_path / "a.zip", CORE.format(how="", file="o.txt", body=body) + media, {"o.txt": b"u1\nu2\n"})
    assert read(path)[0] == [["u1", "u1"], ["u2", "u2"]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # GBIF's simple download
        ('gbifID\tspecies\tlocality\n1\tPica\t"a\n2\tPica\tb "c"\n3\tPica\t"d"\n',
         [["1", "Pica", '"a'], ["2", "Pica", 'b "c"'], ["3", "Pica", '"d"']]),
        # the same, as R writes it anew with write.table, names of rows and all
        ('"gbifID"\t"species"\t"locality"\n"1"\t1\t"Pica"\t"a ""b"""\n"2"\t2\t"Pica"\tNA\n',
         [["1", "Pica", 'a "b"'], ["2", "Pica", "NA"]]),
        # a table of another
        ('species;locality\n"Pica";"a;b"\n"Parus";c\n', [["Pica", "a;b"], ["Parus", "c"]]),
        ("\ufeffspecies,locality\r\nPica,x\r\n", [["Pica", "x"]]),
        ("species,locality\rPica,x\rParus,y\r", [["Pica", "x"], ["Parus", "y"]]),
        ("species,locality,\nPica,x,\n", [["Pica", "x"]]),
    ],
)  # fmt: skip
def test_a_table_without_a_meta_file(tmp_path: Path, content: str, expected: list[list[str]]) -> None:
    table = tmp_path / "table.txt"
    for encoding in ("utf-8", "utf-16"):
        table.write_bytes(content.removeprefix("\ufeff" if encoding == "utf-16" else "").encode(encoding))
        assert read(table)[0] == expected
