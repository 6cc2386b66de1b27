"""Label tracks, written and read."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.annotation_formats.annotation_writers import write_annotations
from biovita.archive.archive_tables import ANNOTATIONS
from support.annotation_cases import events, heard, media, recordings, table


def test_labels_of_several_recordings_say_of_which_they_are(tmp_path: Path) -> None:
    (file,) = write_annotations(events(), media(), tmp_path, ["audacity"]).files
    assert file.read_text(encoding="utf-8") == (
        "0.000000\t3.000000\tTroglodytes troglodytes 0.2500 | north/ridge/2026/a.wav\n"
        "1.500000\t4.500000\tTurdus merula 0.8750 | north/ridge/2026/a.wav\n"
        "3.000000\t9.500000\tTurdus merula 0.5000 | south/c.wav\n"
        "\\\t2000.000000\t8000.000000\n"
    )
    found = read_annotations(file, "audacity", media=recordings())
    assert not found.rejected
    columns = ["media_id", "start_s", "end_s", "low_hz", "high_hz", "scientific_name", "score"]
    assert [tuple(row.values()) for row in found.annotations.select(columns).to_pylist()] == [
        ("id-a.wav", 0.0, 3.0, None, None, "Troglodytes troglodytes", 0.25),
        ("id-a.wav", 1.5, 4.5, None, None, "Turdus merula", 0.875),
        ("id-c.wav", 3.0, 9.5, 2000.0, 8000.0, "Turdus merula", 0.5),
    ]


@pytest.mark.slow
def test_the_labels_of_one_recording_are_what_crowsetta_demands(tmp_path: Path) -> None:
    crowsetta = pytest.importorskip("crowsetta")
    done = write_annotations(events(), media(), tmp_path, ["audacity"], split=True)
    first, none, last = done.files
    read = crowsetta.formats.seq.AudSeq.from_file(first)
    assert read.start_times.tolist() == [0.0, 1.5]
    assert list(read.labels) == ["Troglodytes troglodytes 0.2500", "Turdus merula 0.8750"]
    assert none.read_bytes() == b""
    (box,) = crowsetta.formats.bbox.AudBBox.from_file(last).to_bbox()
    assert (box.onset, box.offset, box.low_freq, box.high_freq) == (3.0, 9.5, 2000.0, 8000.0)


def test_an_end_of_line_in_a_label_breaks_no_row(tmp_path: Path) -> None:
    rows = table(ANNOTATIONS, [heard(1, "a.wav", 0.0, 1.0, scientific_name="Turdus\nmerula", score=None)])
    done = write_annotations(rows, media(), tmp_path, ["audacity"])
    assert done.files[0].read_bytes() == b"0.000000\t1.000000\tTurdus merula\n"
    assert done.replaced == {"audacity": 1}


@pytest.mark.slow
def test_the_spinetail_is_read_as_crowsetta_reads_it(shared_data: Path) -> None:
    crowsetta = pytest.importorskip("crowsetta")
    file = shared_data / "annotated/spinetail/spinetail.txt"
    found = read_annotations(file, "audacity")
    assert not found.rejected
    rows = found.annotations.select(["start_s", "end_s", "low_hz", "high_hz", "label"]).to_pylist()
    boxes = crowsetta.formats.bbox.AudBBox.from_file(file).to_bbox()
    assert len(boxes) == 18
    assert [tuple(row.values()) for row in rows] == [
        (box.onset, box.offset, box.low_freq, box.high_freq, box.label) for box in boxes
    ]
    assert set(found.annotations["path"].to_pylist()) == {str(file.with_suffix(".wav"))}


def test_what_is_no_label_is_listed_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(
        b"\\\t1\t2\n1.0\t2.0\tTurdus merula_Eurasian Blackbird\t0.75\n3.0\n4.0\t5.0\n2\t1\tback\n\xff\t1\tx\n"
    )
    found = read_annotations(file, "audacity")
    assert found.annotations["label"].to_pylist() == ["Turdus merula_Eurasian Blackbird", ""]
    assert found.annotations["score"].to_pylist() == [0.75, None]
    assert found.annotations["taxon_id"].to_pylist() == ["turdus_merula", None]
    assert [(row.line, row.reason) for row in found.rejected] == [
        (1, "no-label"),
        (3, "no-time"),
        (5, "no-span"),
        (6, "not-text"),
    ]
