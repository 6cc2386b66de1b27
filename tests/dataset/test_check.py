"""Datasets that were tampered with, and what `check` says of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.dataset.problems import DatasetProblem
from biovita.dataset.split import split_dataset
from biovita.sources.folder import import_folder
from support.folders import make_folder


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    import_folder(make_folder(tmp_path / "src"), out=tmp_path / "ds", progress=False)
    return Dataset.open(tmp_path / "ds")


def edit(dataset: Dataset, table: str, change: Callable[[list[dict[str, Any]]], object]) -> Dataset:
    """Rewrite a table after ``change`` was done to its rows."""
    file = dataset.path / f"{table}.parquet"
    old = pq.read_table(file)
    rows = old.to_pylist()
    change(rows)
    loose = pa.schema([field.with_nullable(True) for field in old.schema])
    pq.write_table(pa.Table.from_pylist(rows, schema=loose), file)
    return Dataset.open(dataset.path)


def found(dataset: Dataset, **options: bool) -> list[tuple[str, str]]:
    return [(problem.code, problem.table) for problem in check(dataset, **options)]


def test_nothing_is_wrong_with_a_new_one(dataset: Dataset) -> None:
    assert check(dataset) == check(dataset, hashes=True) == []
    split_dataset(dataset, unseen=1, seed=0, held_out=0.5)
    assert check(Dataset.open(dataset.path)) == []


def test_files_that_are_gone_or_changed(dataset: Dataset) -> None:
    first, second = (dataset.locate(path) for path in dataset.audio["path"].to_pylist()[:2])
    assert isinstance(first, Path)
    assert isinstance(second, Path)
    first.unlink()
    second.write_bytes(second.read_bytes() + b"more")
    ids = dataset.audio["id"].to_pylist()
    (gone,) = check(dataset)
    assert gone == DatasetProblem("missing-file", "audio", ids[0], f"{first}: there is no such file")
    assert str(gone) == f"audio.parquet {ids[0]}: {first}: there is no such file [missing-file]"
    assert {(p.code, p.item) for p in check(dataset, hashes=True)} == {
        ("missing-file", ids[0]),
        ("changed-file", ids[1]),
    }


@pytest.mark.parametrize(
    ("table", "column", "value", "code"),
    [
        ("audio", "taxon_id", "nobody", "unknown-taxon"),
        ("audio", "split", "test", "bad-value"),
        ("audio", "sample_rate", 0, "bad-value"),
        ("audio", "start_s", -0.1, "span"),
        ("audio", "start_s", 1.0, "span"),
        ("audio", "end_s", 1.5, "span"),
        ("audio", "end_s", float("nan"), "span"),
        ("audio", "duration_s", float("inf"), "span"),
        ("audio", "latitude", 90.5, "coordinates"),
        ("images", "longitude", float("nan"), "coordinates"),
        ("images", "width", 0, "bad-value"),
        ("images", "sha256", None, "missing-value"),
        ("taxa", "rank", "tribe", "bad-value"),
    ],
)
def test_values_that_cannot_be(dataset: Dataset, table: str, column: str, value: object, code: str) -> None:
    changed = edit(dataset, table, lambda rows: rows[0].update({column: value}))
    assert found(changed) == [(code, table)]


def test_duplicates(dataset: Dataset) -> None:
    audio_id = dataset.audio["id"][0].as_py()
    changed = edit(dataset, "images", lambda rows: rows[1].update(id=audio_id))
    assert found(changed) == [("duplicate-id", "images")]
    changed = edit(changed, "taxa", lambda rows: rows.append(rows[0]))
    assert found(changed) == [("counts", "dataset.toml"), ("duplicate-id", "taxa"), ("duplicate-id", "images")]


def test_traits(dataset: Dataset) -> None:
    def add(rows: list[dict[str, Any]]) -> None:
        trait = {"label": "diurnal", "value": True, "source": "x"}
        rows.extend({"taxon_id": taxon_id, **trait} for taxon_id in ("pica_pica", "pica_pica", "nobody"))

    changed = edit(dataset, "traits", add)
    assert found(changed) == [("counts", "dataset.toml"), ("duplicate-id", "traits"), ("unknown-taxon", "traits")]


def test_tables_that_cannot_be_read(dataset: Dataset) -> None:
    (dataset.path / "images.parquet").write_bytes(b"PAR1 nonsense PAR1")
    table = pq.read_table(dataset.path / "audio.parquet")
    pq.write_table(table.drop_columns(["license"]), dataset.path / "audio.parquet")
    wrong = pq.read_table(dataset.path / "taxa.parquet").set_column(0, "taxon_id", pa.array([[1], [2], [3]]))
    pq.write_table(wrong, dataset.path / "taxa.parquet")
    problems = check(Dataset.open(dataset.path))
    assert [(p.code, p.table) for p in problems] == [("schema", "taxa"), ("schema", "audio"), ("schema", "images")]
    assert "license" in problems[1].message


def split_as(dataset: Dataset, audio: list[str | None], images: list[str | None]) -> Dataset:
    for table, values in (("audio", audio), ("images", images)):
        dataset = edit(
            dataset,
            table,
            lambda rows, values=values: [r.update(split=v) for r, v in zip(rows, values, strict=True)],
        )
    return dataset


def test_a_split_that_leaks(dataset: Dataset) -> None:
    # two items of each of three species in each table, in the order of the species
    fair = ["train", "seen", "train", "seen", "unseen", "unseen"]
    assert found(split_as(dataset, fair, fair)) == []
    species = split_as(dataset, fair, ["train", "seen", "train", "seen", "unseen", "train"])
    (problem,) = check(species)
    assert (problem.code, problem.item) == ("leaking-species", "vulpes_vulpes")
    assert found(split_as(dataset, fair, ["train", "seen", "train", "seen", "unseen", None])) == []
    fixed = split_as(dataset, fair, fair)
    grouped = edit(fixed, "audio", lambda rows: rows[1].update(group_id=rows[0]["group_id"]))
    assert found(grouped) == [("leaking-group", "split")]
    copied = edit(grouped, "audio", lambda rows: rows[1].update(group_id="x", sha256=rows[0]["sha256"]))
    assert found(copied) == [("leaking-file", "split")]
