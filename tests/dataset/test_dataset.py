"""Directories and tables that are written whole or not at all, and what a damaged dataset says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.dataset import Dataset, new_directory, write_dataset, write_table
from biovita.dataset.schema import TABLES, TAXA
from biovita.errors import DatasetError


def listing(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() if path.is_file() else "" for path in sorted(root.rglob("*"))
    }


def write(path: Path, text: str, *, error: BaseException | None = None, **options: Any) -> None:
    with new_directory(path, **options) as directory:
        (directory / "a").write_text(text)
        if error is not None:
            raise error


def test_a_new_directory_is_there_at_the_end(tmp_path: Path) -> None:
    write(tmp_path / "x" / "y" / "z", "1")
    assert listing(tmp_path) == {"x": "", "x/y": "", "x/y/z": "", "x/y/z/a": "1"}
    with pytest.raises(DatasetError, match="already exists"):
        write(tmp_path / "x" / "y" / "z", "2")
    write(tmp_path / "x" / "y" / "z", "2", replace=True)
    assert listing(tmp_path / "x" / "y") == {"z": "", "z/a": "2"}
    (tmp_path / "x" / "y" / "z" / "kept").mkdir()
    write(tmp_path / "x" / "y" / "z", "3", replace=True, keep=["kept", "none"])
    assert listing(tmp_path / "x" / "y") == {"z": "", "z/a": "3", "z/kept": ""}
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "4")


def test_only_what_is_of_its_kind_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "mine", "my notes")
    (tmp_path / "file").write_text("my file")
    before = listing(tmp_path)
    with pytest.raises(DatasetError, match=r"mine is not replaced: it has no config\.json"):
        write(tmp_path / "mine", "2", replace=True, marker="config.json")
    with pytest.raises(DatasetError, match="is a file, and is not replaced by a directory"):
        write(tmp_path / "file", "2", replace=True, marker="config.json")
    assert listing(tmp_path) == before
    write(tmp_path / "mine", "2", replace=True, marker="a")
    assert listing(tmp_path / "mine") == {"a": "2"}


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with new_directory(tmp_path / "x") as directory:
            (directory / "weights").touch(0o600)
        assert (tmp_path / "x" / "weights").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_whatever_stops_it_nothing_is_left(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write(tmp_path / "x" / "y" / "z", "1", error=error)
    assert listing(tmp_path) == {}
    write(tmp_path / "z", "1")
    with pytest.raises(type(error)):
        write(tmp_path / "z", "2", replace=True, error=error)
    assert listing(tmp_path) == {"z": "", "z/a": "1"}


def test_a_replacement_that_cannot_be_put_in_place_brings_the_old_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "z", "1")
    (tmp_path / "z" / "kept").mkdir()
    rename = Path.rename

    def once(self: Path, target: Path) -> Path:
        if target == tmp_path / "z" and (self / "a").is_file() and (self / "a").read_text() == "2":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "z", "2", replace=True, keep=["kept"])
    assert listing(tmp_path) == {"z": "", "z/a": "1", "z/kept": ""}


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetError, match="not a directory"):
        write(tmp_path / "file" / "z", "1")


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "taxa.parquet"
    write_table(TAXA.empty_table(), file)
    before = file.read_bytes()

    def full(_: object, target: BinaryIO, **options: object) -> None:
        target.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="No space"):
        write_table(TAXA.empty_table(), file)
    assert [path.name for path in tmp_path.iterdir()] == ["taxa.parquet"]
    assert file.read_bytes() == before


def test_what_is_written_is_read(tmp_path: Path) -> None:
    taxa = pa.Table.from_pylist(
        [{"taxon_id": "pica_pica", "scientific_name": "Pica pica", "rank": "species"}], schema=TAXA
    )
    with new_directory(tmp_path / "ds") as directory:
        write_dataset(directory, {"taxa": taxa}, {"name": "ds", "version": "1", "made": {}})
    dataset = Dataset.open(tmp_path / "ds")
    assert dataset.info["counts"] == {name: int(name == "taxa") for name in TABLES}
    assert dataset.table("taxa").equals(taxa)
    assert dataset.taxonomy["pica_pica"].scientific_name == "Pica pica"
    assert dataset.audio.num_rows == 0


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        Dataset.open(tmp_path / "no")
    with pytest.raises(DatasetError, match=r"has no dataset\.toml"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.toml").write_text("format = 2\n")
    with pytest.raises(DatasetError, match="reads format 1"):
        Dataset.open(tmp_path)
    (tmp_path / "dataset.toml").write_text("format = \n")
    with pytest.raises(DatasetError, match="cannot be read"):
        Dataset.open(tmp_path)


def test_a_table_with_an_empty_value_where_none_may_be(tmp_path: Path) -> None:
    with new_directory(tmp_path / "ds") as directory:
        write_dataset(directory, {}, {"name": "ds"})
    loose = pa.schema([field.with_nullable(nullable=True) for field in TAXA])
    table = pa.Table.from_pylist([{"taxon_id": "x", "scientific_name": None, "rank": "species"}], schema=loose)
    pq.write_table(table, tmp_path / "ds" / "taxa.parquet")
    with pytest.raises(DatasetError, match=r"taxa\.parquet does not hold what it has to"):
        Dataset.open(tmp_path / "ds").table("taxa")
    assert Dataset.open(tmp_path / "ds").loose_table("taxa").num_rows == 1
