"""Tables of others: BirdNET's, birdnetlib's, BirdSet's, WABAD's, monitoR's."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.archive.annotation_formats.annotation_readers import READERS, read_annotations
from biovita.archive.annotation_formats.annotation_rows import recording_stem
from biovita.archive.annotation_formats.label_taxa import label_taxa
from biovita.errors import DatasetError
from support.annotation_cases import recordings

PEERS = {
    "BirdNET": "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    "0.0,3.0,Turdus merula,Eurasian Blackbird,0.75,{path}\n",
    "birdnet": "input,start_time,end_time,species_name,confidence\n"
    "{path},0.0,3.0,Turdus merula_Eurasian Blackbird,0.75\n",
    "birdnetlib": "common_name,scientific_name,start_time,end_time,confidence,label,filepath\n"
    "Eurasian Blackbird,Turdus merula,0.0,3.0,0.75,Turdus merula_Eurasian Blackbird,{path}\n",
    "BirdSet": "filepath;start_time;end_time;low_freq;high_freq;ebird_code\n{path};0;3;1500;8000;eurbla\n",
    "WABAD": "Recording,Begin Time (s),End Time (s),Low Freq (Hz),High Freq (Hz),Species\n"
    "{path},0,3,1500,8000,Turdus merula\n",
}


@pytest.mark.parametrize("peer", PEERS)
def test_the_columns_of_peers_are_known(peer: str, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(PEERS[peer].format(path="2026/a.wav"))
    found = read_annotations(file, "csv", media=recordings(), taxa=label_taxa({"eurbla": "Turdus merula"}))
    (row,) = found.annotations.to_pylist()
    assert (row["media_id"], row["start_s"], row["end_s"], row["taxon_id"]) == (
        "id-a.wav",
        0.0,
        3.0,
        "turdus_merula",
    )
    machine = peer.lower().startswith("birdnet")
    assert (row["score"], row["by_kind"]) == ((0.75, "machine") if machine else (None, None))
    assert row["low_hz"] == (None if machine else 1500.0)


def test_rows_are_annotations_or_are_listed_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(
        "start,end,label\n1,2,Turdus merula\nx,2,Turdus merula\n5,4,Turdus merula\n1,2,\n1,2,Chirp\n-1,2,a\n1,2,3,4\n"
    )
    found = read_annotations(file, "csv")
    rows = found.annotations.select(["label", "kind", "taxon_id"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("Turdus merula", "taxon", "turdus_merula"),
        ("", "taxon", None),
        ("Chirp", "class", None),
    ]
    assert [(row.line, row.reason) for row in found.rejected] == [
        (3, "no-time"),
        (4, "no-span"),
        (7, "no-span"),
        (8, "not-as-described"),
    ]
    assert len(set(found.annotations["id"].to_pylist())) == 3


def test_frequencies_of_monitor_are_in_khz(shared_data: Path) -> None:
    codes = {"BTNW": "Setophaga virens", "OVEN": "Seiurus aurocapilla"}
    file = shared_data / "annotated/monitor-survey/survey_anno.csv"
    found = read_annotations(file, "csv", taxa=label_taxa(codes)).annotations
    assert found["label"].to_pylist().count("OVEN") == 4
    assert set(found["scientific_name"].to_pylist()) == set(codes.values())
    assert (found["low_hz"][0].as_py(), found["high_hz"][0].as_py()) == (3610.5, 6352.6)


def test_a_name_that_no_table_has_is_a_taxon_where_the_column_says_that_it_is_scientific(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("start,end,scientific_name\n1,2,Aus bus Smith\n1,2,unknown\n")
    found = read_annotations(file, "csv").annotations
    assert found["taxon_id"].to_pylist() == ["aus_bus", None]
    file.write_text("start,end,label\n1,2,Aus bus\n")
    assert read_annotations(file, "csv").annotations["taxon_id"].to_pylist() == [None]


def test_a_recording_is_found_by_the_end_of_its_path_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    paths = ("a.wav", "other/south/c.wav", "C:\\\\x\\\\south\\\\c.wav", "b", "z.wav")
    file.write_text("File,start,end,label\n" + "".join(f"{path},1,2,x\n" for path in paths))
    found = read_annotations(file, "csv", media=recordings()).annotations
    assert found["media_id"].to_pylist() == ["id-a.wav", "id-c.wav", "id-c.wav", "id-b.wav", None]
    assert found["path"].to_pylist()[4] == "z.wav"


def test_a_name_that_two_recordings_have_names_neither(tmp_path: Path) -> None:
    import pyarrow as pa

    twin = recordings()
    paths = [path.replace("/north/", "/east/") for path in twin["path"].to_pylist()]
    twin = pa.concat_tables([twin, twin.set_column(1, twin.schema.field(1), pa.array(paths))])
    file = tmp_path / "x.csv"
    file.write_text("File,start,end,label\na.wav,1,2,x\nnorth/ridge/2026/a.wav,1,2,x\n")
    found = read_annotations(file, "csv", media=twin).annotations
    assert found["media_id"].to_pylist() == [None, "id-a.wav"]


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"unknown format 'ravn'\. Did you mean 'raven'\?"):
        read_annotations(tmp_path, "ravn")
    for name in READERS:
        with pytest.raises(DatasetError, match="does not exist"):
            read_annotations(tmp_path / "none", name)
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"x\.csv, line 1: there is no column of labels\. Columns: a, b"):
        read_annotations(file, "csv")
    file.write_text("label,b\n1,2\n")
    with pytest.raises(DatasetError, match=r"line 1: there is no column of begins and ends in seconds"):
        read_annotations(file, "csv")


def test_names_of_recordings_within_names_of_tables() -> None:
    endings = (
        *("Table.1.selections.txt", "selections.txt", "BirdNET.selection.table.txt", "BirdNET.results.csv", "txt"),
        *("labels.txt", "annotations.csv", "BirdNET.results.kaleidoscope.csv", "aoef.json"),
    )
    assert {recording_stem(Path(f"S4_20260501.080000.{ending}")) for ending in endings} == {"S4_20260501.080000"}
