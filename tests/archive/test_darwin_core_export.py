"""Darwin Core: python-dwca-reader and our own reader of archives open what we write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from dwca.read import DwCAReader

from biovita.archive.annotation_formats.annotation_writers import write_annotations
from biovita.archive.archive_tables import ANNOTATIONS
from biovita.csv_records import BrokenRow
from biovita.sources.darwin_core_archive import open_archive
from biovita.sources.darwin_core_meta import short_term
from support.annotation_cases import events, heard, media, seen, table

DWC, AC = "http://rs.tdwg.org/dwc/terms/", "http://rs.tdwg.org/ac/terms/"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    rows = [
        heard(1, "a.wav", 1.5, 4.5, low_hz=2000.0, probability=0.5),
        heard(
            2, "b.wav", 0.0, 3.0, by_kind="human", by="A. Person", revision=None, score=None, utc_offset_min=None
        ),
        heard(3, "c.wav", 0.0, 3.0, presence="absent", by_kind="human", score=None),
        heard(4, "c.wav", 0.0, 3.0, label="Engine", kind="sound", scientific_name="Engine"),
        seen(
            5, "p1.jpg", box=[0.5, 0.25, 0.125, 0.5], presence="uncertain", rank="genus", scientific_name="Vulpes"
        ),
    ]
    done = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["darwin-core"])
    (left,) = done.not_written["darwin-core"]
    assert (left.reason, left.annotations) == ("no-name", 1)
    return done.files[0]


def test_an_occurrence_says_who_or_what_identified_it(archive: Path) -> None:
    with DwCAReader(archive) as reader:
        assert reader.descriptor.core.type == f"{DWC}Occurrence"
        rows = {row.id: {short_term(term): value for term, value in row.data.items()} for row in reader}
        media_rows = {row.id: [each.data for each in row.extensions] for row in reader}
    assert list(rows) == ["e1", "e2", "e3", "e5"]
    assert [row["basisOfRecord"] for row in rows.values()] == [
        *("MachineObservation", "HumanObservation", "HumanObservation", "MachineObservation"),
    ]
    assert [row["occurrenceStatus"] for row in rows.values()] == ["present", "present", "absent", "present"]
    assert [row["identificationVerificationStatus"] for row in rows.values()] == [
        *("unverified", "verified", "verified", "unverified"),
    ]
    first = rows["e1"]
    assert first["eventDate"] == "2026-05-01T05:00:00+02:00/2026-05-01T05:00:03+02:00"
    assert rows["e2"]["eventDate"] == "2026-05-01T05:00:00/2026-05-01T05:00:03"  # its zone is not known
    assert first["identifiedBy"] == "BirdNET 2.4, revision abc123"
    assert rows["e2"]["identifiedBy"] == "A. Person"
    assert first["verbatimIdentification"] == "Turdus merula_Eurasian Blackbird"
    assert json.loads(first["dynamicProperties"]) == {"score": 0.875, "probability": 0.5}
    assert rows["e2"]["dynamicProperties"] == ""
    assert (rows["e5"]["scientificName"], rows["e5"]["taxonRank"]) == ("Vulpes", "genus")
    assert rows["e5"]["identificationQualifier"] == "uncertain"
    assert not [name for name in first if "Count" in name]
    (sound,) = media_rows["e1"]
    assert sound["http://purl.org/dc/terms/type"] == "Sound"
    assert [float(sound[AC + name]) for name in ("startTime", "endTime", "freqLow")] == [1.5, 4.5, 2000.0]
    assert sound["http://ns.adobe.com/xap/1.0/rights/Owner"] == "A. Person"
    (picture,) = media_rows["e5"]
    assert [float(picture[AC + name]) for name in ("xFrac", "yFrac", "widthFrac", "heightFrac")] == [
        *(0.5, 0.25, 0.125, 0.5),
    ]


def test_our_reader_of_archives_reads_it(archive: Path) -> None:
    with open_archive(archive) as opened:
        core = list(opened.rows(opened.meta.core))
        (extension,) = opened.meta.extensions
        media_rows = list(opened.rows(extension))
    assert not [row for row in (*core, *media_rows) if isinstance(row, BrokenRow)]
    assert [row.id for row in core] == [row.id for row in media_rows] == ["e1", "e2", "e3", "e5"]
    assert core[0].data[f"{DWC}scientificName"] == "Turdus merula"


def test_ends_of_lines_and_tabs_break_no_row(tmp_path: Path) -> None:
    rows = [heard(1, "a.wav", 0.0, 1.0, note="one\ttwo\r\nthree", label="=1+1")]
    done = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["darwin-core"])
    assert done.replaced == {"darwin-core": 1}
    with DwCAReader(done.files[0]) as reader:
        (row,) = list(reader)
    assert row.data[f"{DWC}identificationRemarks"] == "one two three"
    assert row.data[f"{DWC}verbatimIdentification"] == "'=1+1"  # a spreadsheet would run it


def test_without_a_detection_there_is_an_archive(tmp_path: Path) -> None:
    done = write_annotations(events().slice(0, 0), media(), tmp_path, ["darwin-core"])
    with DwCAReader(done.files[0]) as reader:
        assert list(reader) == []
