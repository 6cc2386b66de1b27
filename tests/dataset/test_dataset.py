"""Tables that are written whole or not at all, and what a damaged dataset says."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.dataset import Dataset, write_dataset, write_table
from biovita.dataset.schema import TABLES, TAXA
from biovita.errors import DatasetError
from biovita.files import new_directory


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
    with pytest.raises(DatasetError, match=r"taxa\.parquet is not in the expected form"):
        Dataset.open(tmp_path / "ds").table("taxa")
    assert Dataset.open(tmp_path / "ds").loose_table("taxa").num_rows == 1
