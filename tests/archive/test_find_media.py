from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from biovita.archive.find_media import find_media
from biovita.errors import DatasetError
from biovita.modality import Modality
from support.sound_files import song, write_sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "survey"
    for name in ("b.WAV", "a/one.flac", "a/two [x].wav", ".hidden/c.wav", "run/d.wav", "notes.txt"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("txt"):
            (place / name).write_text("nothing\n")
        else:
            write_sound((place / name).with_suffix(".wav"), song(0.5, 32_000), 32_000).rename(place / name)
    (place / "run" / "archive.json").write_text("{}")
    return place


def test_a_folder_gives_its_media_in_order_and_counts_the_rest(folder: Path) -> None:
    found = find_media([folder])
    assert [file.path.name for file in found.files] == ["b.WAV", "one.flac", "two [x].wav"]
    assert {file.root for file in found.files} == {folder}
    assert found.others == {".txt": 1}
    assert {file.modality for file in found.files} == {Modality.AUDIO}


def test_files_patterns_and_lists_meet_and_each_counts_once(folder: Path, tmp_path: Path) -> None:
    paths = tmp_path / "paths.txt"
    paths.write_text("# mine\nsurvey/b.WAV\n\nsurvey/a/two [x].wav\n")
    found = find_media([paths, folder / "a", str(folder / "*" / "*.flac"), folder / "b.WAV"])
    assert [file.path.name for file in found.files] == ["b.WAV", "two [x].wav", "one.flac"]


def test_a_file_that_is_named_counts_by_what_it_holds(folder: Path) -> None:
    odd = (folder / "b.WAV").rename(folder / "recording")
    assert [file.modality for file in find_media([odd]).files] == [Modality.AUDIO]
    from PIL import Image

    picture = folder / "picture.wav"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture, "png")
    assert [file.modality for file in find_media([picture]).files] == [Modality.IMAGE]


@pytest.mark.parametrize(
    ("place", "said"),
    [("survy", r"does not exist\. Did you mean .*survey\?"), ("survey/*.mp3", "nothing fits the pattern")],
)
def test_what_is_not_there_is_said(folder: Path, place: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        find_media([folder.parent / place])


def test_a_list_names_itself_where_a_path_of_it_is_wrong(tmp_path: Path) -> None:
    paths = tmp_path / "paths.txt"
    paths.write_text("# mine\r\nnowhere.wav\r\n", newline="")
    with pytest.raises(DatasetError, match=r"paths\.txt, line 2: nowhere\.wav does not exist"):
        find_media([paths])
    paths.write_text("# none\n")
    with pytest.raises(DatasetError, match="lists no path"):
        find_media([paths])


def test_brackets_in_the_names_of_folders_are_no_pattern(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = folder.rename(tmp_path / "survey [süd]")
    assert [file.path.name for file in find_media([odd / "*.WAV"]).files] == ["b.WAV"]
    (tmp_path / "paths.txt").write_text("survey [süd]/a/*.wav\n")
    assert [file.path.name for file in find_media([tmp_path / "paths.txt"]).files] == ["two [x].wav"]
    monkeypatch.chdir(odd)
    assert [file.path.name for file in find_media(["*/*.flac"]).files] == ["one.flac"]
    with pytest.raises(DatasetError, match=r"no file has that name\. Did you mean .*two \[x\]\.wav\?"):
        find_media(["a/two [y].wav"])


def test_a_run_among_other_paths_is_refused(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"run is a run of biovita identify.*Name it by itself"):
        find_media([folder / "a", folder / "run"])
