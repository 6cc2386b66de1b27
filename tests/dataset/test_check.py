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
from biovita.dataset.media_paths import leads_back
from biovita.dataset.problems import PROBLEMS, DatasetProblem, list_problems
from biovita.dataset.split import split_dataset
from biovita.filenames import is_path
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


def test_many_rows_are_checked_on_disk_as_few_are_in_memory(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    fair = ["train", "seen", "train", "seen", "unseen", "unseen"]
    odd = split_as(dataset, fair, ["train", "seen", "train", "seen", "unseen", "train"])
    odd = edit(odd, "audio", lambda rows: rows[1].update(group_id=rows[0]["group_id"], id=rows[3]["id"]))
    odd = edit(odd, "images", lambda rows: rows[1].update(sha256=rows[0]["sha256"], id=rows[0]["id"]))
    expected = check(odd)
    assert len(expected) == 5
    monkeypatch.setattr("biovita.dataset.repeated_keys._ROW_BYTES", 1 << 40)
    monkeypatch.setattr("biovita.parquet._ROWS", 2)
    assert check(Dataset(odd.path)) == expected


def problems(number: int) -> list[DatasetProblem]:
    return [DatasetProblem("span" if row % 3 else "counts", "audio", f"{row}", "odd") for row in range(number)]


@pytest.mark.parametrize(("number", "asked"), [(0, True), (3, False), (100, False), (101, False), (250, True)])
def test_all_problems_are_in_a_file_where_they_are_many_or_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, asked: bool
) -> None:
    monkeypatch.setattr("biovita.dataset.problems._AT_ONCE", 40)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    given = problems(number)
    found = list_problems(iter(given), tmp_path / "all.parquet" if asked else None)
    assert (found.number, found.problems) == (number, tuple(given[:100]))
    assert found.codes == {code: n for code in ("span", "counts") if (n := [p.code for p in given].count(code))}
    assert (found.file is not None) == (asked or number > 100)
    assert list(tmp_path.iterdir()) == ([found.file] if found.file else [])
    if found.file:
        rows = pq.read_table(found.file)
        assert rows.schema.equals(PROBLEMS)
        assert [DatasetProblem(**row) for row in rows.to_pylist()] == given


@pytest.mark.parametrize(
    "path", ["a/../b", "../../x.wav", "x/..", "..\\x", "a\nb", "/x/y.wav", "a" * 300, "caf\u00e9/ok.wav", ""]
)
def test_a_path_is_unsafe_where_the_rule_for_one_says_so(dataset: Dataset, path: str) -> None:
    changed = edit(dataset, "audio", lambda rows: rows[0].update(path=path))
    unsafe = not is_path(path) or leads_back(path)
    assert (("unsafe-path", "audio") in found(changed)) == unsafe
