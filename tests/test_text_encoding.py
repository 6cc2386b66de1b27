"""Encodings of tables: by their mark and their bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from biovita import text_encoding
from biovita.csv_table import BrokenRow, CsvRow, open_csv
from biovita.errors import DatasetError
from biovita.text_encoding import encoding_of

WORDS = "Grünspecht; Čížek"


def said(path: Path, body: bytes, stated: str = "utf-8-sig") -> tuple[str, str | None]:
    path.write_bytes(body)
    return encoding_of(path, stated)


def test_what_is_utf_8_or_stays_what_is_stated(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    for body in (b"", b"name\n", WORDS.encode(), WORDS.encode("utf-8-sig"), WORDS.encode("utf-16")):
        assert said(file, body) == ("utf-8-sig", None)
    both = "für ".encode("latin-1") + "für".encode()
    assert said(file, both) == ("utf-8-sig", None)
    assert said(file, b"f\xfcr \x81") == ("utf-8-sig", None)  # no character of Windows-1252
    assert said(file, b"f\xfcr \x00") == ("utf-8-sig", None)  # no text


def test_text_of_windows_is_told_with_a_word_of_it(tmp_path: Path) -> None:
    note = "is not UTF-8, and was read as Windows-1252; the first word beyond ASCII is 'Grünspecht’s'"
    assert said(tmp_path / "t.csv", b"name\nGr\xfcnspecht\x92s,x\n") == ("cp1252", note)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"name\nGr\xfcnspecht\x92s\n"))
    assert encoding_of(tmp_path / "t.csv.gz") == ("cp1252", note)


def test_a_table_that_is_stated_as_latin_1_may_be_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    assert said(file, "für".encode(), "latin-1") == ("utf-8-sig", "is UTF-8, not latin-1, and was read as that")
    for body in ("für".encode("latin-1"), b"plain"):
        assert said(file, body, "latin-1") == ("latin-1", None)


def test_characters_that_a_chunk_ends_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in range(1, 12):
        monkeypatch.setattr(text_encoding, "_CHUNK", size)
        assert said(tmp_path / "t.csv", "abcdefg𝄞 Č".encode())[0] == "utf-8-sig", size
        assert said(tmp_path / "t.csv", "abcdef für".encode("latin-1"))[0] == "cp1252", size


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_text_of_excel(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding in {"utf-16", "utf-32"} else "\ufeff"
    file = tmp_path / "t.csv"
    file.write_bytes((mark + "file\tname\r\na\t𝄞 Čížek\r\n").encode(encoding))
    assert [row.values for row in open_csv(file, ("file", "name")) if isinstance(row, CsvRow)] == [
        {"file": "a", "name": "𝄞 Čížek"}
    ]


def test_half_a_character_of_utf_16_costs_its_row(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes("file\tname\na\tb\n".encode("utf-16") + b"c\0\t\0\x00\xd8d\0\n\0e\0\t\0f\0\n\0")
    first, broken, last = open_csv(file, ("file", "name"))
    assert isinstance(broken, BrokenRow)
    assert (broken.line, broken.reason) == (3, "not-utf8")
    assert isinstance(first, CsvRow)
    assert isinstance(last, CsvRow)
    assert last.values == {"file": "e", "name": "f"}
    file.write_bytes("name\n".encode("utf-16") + b"c")  # half of the last
    assert [getattr(row, "reason", None) for row in open_csv(file, ("name",))] == ["not-utf8"]


def test_a_header_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"na\xffme,\xc3\xa4\n")
    with pytest.raises(DatasetError, match="line 1: is not text in UTF-8"):
        open_csv(tmp_path / "t.csv", ("name",))
