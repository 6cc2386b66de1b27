"""Selection tables: Raven opens the sounds from ours, and we read those of others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.annotation_formats.annotation_writers import write_annotations
from biovita.archive.annotation_formats.label_taxa import label_taxa
from biovita.archive.archive_tables import ANNOTATIONS
from biovita.errors import DatasetError
from support.annotation_cases import DURATIONS, WREN, events, heard, media, recordings, table

# README of the data: codes of the American Ornithological Society
CODES = {
    "NOCA": "Cardinalis cardinalis",
    "WOTH": "Hylocichla mustelina",
    "EATO": "Pipilo erythrophthalmus",
    "BCCH": "Poecile atricapillus",
    "TUTI": "Baeolophus bicolor",
    "OVEN": "Seiurus aurocapilla",
    "BAWW": "Mniotilta varia",
    "WITU": "Meleagris gallopavo",
}


def written(rows: pa.Table, out: Path) -> Path:
    return write_annotations(rows, media(), out, ["raven"]).files[0]


def test_begins_run_on_over_all_recordings_and_offsets_are_within_the_file(tmp_path: Path) -> None:
    read = pd.read_csv(written(events(), tmp_path), sep="\t")
    before = DURATIONS["a.wav"] + DURATIONS["b.wav"]  # the second recording has no row, and counts
    assert read["Begin Time (s)"].tolist() == [0.0, 1.5, before + 3.0]
    assert read["End Time (s)"].tolist() == [3.0, 4.5, before + 9.5]
    assert read["File Offset (s)"].tolist() == [0.0, 1.5, 3.0]
    assert read["Begin File"].tolist() == ["a.wav", "a.wav", "c.wav"]
    assert read["Begin Path"].tolist()[2] == "/data/survey/south/c.wav"
    assert read["Selection"].tolist() == [1, 2, 3]
    assert read["High Freq (Hz)"].tolist() == [24000.0, 24000.0, 8000.0]


@pytest.mark.slow
def test_the_table_is_what_crowsetta_demands(tmp_path: Path) -> None:
    crowsetta = pytest.importorskip("crowsetta")
    rows = [
        heard(1, "a.wav", 1.0, 2.0, low_hz=2000.0, high_hz=8000.0)
    ]  # whole numbers have to be written as floats
    (box,) = crowsetta.formats.bbox.Raven.from_file(written(table(ANNOTATIONS, rows), tmp_path)).to_bbox()
    assert (box.onset, box.offset, box.low_freq, box.high_freq, box.label) == (
        1.0,
        2.0,
        2000.0,
        8000.0,
        "Turdus merula",
    )


def test_without_a_detection_there_is_a_header(tmp_path: Path) -> None:
    lines = written(ANNOTATIONS.empty_table(), tmp_path).read_bytes().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(b"Selection\tView\tChannel\tBegin Time (s)")


def test_what_would_break_a_row_becomes_a_space_and_is_counted(tmp_path: Path) -> None:
    rows = [heard(1, "a.wav", 0.0, 1.0, scientific_name="Turdus\tmerula", common_name='The "true"\nblackbird')]
    done = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["raven"])
    assert done.replaced == {"raven": 3}  # the annotation, the scientific and the common name
    read = pd.read_csv(done.files[0], sep="\t", quoting=3)
    assert read["Scientific Name"].tolist() == ["Turdus merula"]
    assert read["Common Name"].tolist() == ['The "true" blackbird']


def test_an_annotation_of_all_of_a_recording_has_its_length(tmp_path: Path) -> None:
    read = pd.read_csv(written(table(ANNOTATIONS, [heard(1, "b.wav", None, None)]), tmp_path), sep="\t")
    assert (read["Begin Time (s)"][0], read["End Time (s)"][0]) == (60.0, 105.5)


def test_a_recording_that_the_archive_lacks_is_listed(tmp_path: Path) -> None:
    rows = [heard(1, "a.wav", 0.0, 1.0, media_id="other", path="/elsewhere/x.wav"), heard(2, "a.wav", 0.0, 1.0)]
    done = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["raven"])
    (left,) = done.not_written["raven"]
    assert (left.path, left.annotations, left.reason) == ("/elsewhere/x.wav", 1, "unknown-file")
    assert len(pd.read_csv(done.files[0], sep="\t")) == 1


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = read_annotations(written(events(), tmp_path), "raven", media=recordings())
    assert not found.rejected
    read = found.annotations.select(["media_id", "start_s", "end_s", "scientific_name", "score"]).to_pylist()
    assert [tuple(row.values()) for row in read] == [
        ("id-a.wav", 0.0, 3.0, "Troglodytes troglodytes", 0.25),
        ("id-a.wav", 1.5, 4.5, "Turdus merula", 0.875),
        ("id-c.wav", 3.0, 9.5, "Turdus merula", 0.5),
    ]


HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"


def test_a_selection_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "x.Table.1.selections.txt"
    file.write_text(
        HEADER
        + "1\tWaveform 1\t1\t1.0\t2.0\t0.0\t9000.0\tNOCA\n"
        + "1\tSpectrogram 1\t1\t1.0\t2.0\t1000.0\t3000.0\tNOCA\n"
        + "2\tWaveform 1\t1\t5.0\t6.0\t0.0\t9000.0\tNOCA\n"  # its only row
        + "3\tSpectrogram 1\t1\tsoon\t6.0\t0.0\t9000.0\tNOCA\n"
        + "4\tSpectrogram 1\t1\t7.0\t8.0\t0.0\t9000.0\t\n"
    )
    found = read_annotations(file, "raven", taxa=label_taxa(CODES))
    assert found.annotations["low_hz"].to_pylist() == [1000.0, 0.0, 0.0]
    assert found.annotations["taxon_id"].to_pylist() == ["cardinalis_cardinalis", "cardinalis_cardinalis", None]
    assert [(row.line, row.reason) for row in found.rejected] == [(2, "waveform-row"), (5, "no-time")]


def test_several_recordings_need_offsets(tmp_path: Path) -> None:
    file = tmp_path / "all.txt"
    header = HEADER.replace("Species", "Begin File\tSpecies")
    rows = "".join(
        f"{at}\tSpectrogram 1\t1\t1.0\t2.0\t0.0\t9.0\t{name}\tNOCA\n" for at, name in ((1, "a.wav"), (2, "b.wav"))
    )
    file.write_text(header + rows)
    with pytest.raises(DatasetError, match=r"all\.txt: lists 2 recordings, and has no column 'File Offset \(s\)'"):
        read_annotations(file, "raven")


def test_a_table_finds_the_recording_that_it_is_called_after(tmp_path: Path) -> None:
    row = "1\tSpectrogram 1\t1\t1.5\t2.0\t0.0\t9.0\tNOCA\n"
    for name in ("a.Table.1.selections.txt", "a.selections.txt", "a.BirdNET.selection.table.txt", "a.txt"):
        (tmp_path / name).write_text(HEADER + row)
        found = read_annotations(tmp_path / name, "raven", media=recordings()).annotations
        assert found["media_id"].to_pylist() == ["id-a.wav"], name
        assert found["begin_local"].to_pylist()[0].isoformat() == "2026-05-01T05:00:01.500000"
    (tmp_path / "a.wav").touch()
    assert read_annotations(tmp_path / "a.txt", "raven").annotations["path"].to_pylist() == [
        str(tmp_path / "a.wav")
    ]


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(HEADER)
    assert not len(read_annotations(file, "raven").annotations)
    with pytest.raises(DatasetError, match=r"line 1: there is no column 'Call'\. Columns: .*Species"):
        read_annotations(file, "raven", label_column="Call")


def test_the_annotations_of_powdermill_are_read(shared_data: Path) -> None:
    file = shared_data / "annotated/powdermill/Recording_1_Segment_07.Table.1.selections.txt"
    found = read_annotations(file, "raven", taxa=label_taxa(CODES))
    assert not found.rejected
    assert len(found.annotations) == 279
    assert not found.annotations["taxon_id"].null_count
    early = [row for row in found.annotations.to_pylist() if row["start_s"] < 10]
    assert sorted(row["label"] for row in early) == ["BCCH"] * 2 + ["EATO"] * 2 + ["NOCA"] * 2 + ["WOTH"] * 3


@pytest.mark.slow
def test_crowsetta_reads_the_same_of_powdermill(shared_data: Path) -> None:
    crowsetta = pytest.importorskip("crowsetta")
    file = shared_data / "annotated/powdermill/Recording_1_Segment_07.Table.1.selections.txt"
    boxes = crowsetta.formats.bbox.Raven.from_file(file, annot_col="Species").to_bbox()
    rows = read_annotations(file, "raven").annotations.select(["start_s", "end_s", "low_hz", "high_hz", "label"])
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        (box.onset, box.offset, box.low_freq, box.high_freq, box.label) for box in boxes
    ]


def test_the_wren_is_not_taken_for_its_code() -> None:
    assert label_taxa()(WREN["label"]) == label_taxa()("Troglodytes troglodytes")
    assert label_taxa()("NOCA") is None
