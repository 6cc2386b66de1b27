from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from biovita.archive import find_media as finding
from biovita.archive.archive import Archive
from biovita.archive.find_media import FoundMedia, find_media
from biovita.archive.register import Registration
from biovita.archive.take_in import extent_of, take_in
from support.hostile_data import dataset, write_image
from support.sound_files import song, write_sound

RATE = 8_000
SPAN = {"start_s": 0.0, "end_s": 1.0, "duration_s": 2.0, "sample_rate": RATE}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sound(tmp_path / "survey" / "a.wav", song(2, RATE), RATE)
    write_sound(tmp_path / "survey" / "b.wav", song(3, RATE, seed=1), RATE)
    write_image(tmp_path / "survey" / "c.png", 1)
    (tmp_path / "survey" / "d.wav").write_bytes(b"")
    return tmp_path / "survey"


def taken(path: Path, *places: Path) -> Archive:
    archive = Archive(path)
    archive.describe({})
    take_in(archive, find_media(places), Registration())
    return archive


def names(archive: Archive, table: str) -> list[str]:
    return [Path(path).name for path in archive.table(table)["path"].to_pylist()]


def test_files_become_tables(folder: Path, tmp_path: Path) -> None:
    archive = taken(tmp_path / "run", folder)
    assert names(archive, "recordings") == ["a.wav", "b.wav"]
    assert names(archive, "photographs") == ["c.png"]
    assert names(archive, "left_out") == ["d.wav"]
    assert archive.table("deployments")["id"].to_pylist() == ["survey"]
    assert not len(archive.table("labels"))


def test_what_is_named_later_takes_the_place_of_what_was(folder: Path, tmp_path: Path) -> None:
    first = taken(tmp_path / "run", folder).table("recordings")
    archive = taken(tmp_path / "run", folder / "b.wav")
    assert names(archive, "recordings") == ["b.wav"]
    assert archive.table("recordings")["id"].to_pylist() == first["id"].to_pylist()[1:]
    assert not len(archive.table("photographs"))


def test_a_dataset_keeps_its_spans_and_labels_and_meets_files(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "a.wav", tmp_path / "a.wav")
    rows = [{"path": str(tmp_path / "a.wav"), **SPAN}, {"path": str(tmp_path / "a.wav"), **SPAN, "end_s": 2.0}]
    archive = taken(tmp_path / "run", folder, dataset(tmp_path / "data", rows))
    # The span of a file is another recording than the whole of it.
    assert archive.table("recordings")["end_s"].to_pylist() == [None, None, 1.0, 2.0]
    assert archive.table("deployments")["id"].to_pylist() == ["survey", "foreign"]
    labels = archive.table("labels")
    assert labels["media_id"].to_pylist() == archive.table("recordings")["id"].to_pylist()[2:]


def test_a_dataset_named_twice_is_there_once(folder: Path, tmp_path: Path) -> None:
    row = {"path": str(folder / "a.wav"), **SPAN}
    places = [dataset(tmp_path / name, [row]) for name in ("one", "two")]
    archive = taken(tmp_path / "run", *places)
    assert len(archive.table("recordings")) == 1
    (left_out,) = archive.table("left_out").to_pylist()
    assert left_out["reason"] == "duplicate"
    assert left_out["detail"] == f"{folder / 'a.wav'}: the same content was named before"


def test_a_folder_that_cannot_be_looked_into_is_listed(folder: Path, tmp_path: Path) -> None:
    found = find_media([folder])
    closed = FoundMedia(found.files, (), found.others, ((folder / "private", "Permission denied"),))
    archive = Archive(tmp_path / "run")
    archive.describe({})
    take_in(archive, closed, Registration())
    assert {"private", "d.wav"} == set(names(archive, "left_out"))


def test_os_walk_says_which_folder_is_closed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def walk(top, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder / "private")))
        return iter(())

    monkeypatch.setattr(finding.os, "walk", walk)
    assert find_media([folder]).closed == ((folder / "private", "Permission denied"),)


def test_the_extent_is_that_of_headers(folder: Path, tmp_path: Path) -> None:
    data = dataset(tmp_path / "data", [{"path": str(folder / "a.wav"), **SPAN}], [{"path": "x.png"}])
    extent = extent_of(find_media([folder, data]))
    assert (extent.recordings, extent.photographs, extent.unreadable) == (4, 2, 1)
    assert extent.hours == pytest.approx((2 + 3 + 1) / 3600)


def test_nothing_has_no_extent() -> None:
    assert extent_of(find_media([])).hours == 0
