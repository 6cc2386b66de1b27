from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from biovita.errors import DatasetError
from biovita.sources.rows_read import TableRead
from biovita.sources.xeno_canto import XenoCanto

WARBLER = (
    *(
        "Recording_ID",
        "Genus",
        "Specific_epithet",
        "Subspecies",
        "English_name",
        "Recordist",
        "Country",
        "Locality",
    ),
    *("Latitude", "Longitude", "Vocalization_type", "Audio_file", "License", "Url", "Quality", "Time", "Date"),
)
SUWO = (
    *("repository", "format", "key", "species", "date", "time", "user_name", "country", "locality", "latitude"),
    *("longitude", "file_url", "file_extension", "observation_url"),
)
API = ("id", "gen", "sp", "grp", "en", "rec", "cnt", "lat", "lng", "url", "file", "lic", "q", "time", "date")
VALUES = {
    "number": "254462",
    "genus": "Passerina",
    "epithet": "amoena",
    "name": "Passerina amoena",
    "recordist": "Ann Doe",
    "country": "United States",
    "latitude": "43.5",
    "longitude": "-103.25",
    "address": "https://xeno-canto.org/254462/download",
    "page": "https://xeno-canto.org/254462",
    "licence": "//creativecommons.org/licenses/by-nc-sa/4.0/",
    "quality": "B",
    "time": "07:17",
    "date": "2015-06-23",
}
MEANT = {
    **dict.fromkeys(("Recording_ID", "key", "id"), "number"),
    **dict.fromkeys(("Genus", "gen", "genus"), "genus"),
    **dict.fromkeys(("Specific_epithet", "sp", "specific_epithet"), "epithet"),
    "species": "name",
    **dict.fromkeys(("Recordist", "user_name", "rec"), "recordist"),
    **dict.fromkeys(("Country", "country", "cnt"), "country"),
    **dict.fromkeys(("Latitude", "latitude", "lat"), "latitude"),
    **dict.fromkeys(("Longitude", "longitude", "lng", "lon"), "longitude"),
    **dict.fromkeys(("Audio_file", "file_url", "file"), "address"),
    **dict.fromkeys(("Url", "observation_url", "url"), "page"),
    **dict.fromkeys(("License", "license", "lic"), "licence"),
    **dict.fromkeys(("Quality", "quality", "q"), "quality"),
    **dict.fromkeys(("Time", "time"), "time"),
    **dict.fromkeys(("Date", "date"), "date"),
}
SETS = {
    "warbleR": WARBLER,
    "warbleR with more": (*WARBLER, "Length", "Uploaded", "Remarks", "Bird_seen", "Other_species1"),
    "suwo": SUWO,
    "suwo, all data": (*SUWO, "genus", "specific_epithet", "english_name", "license", "quality", "length"),
    "the API": API,
    "the API of today": tuple("lon" if name == "lng" else name for name in API),
    "clean names": tuple(name.lower() for name in WARBLER),
    "only what is needed": ("id", "gen", "sp"),
    "an address for a number": ("species", "url"),
}


def write(file: Path, *rows: dict[str, str], quoting: Any = csv.QUOTE_ALL, **how: Any) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, tuple(rows[0]), quoting=quoting, **how)
        writer.writeheader()
        writer.writerows(rows)
    return file


def row_of(columns: tuple[str, ...], **more: str) -> dict[str, str]:
    meant = {**{name.lower(): value for name, value in MEANT.items()}, **MEANT}
    return {name: VALUES.get(meant.get(name, ""), "") for name in columns} | more


def read(file: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], TableRead]:
    (batch,) = XenoCanto(path=file).batches()
    (table,) = batch.tables
    assert table.rows == batch.records.num_rows + batch.rejected.num_rows + table.skipped
    return batch.records.to_pylist(), batch.rejected.to_pylist(), table


@pytest.mark.parametrize("columns", SETS.values(), ids=SETS)
@pytest.mark.parametrize("how", ["write.csv", "write.csv2", "row.names"])
def test_every_set_of_columns_gives_the_recording(tmp_path: Path, columns: tuple[str, ...], how: str) -> None:
    row = row_of(columns)
    if how == "row.names":
        row = {"": "1", **row}
    if how == "write.csv2":
        row |= {name: row[name].replace(".", ",") for name in row if name.lower()[:3] in {"lat", "lon", "lng"}}
    file = write(tmp_path / "xc.csv", row, delimiter=";" if how == "write.csv2" else ",")
    (record,), rejected, table = read(file)
    assert not rejected
    given = {MEANT.get(name, MEANT.get(name.title(), "")) for name in columns} | {"number", "name", "address"}
    assert (record["source_id"], record["name"], record["url"]) == (
        "XC254462", "Passerina amoena", VALUES["address"],
    )  # fmt: skip
    assert (record["latitude"], record["longitude"]) == ((43.5, -103.25) if "latitude" in given else (None, None))
    assert record["license"] == ("CC-BY-NC-SA-4.0" if "licence" in given or "license" in columns else None)
    assert record["observer"] == ("Ann Doe" if "recordist" in given or "recordist" in columns else None)
    assert any("no column of licences" in note for note in table.notes) == (record["license"] is None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Latitude": "NA"}, {"latitude": None, "country": "United States"}),
        ({"Quality": "no score"}, {"quality": None}),
        ({"Quality": "NA", "Recordist": "NA", "Time": "?"}, {"quality": None, "recorded_at": "2015-06-23"}),
        ({"Recording_ID": "XC254462"}, {"source_id": "XC254462"}),
        ({"Recording_ID": "254462.0"}, {"source_id": "XC254462"}),
        ({"Recording_ID": "1e+05"}, {"source_id": "XC100000"}),
        ({"Recording_ID": "NA"}, {"source_id": "XC254462"}),
        ({"Date": "2015/06/23"}, {"recorded_at": "2015-06-23T07:17"}),
        ({"Specific_epithet": "NA"}, {"name": "Passerina", "rank": "genus"}),
    ],
)
def test_a_value_that_is_missing_or_odd_costs_only_itself(
    tmp_path: Path, change: dict[str, str], expected: dict[str, Any]
) -> None:
    (record,), _, _ = read(write(tmp_path / "xc.csv", row_of(WARBLER, **change)))
    assert {name: record[name] for name in expected} == expected


def test_what_gives_no_recording_is_rejected_with_its_line(tmp_path: Path) -> None:
    rows = [
        row_of(WARBLER, Audio_file="NA"),
        row_of(WARBLER, Genus="NA"),
        row_of(WARBLER, Recording_ID="", Url="", Audio_file="https://x.org/a.mp3"),
        dict.fromkeys(WARBLER, ""),
        row_of(WARBLER),
    ]
    records, rejected, table = read(write(tmp_path / "xc.csv", *rows))
    assert [record["row"] for record in records] == [6]
    assert [(row["row"], row["reason"]) for row in rejected] == [(2, "no-address"), (3, "no-name"), (4, "no-id")]
    assert (table.rows, table.skipped) == (5, 1)


def test_rows_of_another_repository_in_a_merged_table_of_suwo_are_rejected(tmp_path: Path) -> None:
    rows = [row_of(SUWO, repository=name) for name in ("Xeno-Canto", "GBIF", "Macaulay Library")]
    records, rejected, _ = read(write(tmp_path / "merged.csv", *rows))
    assert len(records) == 1
    assert [(row["row"], row["reason"]) for row in rejected] == [(3, "other-repository"), (4, "other-repository")]
    assert "the row is of GBIF" in rejected[0]["detail"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            ("Recording_ID", "Country", "Audio_file"),
            "no column of its name .*looks like a table of warbleR: export what",
        ),
        (
            ("repository", "species", "date"),
            "no column of the number .*looks like a table of suwo: .*all_data = TRUE",
        ),
        (("gen", "sp", "cnt"), "no column of the number .*looks like recordings of xeno-canto's API"),
        (("a", "b"), "the number .* and none of its name .*Give what query_xc .*Its columns: a, b"),
    ],
)
def test_a_table_that_lacks_what_is_needed_is_told_what_to_export(
    tmp_path: Path, columns: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        read(write(tmp_path / "xc.csv", dict.fromkeys(columns, "x")))
