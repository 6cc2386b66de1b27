"""Columns as people say them: the wrong way round, with a slip, several at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.sources.column_choice import chosen_columns, likely_columns
from biovita.sources.folder import import_folder
from support.commands import run_command
from support.folders import make_folder

HEADERS = {"audio.csv": ("path", "species", "site")}


@pytest.fixture
def src(tmp_path: Path) -> Path:
    root = make_folder(tmp_path / "src")
    for table in ("audio.csv", "images.csv"):
        text = (root / table).read_text(encoding="utf-8").replace("file,scientific_name", "path,species", 1)
        (root / table).write_text(text, encoding="utf-8")
    return root


def test_the_wrong_way_round_is_understood_and_said() -> None:
    chosen, notes = chosen_columns({"species": "scientific_name", "file": "path"}, HEADERS)
    assert chosen == {"scientific_name": "species", "file": "path"}
    assert notes == (
        "--column species=scientific_name was read as --column scientific_name=species: the field stands first",
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"specie": "scientific_name"},
            r"no table has a column 'specie'\. Did you mean scientific_name=species\?",
        ),
        (
            {"scientific_name": "specis"},
            r"audio\.csv has no column 'specis'\. Did you mean 'species'\? Columns of",
        ),
        ({"scientfic_name": "species"}, r"unknown field 'scientfic_name'\. Did you mean 'scientific_name'\?"),
        (
            {"species": "scientific_name", "scientific_name": "site"},
            "scientific_name was already given the column",
        ),
    ],
)
def test_what_is_not_there_is_said_with_the_nearest(given: dict[str, str], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        chosen_columns(given, HEADERS)


def test_columns_that_are_likely_meant() -> None:
    assert likely_columns(["Latin name", "File_Path", "label"]) == {
        "file": "File_Path",
        "scientific_name": "Latin name",
    }
    assert likely_columns(["x", "y"]) == {}


def test_columns_in_the_shell(src: Path, tmp_path: Path) -> None:
    command = ("data", "import", "folder", src, "--out", tmp_path / "ds", "--overwrite", "--column")
    one = run_command(*command, "file=path", "species=scientific_name")
    assert (one.code, "6 recordings and 6 photographs" in one.out) == (0, True)
    assert "was read as --column scientific_name=species" in one.err
    assert Dataset.open(tmp_path / "ds").info["made"]["columns"] == {"file": "path", "scientific_name": "species"}
    other = run_command(*command, "file = path", "--column", "scientific_name=species")
    assert other.code == 0
    eaten = run_command("data", "import", "folder", "--out", tmp_path / "x", "--column", "file=path", "more")
    assert eaten.code == 2
    late = run_command(*command, "file=path", "my-folder")
    assert "If my-folder is the folder, give it before --column" in late.err


def test_backslashes_in_a_table_lead_to_the_files(src: Path, tmp_path: Path) -> None:
    for table in ("audio.csv", "images.csv"):
        text = (src / table).read_text(encoding="utf-8").replace("audio/", r"audio\ ".strip())
        (src / table).write_text(text.replace("images/", r"C:\data\src\images\ ".strip()), encoding="utf-8")
    report = import_folder(
        src, out=tmp_path / "ds", columns={"file": "path", "scientific_name": "species"}, progress=False
    )
    assert (report.audio, report.images, report.rejected) == (6, 6, 0)
