"""Kaleidoscope opens a table by the columns that it documents."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.annotation_formats.annotation_writers import write_annotations
from biovita.archive.archive_tables import ANNOTATIONS
from support.annotation_cases import ROOT, events, heard, media, recordings, table

COLUMNS = ["INDIR", "FOLDER", "IN FILE", "CHANNEL", "OFFSET", "DURATION", "TOP1MATCH", "TOP1DIST", "MANUAL ID"]


def test_the_path_is_rebuilt_from_three_columns(tmp_path: Path) -> None:
    (file,) = write_annotations(events(), media(), tmp_path, ["kaleidoscope"]).files
    read = pd.read_csv(file, keep_default_na=False)
    assert read.columns.tolist() == COLUMNS
    assert read["FOLDER"].tolist() == ["north/ridge/2026", "north/ridge/2026", "south"]
    assert set(read["INDIR"]) == {str(ROOT)}
    assert [Path(*row) for row in read[["INDIR", "FOLDER", "IN FILE"]].to_numpy()][1:] == [
        ROOT / "north/ridge/2026/a.wav",
        ROOT / "south/c.wav",
    ]
    assert read["OFFSET"].tolist() == [0.0, 1.5, 3.0]
    assert read["DURATION"].tolist() == [3.0, 3.0, 6.5]
    assert read["TOP1MATCH"].tolist() == ["Troglodytes troglodytes", "Turdus merula", "Turdus merula"]
    assert read["TOP1DIST"].tolist() == [0.25, 0.875, 0.5]
    assert read["CHANNEL"].tolist() == [0, 0, 0]


def test_what_people_say_is_a_manual_identification(tmp_path: Path) -> None:
    rows = [
        heard(1, "a.wav", 0.0, 1.0, by="A. Person", by_kind="human", score=None, channel=2),
        heard(2, "b.wav", 0.0, 1.0),
    ]
    (file,) = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["kaleidoscope"]).files
    read = pd.read_csv(file, keep_default_na=False)
    assert read["MANUAL ID"].tolist() == ["Turdus merula", ""]
    assert read["TOP1MATCH"].tolist() == ["", "Turdus merula"]
    assert read["CHANNEL"].tolist() == [1, 0]
    found = read_annotations(file, "kaleidoscope", media=recordings()).annotations
    assert found["by_kind"].to_pylist() == ["human", "machine"]
    assert found["channel"].to_pylist() == [2, 1]
    assert found["score"].to_pylist() == [None, 0.875]
    assert found["media_id"].to_pylist() == ["id-a.wav", "id-b.wav"]
    assert found["taxon_id"].to_pylist() == ["turdus_merula"] * 2


def test_without_a_detection_there_is_a_header(tmp_path: Path) -> None:
    (file,) = write_annotations(ANNOTATIONS.empty_table(), media(), tmp_path, ["kaleidoscope"]).files
    assert file.read_text() == ",".join(COLUMNS) + "\n"


def test_a_table_of_kaleidoscope_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cluster.csv"
    file.write_text(
        "INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,TOP1MATCH*,TOP1DIST,MANUAL ID\n"
        "D:\\survey,north\\ridge\\2026,a.wav,0,1.5,2.5,TURMER,0.4,Turdus merula\n"
        "D:\\survey,south,c.wav,1,3,1,TURMER,0.7,\n"
        "D:\\survey,south,c.wav,1,x,1,TURMER,0.7,\n"
    )
    found = read_annotations(file, "kaleidoscope", media=recordings())
    assert found.annotations["media_id"].to_pylist() == ["id-a.wav", "id-c.wav"]
    assert found.annotations["label"].to_pylist() == ["Turdus merula", "TURMER"]
    assert found.annotations["end_s"].to_pylist() == [4.0, 4.0]
    assert [(row.line, row.reason) for row in found.rejected] == [(4, "no-time")]
