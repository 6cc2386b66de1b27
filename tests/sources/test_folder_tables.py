"""Tables of a folder as spreadsheets, R and people leave them: each is read, or said what it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path

import openpyxl
import pytest

from biovita.csv_table import CsvTable
from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.sources.folder import ImportReport, import_folder
from biovita.sources.folder_tables import TableNotes, folder_tables
from biovita.sources.media_row import MediaRow, media_rows, open_media_table
from biovita.sources.source import RejectedRow
from support.folders import make_folder

Read = Callable[..., tuple[list[MediaRow | RejectedRow], list[str], CsvTable]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a table of recordings, which are not looked into."""
    for name in ("a.wav", "b.wav", "c.wav", "d.wav", "e.wav"):
        (tmp_path / name).touch()

    def rows_of(text: str | bytes) -> tuple[list[MediaRow | RejectedRow], list[str], CsvTable]:
        file = tmp_path / "audio.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        table = open_media_table(file)
        notes, rows = TableNotes(table), list(media_rows(Modality.AUDIO, table))
        for row in rows:
            notes.add(row)
        return rows, notes.lines(), table

    return rows_of


def one(rows: list[MediaRow | RejectedRow]) -> MediaRow:
    (row,) = rows
    assert isinstance(row, MediaRow)
    return row


@pytest.mark.parametrize(
    ("latitude", "longitude", "place"),
    [
        ("-33,45", "151,2", (-33.45, 151.2)),
        ("33°27'S", "151°12'E", (-33.45, 151.2)),
        ("N 59.5", "10.75 W", (59.5, -10.75)),
        ("\N{MINUS SIGN}33.45", "151.2°", (-33.45, 151.2)),
        ("nan", "NULL", (None, None)),
        ("#N/A", "12", (None, 12.0)),
        ("", "12", (None, 12.0)),
    ],
)
def test_places_as_people_write_them(
    read: Read, latitude: str, longitude: str, place: tuple[float | None, float | None]
) -> None:
    rows, notes, _ = read(f"file;scientific_name;latitude;longitude\na.wav;Strix aluco;{latitude};{longitude}\n")
    row = one(rows)
    assert (row.latitude, row.longitude) == pytest.approx(place)
    assert notes == []


@pytest.mark.parametrize(
    "bad", ["91.5", "1e400", "59.913.868", "59913868", "59 north", "12°E", "#VALUE!", "12-13"]
)
def test_a_bad_latitude_costs_the_place_and_not_the_row(read: Read, bad: str) -> None:
    rows, notes, _ = read(
        f"file\tscientific_name\tlatitude\tlongitude\nb.wav\tStrix aluco\t1\t2\na.wav\tStrix aluco\t{bad}\t2\n"
    )
    assert [(row.latitude, row.longitude) for row in rows if isinstance(row, MediaRow)] == [(1, 2), (None, None)]
    (note,) = notes
    assert note.startswith(
        "audio.csv: latitude and longitude are both left empty where one of them is no place in "
    )
    assert note.endswith(f"1 of 2 rows; the first is latitude {bad!r} in line 3")


def test_missing_values_are_no_texts(read: Read) -> None:
    rows, notes, _ = read(
        "file,scientific_name,genus,source_id,license,attribution,recorded_at,url\n"
        "a.wav,Strix aluco,NA,NULL,N/A,-,nan,#N/A\n"
        "b.wav,Nana nana,Nana,n1,None of them,Na Li,2021-04,https://example.org/NA\n"
        "NA,Strix aluco,,,,,,\n"
        "c.wav,NaN,,,,,,\n"
        "d.wav,Strix aluco,,,#REF!,,,\n"
    )
    first, second, no_file, no_name, error = rows
    assert isinstance(first, MediaRow)
    assert (first.lineage, first.source_id, first.license, first.attribution) == ({}, None, None, None)
    assert (first.recorded_at, first.odd_date, first.url) == (None, None, None)
    assert first.group_id == "file:a.wav"
    assert isinstance(second, MediaRow)
    assert (second.license, second.attribution, second.recorded_at) == ("None of them", "Na Li", "2021-04")
    assert isinstance(no_file, RejectedRow)
    assert isinstance(no_name, RejectedRow)
    assert (no_file.reason, no_name.reason) == ("missing-file", "missing-name")
    assert isinstance(error, MediaRow)
    assert error.license is None
    (note,) = notes
    assert note.endswith("where Excel shows an error, 1 of 5 rows; the first is license '#REF!' in line 6")


@pytest.mark.parametrize(
    ("given", "day"),
    [
        ("23.04.2021", "2021-04-23"),
        ("4/23/2021 5:07", "2021-04-23T05:07"),
        ("2021/4/3", "2021-04-03"),
        ("20210403", "2021-04-03"),
        ("4/4/2021", "2021-04-04"),
        ("3/4/2021", None),
        ("44289", None),
        ("2021/13/3", None),
    ],
)
def test_only_dates_that_mean_one_day_are_read(read: Read, given: str, day: str | None) -> None:
    rows, notes, _ = read(f"file,scientific_name,recorded_at\na.wav,Strix aluco,{given}\n")
    row = one(rows)
    assert (row.recorded_at, row.odd_date) == (day, None if day else given)
    assert bool(notes) == (day is None)


def test_spans_with_decimal_commas_and_others(read: Read) -> None:
    rows, _, _ = read(
        "file;scientific_name;begin_s;end_s;duration_s\n"
        "a.wav;Strix aluco;0,5;1 200,25;\n"
        "a.wav;Strix aluco;1,234;2,345;\n"
        "a.wav;Strix aluco;NA;2;ten\n"
    )
    first, second, last = rows
    assert isinstance(first, MediaRow)
    assert (first.begin_s, first.end_s) == (0.5, 1200.25)
    assert isinstance(second, MediaRow)
    assert (second.begin_s, second.end_s) == (1.234, 2.345)
    rows, _, _ = read('file,scientific_name,begin_s\na.wav,Strix aluco,"1,234"\n')
    (ambiguous,) = rows
    assert isinstance(ambiguous, RejectedRow)
    assert (ambiguous.reason, ambiguous.detail) == (
        "bad-number",
        "begin_s is '1,234'. It has to be one number of seconds, at least 0",
    )
    assert isinstance(last, MediaRow)
    assert (last.begin_s, last.end_s) == (None, 2.0)


def write_book(file: Path, sheets: Mapping[str, list[list[object]]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(file)


def test_a_workbook_beside_text(tmp_path: Path) -> None:
    src = make_folder(tmp_path / "src", per_species=1)
    (src / "audio.csv").unlink()
    header = ["file", "scientific_name", "recorded_at", "latitude", "longitude", "source_id", None]
    write_book(
        src / "Audio.xlsx",
        {
            "Field trip": [
                header,
                [
                    "audio/Pica_pica_0.wav",
                    "Pica pica",
                    dt.datetime.fromisoformat("2021-05-03T06:15"),
                    52.52,
                    13,
                    45.0,
                    None,
                ],
                [None] * 7,
                [
                    "audio/Rana_temporaria_0.wav",
                    "Rana temporaria",
                    dt.datetime.fromisoformat("2021-05-03"),
                    "52,5",
                    None,
                    "x",
                    "!",
                ],
                ["audio/Vulpes_vulpes_0.wav", "Vulpes vulpes", None, "#N/A", "#N/A", None, None],
            ]
        },
    )
    report = import_folder(src, out=tmp_path / "ds", progress=False)
    assert isinstance(report, ImportReport)
    assert (report.audio, report.images, report.rejected) == (3, 3, 0)
    assert report.notes == ("Audio.xlsx: 1 rows have cells right of the named columns, which were not read",)
    rows = Dataset.open(tmp_path / "ds").audio.to_pylist()
    assert [row["recorded_at"] for row in rows] == ["2021-05-03T06:15:00", "2021-05-03", None]
    assert [(row["latitude"], row["longitude"]) for row in rows] == [(52.52, 13), (52.5, None), (None, None)]
    assert [row["source_id"] for row in rows] == ["45", "x", None]


def test_which_table_of_a_folder_counts(tmp_path: Path) -> None:
    (tmp_path / "audio.csv").write_text("file,scientific_name\n")
    (tmp_path / "Images.CSV").write_text("file,scientific_name\n")
    found = folder_tables(tmp_path)
    assert [file.name for file in found.values()] == ["audio.csv", "Images.CSV"]
    (tmp_path / "audio.xlsx").write_bytes(b"PK")
    with pytest.raises(DatasetError, match=r"has audio\.csv and audio\.xlsx\. Keep the one"):
        folder_tables(tmp_path)
    (tmp_path / "audio.csv").unlink()
    (tmp_path / "audio.xlsx").rename(tmp_path / "audio.ods")
    with pytest.raises(DatasetError, match=r"has audio\.ods, and no audio\.csv\. Save it as audio\.csv"):
        folder_tables(tmp_path)
