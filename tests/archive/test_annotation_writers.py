"""One way to write annotations in all formats: whole or not at all, together or a file a recording."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.archive.annotation_formats import annotation_writers
from biovita.archive.annotation_formats.annotation_writers import WRITERS, write_annotations
from biovita.archive.archive_tables import ANNOTATIONS, PHOTOGRAPHS, RECORDINGS
from biovita.archive.media_tables import MediaTables, shared_folder
from biovita.errors import DatasetError
from support.annotation_cases import DURATIONS, ROOT, events, file_row, heard, media, seen, table

SPLIT = [name for name, writer in WRITERS.items() if writer.each]


def mixed() -> pa.Table:
    return pa.concat_tables([events(), table(ANNOTATIONS, [seen(7, "p1.jpg")])])


def test_each_format_writes_one_file_with_all(tmp_path: Path) -> None:
    done = write_annotations(mixed(), media(), tmp_path, list(WRITERS))
    assert [file.name for file in done.files] == [writer.combined for writer in WRITERS.values()]
    assert sorted(tmp_path.iterdir()) == sorted(done.files)


def test_each_recording_has_a_file_of_its_own_also_without_a_detection(tmp_path: Path) -> None:
    done = write_annotations(mixed(), media(), tmp_path, list(WRITERS), split=True)
    for name in SPLIT:
        ending = WRITERS[name].each
        found = {
            file.relative_to(tmp_path / name).as_posix() for file in done.files if tmp_path / name in file.parents
        }
        places = {f"{place}{ending}" for place in ("north/ridge/2026/a", "north/ridge/2026/b", "south/c")}
        assert found == places | ({f"photographs{ending}"} if name in {"csv", "parquet", "json"} else set())
    assert all(file.is_file() for file in done.files)
    assert (tmp_path / "raven/south/c.Table.1.selections.txt").read_text().count("\n") == 2
    assert (tmp_path / "raven/north/ridge/2026/b.Table.1.selections.txt").read_text().count("\n") == 1


def test_names_of_recordings_that_differ_in_their_ending_do_not_meet(tmp_path: Path) -> None:
    rows = [
        file_row(name, Path("/x"), duration_s=1.0, sample_rate=8000, channels=1)
        for name in ("a.wav", "a.flac", "A.mp3", "photographs.wav")
    ]
    done = write_annotations(
        ANNOTATIONS.empty_table(), MediaTables(table(RECORDINGS, rows)), tmp_path, ["csv"], split=True
    )
    assert len({file.name.lower() for file in done.files}) == 4
    assert done.files[0].name == "a.annotations.csv"
    assert done.files[1].name == "a.flac.annotations.csv"
    assert done.files[3].name == "photographs.wav.annotations.csv"


def test_several_rows_of_one_recording_are_one_file(tmp_path: Path) -> None:
    common = {"duration_s": 10.0, "sample_rate": 8000, "channels": 2}
    rows = [file_row("x.wav", Path("/x"), channel=channel, **common) | {"id": f"x{channel}"} for channel in (1, 2)]
    rows.append(file_row("y.wav", Path("/x"), **common))
    found = [heard(1, "a.wav", 1.0, 2.0, media_id="x2"), heard(2, "a.wav", 0.5, 2.0, media_id="id-y.wav")]
    done = write_annotations(table(ANNOTATIONS, found), MediaTables(table(RECORDINGS, rows)), tmp_path, ["raven"])
    lines = done.files[0].read_text().splitlines()
    assert [line.split("\t")[3] for line in lines[1:]] == ["1.000000", "10.500000"]


def test_each_box_of_a_photograph_is_its_own(tmp_path: Path) -> None:
    boxes = [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 0.25, 0.25]]
    rows = [
        file_row("p.jpg", Path("/x"), width=9, height=9, box=box) | {"id": f"p{at}"}
        for at, box in enumerate(boxes)
    ]
    found = [
        seen(1, "p1.jpg", media_id="p1"),
        seen(2, "p1.jpg", media_id="p0"),
        seen(3, "p1.jpg", media_id="p0", box=[0, 0, 1, 1]),
    ]
    of = MediaTables(photographs=table(PHOTOGRAPHS, rows))
    done = write_annotations(table(ANNOTATIONS, found), of, tmp_path, ["parquet"])
    read = pq.read_table(done.files[0]).sort_by("id")
    assert read["box"].to_pylist() == [boxes[1], boxes[0], [0.0, 0.0, 1.0, 1.0]]
    assert set(read["path"].to_pylist()) == {"/x/p.jpg"}


def test_a_recording_within_a_dataset_has_its_whole_path(tmp_path: Path) -> None:
    row = file_row("x.wav", Path("media"), duration_s=10.0, sample_rate=8000, channels=1, dataset="/my/dataset")
    found = [heard(1, "a.wav", 1.0, 2.0, media_id=None, path="media/x.wav")]
    done = write_annotations(table(ANNOTATIONS, found), MediaTables(table(RECORDINGS, [row])), tmp_path, ["raven"])
    assert "/my/dataset/media/x.wav" in done.files[0].read_text()


def test_what_is_there_is_replaced_only_where_that_is_asked_for(tmp_path: Path) -> None:
    for split in (False, True):
        write_annotations(events(), media(), tmp_path, list(WRITERS), split=split, overwrite=split)
        with pytest.raises(DatasetError, match=r"already exists\. Choose another place, or give --overwrite"):
            write_annotations(events(), media(), tmp_path, ["csv"], split=split)
    again = write_annotations(ANNOTATIONS.empty_table(), media(), tmp_path, SPLIT, split=True, overwrite=True)
    assert all(file.is_file() for file in again.files)
    assert not (tmp_path / "csv/photographs.annotations.csv").exists()


def test_a_folder_that_is_not_ours_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "raven").mkdir()
    (tmp_path / "raven/thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match="biovita did not make it"):
        write_annotations(events(), media(), tmp_path, ["raven"], split=True, overwrite=True)
    assert (tmp_path / "raven/thesis.txt").read_text() == "years of work"


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = write_annotations(events(), media(), tmp_path, ["csv"]).files
    before = file.read_bytes()

    def fails(_: object, place: Path) -> None:
        place.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(
        annotation_writers.WRITERS, "csv", annotation_writers.Writer("", "annotations.csv", ".csv", fails)
    )
    for split in (False, True):
        with pytest.raises(KeyboardInterrupt):
            write_annotations(events(), media(), tmp_path, ["csv"], split=split, overwrite=True)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"unknown format 'ravenn'\. Did you mean 'raven'\?"):
        write_annotations(events(), media(), tmp_path, ["csv", "ravenn"])
    assert not list(tmp_path.iterdir())


def test_a_taxon_that_is_absent_is_said_only_where_the_format_can(tmp_path: Path) -> None:
    rows = table(ANNOTATIONS, [heard(1, "a.wav", 0.0, 60.0, presence="absent")])
    done = write_annotations(rows, media(), tmp_path, list(WRITERS))
    said = {name for name, left in done.not_written.items() if not left}
    assert said == {"csv", "parquet", "json", "darwin-core"}
    assert {each.reason for left in done.not_written.values() for each in left} == {
        "absent",
        "not-a-photograph",
    } | {"no-zone"}


def test_every_annotation_is_written_or_listed(tmp_path: Path) -> None:
    rows = pa.concat_tables(
        [mixed(), table(ANNOTATIONS, [heard(8, "a.wav", 0.0, 1.0, path=None, media_id=None), seen(9, "p2.jpg")])]
    )
    done = write_annotations(rows, media(), tmp_path, list(WRITERS))
    left = {name: sum(each.annotations for each in found) for name, found in done.not_written.items()}
    assert left == {
        "csv": 0,
        "parquet": 0,
        "json": 0,
        "raven": 3,
        "audacity": 3,
        "kaleidoscope": 3,
        "aoef": 3,
        "camtrap-dp": 5,
        "darwin-core": 0,
    }


def test_the_folder_that_files_share() -> None:
    assert shared_folder([]) is None
    assert shared_folder([str(ROOT / "x.wav")]) == str(ROOT)
    assert shared_folder([str(ROOT / "north" / name) for name in DURATIONS] + [str(ROOT / "n.wav")]) == str(ROOT)
