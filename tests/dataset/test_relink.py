"""Datasets that are moved with their media, and those whose media were moved."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

import biovita
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.dataset.dataset import replace_tables
from biovita.dataset.media_paths import MediaPaths, leads_back
from biovita.dataset.relink import relink_dataset, relink_hint
from biovita.errors import DatasetError
from biovita.sources.folder import import_folder
from support.commands import run_command
from support.folders import make_folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a folder of media and a dataset of them."""
    import_folder(make_folder(tmp_path / "proj/field"), out=tmp_path / "proj/sets/birds", progress=False)
    return tmp_path / "proj"


def with_paths(dataset: Dataset, table: str, paths: list[str]) -> Dataset:
    media = dataset.table(table)
    at = media.schema.get_field_index("path")
    replace_tables(dataset, {table: media.set_column(at, media.schema.field(at), pa.array(paths))}, {})
    return Dataset.open(dataset.path)


def test_a_dataset_opens_that_was_moved_with_its_media(project: Path, tmp_path: Path) -> None:
    dataset = Dataset.open(project / "sets/birds")
    assert all(path.startswith("../../field/") for path in dataset.audio["path"].to_pylist())
    moved = project.rename(tmp_path / "other name")
    assert check(Dataset.open(moved / "sets/birds"), hashes=True) == []
    (tmp_path / "link").symlink_to(moved / "sets/birds")
    assert check(Dataset.open(tmp_path / "link"), hashes=True) == []


@pytest.mark.parametrize(
    ("home", "file", "stored"),
    [
        ("/home/me/proj/ds", "/home/me/proj/field/a.wav", "../field/a.wav"),
        ("/home/me/proj/a/ds", "/home/me/proj/b/a.wav", "../../b/a.wav"),
        ("/data/ds", "/data/field/a.wav", "../field/a.wav"),
        ("/home/me/ds", "/home/me/field/a.wav", "/home/me/field/a.wav"),  # nobody moves a home
        ("/home/me/ds", "/home/you/a.wav", "/home/you/a.wav"),
        ("/data/ds", "/srv/field/a.wav", "/srv/field/a.wav"),
        ("/data/ds", "/data/ds/media/a.wav", "media/a.wav"),
    ],
)
def test_which_paths_are_relative(monkeypatch: pytest.MonkeyPatch, home: str, file: str, stored: str) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    paths = MediaPaths(Path(home))
    assert paths.stored(Path(file)) == stored
    assert paths.place(stored) == Path(file)


@pytest.mark.parametrize(
    ("path", "back"),
    [
        *(("../a/b.wav", False), ("../../b.wav", False), ("/x/b.wav", False), ("a..b.wav", False)),
        *(("a/../b.wav", True), ("../a/../../b.wav", True), ("..\\a.wav", True)),
    ],
)
def test_dots_stand_at_the_start_of_a_path_or_nowhere(project: Path, path: str, back: bool) -> None:
    assert leads_back(path) == back
    dataset = Dataset.open(project / "sets/birds")
    rows = len(dataset.audio)
    changed = with_paths(dataset, "audio", [path] * rows)
    assert ("unsafe-path" in {problem.code for problem in check(changed)}) == back


def test_absolute_paths_of_older_datasets_still_open(project: Path) -> None:
    dataset = Dataset.open(project / "sets/birds")
    for table in ("audio", "images"):
        old = [str(dataset.locate(path)) for path in dataset.table(table)["path"].to_pylist()]
        dataset = with_paths(dataset, table, old)
    assert check(dataset, hashes=True) == []


def test_media_that_were_moved_are_relinked(project: Path, tmp_path: Path) -> None:
    folder = project / "sets/birds"
    before = {name: Dataset.open(folder).table(name).drop_columns("path") for name in ("audio", "images")}
    media = project.joinpath("field").rename(tmp_path / "proj/raw")
    said = run_command("data", "check", folder)
    assert said.code == 1
    assert said.err.count("biovita data relink") == 1
    assert f"biovita data relink {folder} {project}/field" in said.err
    done = run_command("data", "relink", folder, project / "field", media, "--json").json()
    assert (done["files"], done["audio"], done["images"]) == (12, 6, 6)
    again = Dataset.open(folder)
    assert check(again, hashes=True) == []
    assert relink_hint(again) == ""
    assert {name: again.table(name).drop_columns("path") for name in before} == before
    assert all(path.startswith("../../raw/") for path in again.audio["path"].to_pylist())


def test_paths_of_another_system_are_relinked_by_their_text(project: Path) -> None:
    dataset = Dataset.open(project / "sets/birds")
    for table in ("audio", "images"):
        paths = [
            path.replace("../../field", "C:/Users/me/field") for path in dataset.table(table)["path"].to_pylist()
        ]
        dataset = with_paths(dataset, table, paths)
    relink_dataset(dataset, "C:\\Users\\me\\field", project / "field", progress=False)
    assert check(Dataset.open(dataset.path), hashes=True) == []


def test_nothing_is_relinked_where_one_file_is_missing_or_another(project: Path) -> None:
    folder = project / "sets/birds"
    before = (folder / "audio.parquet").read_bytes()
    media = (project / "field").rename(project / "raw")
    first, second, *_ = sorted((media / "audio").iterdir())
    first.unlink()
    second.write_bytes(b"other")
    with pytest.raises(DatasetError, match="is not changed: 2 of 12 files") as caught:
        biovita.relink_dataset(folder, project / "field", media, progress=False)
    assert f"{first}: there is no such file; {second}: has other bytes" in str(caught.value)
    assert (folder / "audio.parquet").read_bytes() == before


def test_what_is_not_there_to_relink(project: Path) -> None:
    with pytest.raises(DatasetError, match=r"no file of .* lies below /nowhere. Its tables name, for example, "):
        relink_dataset(project / "sets/birds", "/nowhere", project, progress=False)
    dataset = Dataset.open(project / "sets/birds")
    replace_tables(dataset, {}, {"packed": "media.lance"})
    with pytest.raises(DatasetError, match="Unpack them first"):
        relink_dataset(project / "sets/birds", "field", project, progress=False)


def test_a_packed_dataset_with_media_beside_it_unpacks_nothing_outside(project: Path) -> None:
    folder = project / "sets/birds"
    assert run_command("data", "pack", folder, "--out", project / "m.lance", "--allow-outside").code == 0
    said = run_command("data", "unpack", project / "m.lance", "--out", folder)
    assert (said.code, "0 files" in said.out) == (0, True)
    assert json.dumps(check(Dataset.open(folder), hashes=True)) == "[]"
    for file in (project / "field/audio").iterdir():
        file.unlink()
    said = run_command("data", "unpack", project / "m.lance", "--out", folder)
    assert said.code == 1
    assert "leads out of" in said.err
