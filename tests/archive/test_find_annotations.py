"""Files of annotations in folders, patterns, and by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.archive.annotation_formats.annotation_readers import READERS
from biovita.archive.annotation_formats.annotation_writers import WRITERS
from biovita.archive.annotation_formats.find_annotations import find_annotations
from biovita.errors import DatasetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "north/a.TXT", "north/c.tsv", "c.csv", ".hidden.txt", ".old/d.txt", "labels"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def test_a_folder_gives_the_files_of_the_format(folder: Path) -> None:
    assert find_annotations([folder], "raven") == (
        folder / "b.txt",
        folder / "north/a.TXT",
        folder / "north/c.tsv",
    )
    assert find_annotations([folder], "audacity") == (folder / "b.txt", folder / "north/a.TXT")
    assert find_annotations([folder], "csv") == (folder / "c.csv",)


def test_files_and_patterns_are_taken_as_they_are_named_and_once(folder: Path) -> None:
    named = [folder / "labels", str(folder / "**" / "*.tsv"), folder / "north", folder / "labels"]
    assert find_annotations(named, "raven") == (
        folder / "labels",
        folder / "north/c.tsv",
        folder / "north/a.TXT",
    )


def test_what_gives_no_file_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir()
    for places, message in (
        ([folder / "empty"], "empty: the folder has no file that ends with .json"),
        ([folder / "*.json"], "no file fits the pattern"),
        ([folder / "gone.json"], "gone.json does not exist"),
        ([], "no file of annotations is named"),
    ):
        with pytest.raises(DatasetError, match=message):
            find_annotations(places, "aoef")
    with pytest.raises(DatasetError, match="Did you mean 'aoef'"):
        find_annotations([folder], "aeof")


def test_a_folder_that_we_wrote_is_found_again() -> None:
    for name in set(READERS) & set(WRITERS):
        assert WRITERS[name].combined.endswith(READERS[name].endings)
