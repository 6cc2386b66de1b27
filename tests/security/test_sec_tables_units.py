"""Values, limits and readers of foreign tables, case by case; `test_sec_tables` runs them through the command line."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from biovita.csv_table import BrokenRow, open_csv
from biovita.errors import DatasetError
from biovita.foreign_tables import MAX_DIRECTORY, BoundedLines, open_zip
from biovita.sources.darwin_core import DarwinCore
from biovita.sources.inaturalist import Inaturalist
from biovita.sources.licenses import normalise_license
from biovita.sources.release import Release
from biovita.sources.source import RejectedRow, batches_of, name_key_of
from biovita.taxonomy.parse import NameKind, parse_name
from biovita.values import iso_date, number, seconds, text, web_address, whole
from support.hostile_tables import archive, core

RECORD = {"modality": "audio", "name": "Pica pica", "source_id": "1", "file": "x", "row": 2}


@pytest.mark.parametrize(
    "value",
    [
        "1_000",
        "١",
        "1²",
        "nan",
        "inf",
        "-Infinity",
        "1e400",
        "9" * 101,
        "",
        "0x10",
        True,
        None,
        [],
        {},
        10**400,
        1j,
    ],
)
def test_what_is_no_plain_number_is_none(value: object) -> None:
    assert number(value) is None
    assert whole(value) is None


def test_values_of_other_types_and_shapes_are_none() -> None:
    assert [number(" 4.5 "), number(3), whole("640"), whole(2**31), whole(-1), whole("1.5")] == [
        *(4.5, 3.0, 640),
        *(None, None, None),
    ]
    assert [text(value) for value in ({}, [], b"x", 10**5000, 7, " a  b ", "NA")] == [
        *(None, None, None, None),
        *("7", "a b", None),
    ]
    assert [seconds(value) for value in ("1:²", "1:0_1", "٣:٢٠", "1:2:3:4", ["1:2"], 5, "4:13")] == [
        *[None] * 6,
        253.0,
    ]
    assert [web_address(value) for value in ("http://[", "http://", "ftp://x", {}, "//x.org/a")] == [
        *[None] * 4,
        "https://x.org/a",
    ]
    assert [iso_date(value) for value in ("٢٠٢٠-٠١-٠١", {}, ["2020"], 2020)] == [None, None, None, "2020"]
    assert iso_date("2020-01-02", {"a": 1}) == "2020-01-02"


def test_a_record_that_no_table_can_hold_costs_itself() -> None:
    odd = [
        {"name": "\ud800"}, {"name": "a\0b"}, {"name": "x" * 600}, {"width": 10**20}, {"latitude": "north"},
        {"country": ["NO"]}, {"group": None}, {"bytes": 2**70},
    ]  # fmt: skip
    (batch,) = batches_of([RECORD, *({**RECORD, **each} for each in odd), {**RECORD, "row": 9}], "s")
    assert batch.records["row"].to_pylist() == [2, 9]
    assert [row["reason"] for row in batch.rejected.to_pylist()] == ["not-utf8", *["bad-value"] * 7]
    (batch,) = batches_of([RejectedRow("audio", "f", 1, "r", "\ud800\0" + "x" * 5000, "\udfff", None)], "s")
    (row,) = batch.rejected.to_pylist()
    assert row["detail"].startswith("\\ud800\\0xx")
    assert len(row["detail"]) < 1100


def test_batches_are_bounded_by_what_they_hold_too() -> None:
    long = ({**RECORD, "source_id": str(n), "attribution": "x" * (1 << 20)} for n in range(100))
    sizes = [batch.records.num_rows for batch in batches_of(long, "s")]
    assert sum(sizes) == 100
    assert max(sizes) <= 17


def test_long_texts_are_not_kept_in_memory_for_the_next_time() -> None:
    from biovita.sources import licenses
    from biovita.sources import source as base

    before = base._kept_key.cache_info().currsize, licenses._kept.cache_info().currsize
    for n in range(20):
        name_key_of(f"{n}" + "x" * 1000)
        assert normalise_license("cc-by" + " " * (1000 + n) + "4.0") == "CC-BY-4.0"
    assert before == (base._kept_key.cache_info().currsize, licenses._kept.cache_info().currsize)


@pytest.mark.parametrize("kept", [b"a,b\n", b"a,b\r\n", b"\r", b"\n\n\n", b""])
def test_of_a_line_without_end_only_the_beginning_is_read(monkeypatch: pytest.MonkeyPatch, kept: bytes) -> None:
    monkeypatch.setenv("BIOVITA_LIMIT_CELL", str(1 << 14))
    content = kept + b"x" * (5 << 20) + b"\n" + kept + b"last"
    lines = BoundedLines(io.BytesIO(content))
    read = b"".join(iter(lines.read1, b""))
    assert lines.cuts == 1
    assert read == kept + b"x" * (16 << 14) + b"\n" + kept + b"last"


def test_limits_are_settings_and_their_errors_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "t.csv"
    table.write_text("file,scientific_name\n" + "a,b\n" * 200)
    path = archive(tmp_path / "a.zip", core(), {"o.txt": "1\tPica pica\thttps://x.org/1.mp3\n" * 200})
    readers: list[Any] = [
        lambda: list(open_csv(table, ("file", "scientific_name"), ("file",))),
        lambda: list(DarwinCore(path=path).items()),
    ]
    for read in readers:
        assert read()
        monkeypatch.setenv("BIOVITA_LIMIT_ROWS", "100")
        with pytest.raises(DatasetError, match="--limit rows=N"):
            read()
        monkeypatch.delenv("BIOVITA_LIMIT_ROWS")
    monkeypatch.setenv("BIOVITA_LIMIT_ARCHIVE", "2000")
    with pytest.raises(DatasetError, match="--limit archive=N"):
        list(DarwinCore(path=path).items())
    monkeypatch.delenv("BIOVITA_LIMIT_ARCHIVE")
    monkeypatch.setenv("BIOVITA_LIMIT_CELL", "16")
    assert [row.reason for row in DarwinCore(path=path).items() if isinstance(row, RejectedRow)] == [
        "too-long"
    ] * 200


def test_no_line_is_searched_for_the_end_of_a_quote_twice(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    lines = ['a","' + "x" * 4000] * 5_000  # each opens a quote, and ends within it whether or not one was open
    table.write_text("\n".join(["file,scientific_name", *lines, "a,b", ""]))
    began = time.process_time()
    rows = list(open_csv(table, ("file", "scientific_name"), ("file",)))
    assert [isinstance(row, BrokenRow) for row in rows] == [True] * 5_000 + [False]
    assert time.process_time() - began < 5


def open_data(folder: Path, observations: str, taxa: str) -> Path:
    uuid = "00000000-0000-0000-0000-00000000000"
    (folder / "photos.csv").write_text(
        "photo_id\tobservation_uuid\tobserver_id\textension\tlicense\twidth\theight\n"
        + "".join(f"{n}\t{uuid}1\t1\tjpg\tCC-BY\t10\t10\n" for n in range(5))
    )
    (folder / "observations.csv").write_text(
        "observation_uuid\tlatitude\tlongitude\ttaxon_id\tquality_grade\tobserved_on\n"
        + observations.replace("U", uuid)
    )
    (folder / "taxa.csv").write_text("taxon_id\tancestry\trank\tname\n" + taxa)
    (folder / "observers.csv").write_text("observer_id\tlogin\tname\n1\tann\tAnn\n")
    return folder


def test_tables_of_inaturalist_whose_ids_repeat_do_not_multiply(tmp_path: Path) -> None:
    row, taxon = "U1\t1\t1\t3\tresearch\t2020-01-01\n", "3\t1/x²/999999999999/2\tspecies\tPica pica\n"
    source = Inaturalist(path=str(open_data(tmp_path, row, taxon)))
    assert sum(batch.records.num_rows for batch in source.batches()) == 5
    for observations, taxa, word in ((row * 1000, taxon, "observation_uuid"), (row, taxon * 1000, "taxon_id")):
        open_data(tmp_path, observations, taxa)
        with pytest.raises(DatasetError, match=f"999 rows repeat the {word}"):
            list(source.batches())


def test_a_species_name_leads_nowhere_in_a_release(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("x")
    (tmp_path / "train" / "x").mkdir(parents=True)
    (tmp_path / "images" / "pica_pica").mkdir(parents=True)
    (tmp_path / "images" / "pica_pica" / "1.jpg").write_bytes(b"x")
    (tmp_path / "images" / "pica_pica" / "gone.jpg").symlink_to("nowhere")
    names = ["../secret", str(tmp_path / "secret"), "x" * 400, "a\0b", "Pica pica"]
    rows = "".join(f"{'y' * 300},{name},https://x.org/a.mp3\n" for name in names)
    (tmp_path / "train" / "metadata.csv").write_text("file_name,scientific_name,download_url\n" + rows)
    found = list(Release(path=tmp_path, images=tmp_path / "images").items())
    images = [each for each in found if isinstance(each, Mapping) and each["modality"] == "image"]
    assert [each["source_id"] for each in images] == ["pica_pica/1.jpg"]
    assert [each.path for each in found if isinstance(each, RejectedRow)] == ["pica_pica/gone.jpg"]


def test_a_zip_that_lists_millions_of_members_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("o.txt", "x")
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\5\6")
    data[at + 12 : at + 16] = (MAX_DIRECTORY + 1).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="the list of its members has"), open_zip(path):
        pass


def test_a_name_of_a_page_is_no_name() -> None:
    assert parse_name("Pica " + "x" * 1000).kind == NameKind.OTHER
