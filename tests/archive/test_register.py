from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from biovita.archive import register as registering
from biovita.archive.find_media import find_media
from biovita.archive.register import Registered, Registration, id_of, register
from biovita.hashing import sha256_of
from support.recorder_files import write_recorder_wav
from support.sound_files import song, write_sound

RATE = 16_000
GUANO = "GUANO|Version: 1.0\nTimestamp: {time}\nLoc Position: {place}\nMake: Maker\nModel: M1\n"


def registered(place: Path, how: Registration | None = None, before: pa.Table | None = None) -> Registered:
    return register(find_media([place]).files, how or Registration(), before)


def write_picture(path: Path, size: tuple[int, int] = (40, 30), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), len(path.name), np.uint8)).save(path, **options)
    return path


def test_a_recording_is_what_its_header_says(tmp_path: Path) -> None:
    guano = GUANO.format(time="2024-05-17T04:10:00+02:00", place="47.5 8.7")
    file = write_recorder_wav(tmp_path / "a.wav", song(2, RATE)[:, 0], RATE, guano=guano)
    found = registered(tmp_path)
    (row,) = found.recordings.to_pylist()
    assert row["id"] == id_of(sha256_of(file))
    assert (row["path"], row["sha256"], row["file_size"]) == (str(file), sha256_of(file), file.stat().st_size)
    assert (row["duration_s"], row["sample_rate"], row["channels"], row["channel"]) == (2.0, RATE, 1, None)
    assert (row["begin_local"], row["utc_offset_min"]) == (datetime.fromisoformat("2024-05-17T04:10"), 120)
    (site,) = found.deployments.to_pylist()
    assert (site["site"], site["latitude"], site["longitude"]) == (tmp_path.name, 47.5, 8.7)
    assert "M1" in site["recorder"]
    assert row["deployment_id"] == site["id"]


def test_each_channel_or_a_chosen_one_is_a_recording(tmp_path: Path) -> None:
    write_sound(tmp_path / "two.wav", song(1, RATE, channels=2), RATE)
    each = registered(tmp_path, Registration(channels=())).recordings
    assert each["channel"].to_pylist() == [1, 2]
    assert len(set(each["id"].to_pylist())) == 2
    assert registered(tmp_path, Registration(channels=(2,))).recordings["id"].to_pylist() == [
        each["id"][1].as_py()
    ]


def test_boxes_of_a_photograph_are_photographs_and_one_without_is_itself(tmp_path: Path) -> None:
    boxed, plain = write_picture(tmp_path / "a.png"), write_picture(tmp_path / "bb.png")
    boxes = {boxed: [((0.0, 0.0, 0.5, 0.5), "d: animal 0.90"), ((0.5, 0.5, 0.5, 0.5), "d: animal 0.40")]}
    rows = registered(tmp_path, Registration(boxes=boxes)).photographs.to_pylist()
    assert [(Path(row["path"]).name, row["box"], row["box_of"]) for row in rows] == [
        ("a.png", [0.0, 0.0, 0.5, 0.5], "d: animal 0.90"),
        ("a.png", [0.5, 0.5, 0.5, 0.5], "d: animal 0.40"),
        ("bb.png", None, None),
    ]
    assert [row["id"] for row in rows] == [id_of(sha256_of(boxed), box=n) for n in (1, 2)] + [
        id_of(sha256_of(plain))
    ]


def test_a_photograph_is_as_large_as_it_is_shown(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    write_picture(tmp_path / "a.jpg", exif=exif)
    (row,) = registered(tmp_path).photographs.to_pylist()
    assert (row["width"], row["height"]) == (30, 40)


def test_what_cannot_be_used_says_which_file_and_why(tmp_path: Path) -> None:
    whole = write_sound(tmp_path / "a.wav", song(1, RATE), RATE).read_bytes()
    (tmp_path / "b_copy.wav").write_bytes(whole)
    (tmp_path / "c_cut.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d_empty.wav").write_bytes(b"")
    (tmp_path / "e_power.wav").write_bytes(whole[:40] + bytes(4))
    (tmp_path / "f_text.wav").write_text("hello")
    (tmp_path / "g_gone.wav").symlink_to(tmp_path / "nowhere")
    found = registered(tmp_path)
    assert [Path(path).name for path in found.recordings["path"].to_pylist()] == ["a.wav"]
    said = {Path(row["path"]).name: row for row in found.left_out.to_pylist()}
    assert {name: row["reason"] for name, row in said.items()} == {
        "b_copy.wav": "duplicate",
        "c_cut.wav": "truncated",
        "d_empty.wav": "empty",
        "e_power.wav": "no-samples",
        "f_text.wav": "not-audio",
        "g_gone.wav": "unreadable",
    }
    assert all(row["detail"].startswith(f"{tmp_path / name}: ") for name, row in said.items())
    assert str(tmp_path / "a.wav") in said["b_copy.wav"]["detail"]
    assert "44 bytes" in said["e_power.wav"]["detail"]
    assert "Errno" not in said["g_gone.wav"]["detail"]


def test_what_is_odd_about_a_recording_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = song(1, RATE)
    whole = write_sound(tmp_path / "a.wav", sound, RATE).read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[:40] + bytes(4) + whole[44:])
    write_sound(tmp_path / "b.wav", np.hstack([sound, -sound]), RATE)
    write_sound(tmp_path / "c.wav", sound[: RATE // 20], RATE)
    found = registered(tmp_path)
    first, second = found.recordings.to_pylist()
    assert first["duration_s"] == 1
    assert any("header was never finished" in note for note in first["notes"])
    assert any("channel 1 is heard in its place" in note for note in second["notes"])
    (short,) = found.left_out.to_pylist()
    assert (Path(short["path"]).name, short["reason"]) == ("c.wav", "too-short")
    monkeypatch.setenv("BIOVITA_LIMIT_SHORTEST", "40")
    assert len(registered(tmp_path).recordings) == 3


def test_a_file_that_is_as_it_was_is_not_hashed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = write_sound(tmp_path / "a.wav", song(1, RATE), RATE)
    changed = write_sound(tmp_path / "b.wav", song(1, RATE, seed=1), RATE)
    first = registered(tmp_path)
    write_sound(changed, song(1, RATE, seed=2), RATE)
    os.utime(changed, ns=(1, 1))
    hashed: list[Path] = []
    monkeypatch.setattr(registering, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    again = registered(tmp_path, before=first.recordings)
    assert hashed == [changed]
    assert again.recordings["id"][0].as_py() == id_of(sha256_of(kept))
    assert again.recordings["id"][1] != first.recordings["id"][1]


def test_sites_are_what_files_state_or_their_folders(tmp_path: Path) -> None:
    for number, folder in enumerate(("", "north", "north/deep")):
        write_sound(tmp_path / folder / f"{number}.wav", song(0.5, RATE, seed=number), RATE)
    guano = "GUANO|Version: 1.0\nNote: x\nLoc Position: 1 2\nWA|Song Meter|Prefix: SM7\n"
    write_recorder_wav(tmp_path / "north" / "z.wav", song(0.5, RATE, seed=9)[:, 0], RATE, guano=guano)
    found = registered(tmp_path)
    names = {Path(row["path"]).name: row["deployment_id"] for row in found.recordings.to_pylist()}
    assert (names["0.wav"], names["1.wav"], names["2.wav"]) == (tmp_path.name, "north", "north/deep")
    assert set(names.values()) == set(found.deployments["id"].to_pylist())


def test_a_recorder_that_moved_has_no_place_of_its_own(tmp_path: Path) -> None:
    for number, place in enumerate(("47.5 8.7", "47.6 8.7")):
        guano = GUANO.format(time="2024-05-17T04:10:00", place=place)
        write_recorder_wav(tmp_path / f"{number}.wav", song(0.5, RATE, seed=number)[:, 0], RATE, guano=guano)
    found = registered(tmp_path)
    assert found.deployments["latitude"].to_pylist() == [None]
    assert found.recordings["latitude"].to_pylist() == [47.5, 47.6]


def test_a_time_zone_is_set_only_where_none_is_stated(tmp_path: Path) -> None:
    write_sound(tmp_path / "20240717_051000.wav", song(0.5, RATE), RATE)
    guano = GUANO.format(time="2024-05-17T04:10:00Z", place="47.5 8.7")
    write_recorder_wav(tmp_path / "b.wav", song(0.5, RATE, seed=1)[:, 0], RATE, guano=guano)
    for timezone, offset in ((None, None), ("Europe/Zurich", 120), ("-03:00", -180)):
        rows = registered(tmp_path, Registration(timezone=timezone)).recordings.to_pylist()
        assert [row["utc_offset_min"] for row in rows] == [offset, 0]


def test_progress_counts_every_file(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.wav").write_bytes(b"")
    counted: list[int] = []
    register(find_media([tmp_path]).files, Registration(), advance=counted.append)
    assert sum(counted) == 3
