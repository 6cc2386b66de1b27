"""Tables that are written whole or not at all, and what a damaged dataset says."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from biovita.dataset import Dataset, write_dataset, write_table
from biovita.dataset.schema import IMAGES, TABLES, TAXA
from biovita.errors import DatasetError
from biovita.files import new_directory
from biovita.modality import Modality
from biovita.parquet import in_one_piece


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


def photographs(number: int) -> pa.Table:
    """Return rows of photographs of two species, of which every third is in training."""
    values: dict[str, list[object]] = {name: [None] * number for name in IMAGES.names}
    values |= {name: [1] * number for name in ("width", "height")}
    values |= {name: [f"{name}{row}" for row in range(number)] for name in ("id", "path", "sha256", "group_id")}
    values["taxon_id"] = [("pica_pica", "parus_major")[row % 2] for row in range(number)]
    values["split"] = ["seen" if row % 3 else "train" for row in range(number)]
    return pa.table(values, schema=IMAGES)


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr("biovita.parquet._ROWS", 100)
    write_dataset(tmp_path, {"images": photographs(250)}, {"name": "many"})
    return Dataset(tmp_path)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("where", [None, pc.field("split") == "train", pc.field("taxon_id").isin(["pica_pica"])])
def test_some_columns_and_rows_are_those_of_the_whole(
    many: Dataset, where: pc.Expression | None, held: bool
) -> None:
    dataset = Dataset(many.path)
    if held:
        _ = dataset.images
    whole = many.images if where is None else many.images.filter(where)
    assert dataset.media(Modality.IMAGE, ["sha256", "id"], where).equals(whole.select(["sha256", "id"]))
    assert dataset.media(Modality.IMAGE, where=where).equals(whole)
    batches = list(dataset.batches("images", ["id"], where))
    assert pa.Table.from_batches(batches).equals(whole.select(["id"]))
    assert len(batches) == 3
    assert dataset.rows("images") == 250
    assert (dataset.rows("audio"), dataset.columns("audio", ["start_s"]).num_rows) == (0, 0)


def test_a_column_that_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"images": photographs(3)}, {"name": "few"})
    rows = pq.read_table(tmp_path / "images.parquet").drop_columns(["license"])
    pq.write_table(rows, tmp_path / "images.parquet")
    dataset = Dataset(tmp_path)
    assert dataset.media(Modality.IMAGE, ["id"])["id"].to_pylist() == ["id0", "id1", "id2"]
    with pytest.raises(DatasetError, match="lacks the column"):
        dataset.media(Modality.IMAGE)


def test_columns_with_an_empty_value_where_none_may_be(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"images": photographs(3)}, {"name": "few"})
    rows = pq.read_table(tmp_path / "images.parquet")
    loose = pa.schema([field.with_nullable(nullable=True) for field in rows.schema])
    odd = rows.cast(loose).set_column(0, loose.field("id"), pa.array(["a", None, "c"]))
    pq.write_table(odd, tmp_path / "images.parquet")
    assert Dataset(tmp_path).columns("images", ["path"]).num_rows == 3
    with pytest.raises(DatasetError, match=r"images\.parquet is not in the expected form"):
        list(Dataset(tmp_path).batches("images", ["id"]))


def test_texts_too_long_for_one_column_of_text_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pa.chunked_array([["aa"], ["bb", None]])
    assert in_one_piece(texts).equals(pa.array(["aa", "bb", None], pa.string()))
    monkeypatch.setattr("biovita.parquet._MOST_BYTES", 3)
    assert in_one_piece(texts).equals(pa.array(["aa", "bb", None], pa.large_string()))
    assert in_one_piece(pa.chunked_array([[1, 2]])).equals(pa.array([1, 2]))
