"""An archive that someone else made, or that is damaged: each fault is one line that says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import biovita
from biovita import Archive
from support.aligned_stub import ALIGNED
from support.commands import run_command
from support.surveys import write_survey


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("foreign")
    survey = write_survey(root / "survey", sounds=2, pictures=2)
    place = biovita.create_archive(root / "archive", model=[ALIGNED])
    biovita.add_to_archive(place, [survey], progress=False)
    (survey / "labels.txt").write_text("0.5\t1.5\tParus major\n", encoding="utf-8")
    shutil.copy(survey / "labels.txt", survey / "1.txt")
    biovita.add_to_archive(place, annotations=[survey / "1.txt"], annotation_format="audacity", progress=False)
    table = root / "more.csv"
    table.write_text("path,nets\npond/1.wav,3\n", "utf-8")
    biovita.add_to_archive(place, columns=[table], progress=False)
    return place


def rewritten(name: str, **values: Any) -> Callable[[Path], object]:
    """Return what sets values of a JSON file."""

    def change(place: Path) -> None:
        (file,) = place.glob(name)
        file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **values}), "utf-8")

    return change


def spoiled(name: str, content: bytes = b"PAR1 nothing") -> Callable[[Path], object]:
    """Return what writes other bytes into a file."""

    def change(place: Path) -> None:
        (file,) = place.glob(name)
        file.write_bytes(content)

    return change


def with_taxa(**values: list[Any]) -> Callable[[Path], object]:
    """Return what writes other taxa."""

    def change(place: Path) -> None:
        table = Archive.open(place).table("taxa").slice(0, 1)
        rows = [
            {**row, **dict(zip(values, each, strict=True))}
            for row in table.to_pylist()
            for each in zip(*values.values(), strict=True)
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), place / "taxa.parquet")

    return change


def other_table(columns: dict[str, Any]) -> Callable[[Path], object]:
    """Return what writes another table in the place of the one that is searched."""

    def change(place: Path) -> None:
        (table,) = place.glob("search/*/audio.lance")
        shutil.rmtree(table)
        lance.write_dataset(pa.table(columns), str(table))

    return change


def vectors(rows: int, dim: int, kind: Any = np.float16) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ones(rows * dim, kind)), dim)


FAULTS: dict[str, Callable[[Path], object]] = {
    "search.json is no JSON": spoiled("search/*/search.json", b"{"),
    "search.json is a list": spoiled("search/*/search.json", b"[]"),
    "search.json says nothing": spoiled("search/*/search.json", b"{}"),
    "search.json names another state": rewritten("search/*/search.json", revision="2"),
    "search.json names no model": rewritten("search/*/search.json", model="nowhere", place="nowhere"),
    "search.json has odd tables": rewritten("search/*/search.json", tables=[1]),
    "search.json has an odd index": rewritten("search/*/search.json", tables={"audio": {"index": {"rows": "x"}}}),
    "archive.json has odd models": rewritten("archive.json", models=5),
    "archive.json says nothing of hearing": rewritten("archive.json", perceiving={}),
    "archive.json has odd hearing": rewritten("archive.json", perceiving=[1]),
    "the table has no vectors": other_table({"id": ["a"], "media_id": ["a"]}),
    "the table has other vectors": other_table({"id": ["a"], "vector": ["x"]}),
    "the table has floats": other_table({"id": ["a"], "media_id": ["a"], "vector": vectors(1, 16, np.float32)}),
    "taxa are damaged": spoiled("taxa.parquet"),
    "taxa have no rank": with_taxa(rank=["tribe"]),
    "taxa are there twice": with_taxa(common_name=["one", "two"]),
    "labels are damaged": spoiled("labels.parquet"),
    "recordings are damaged": spoiled("recordings.parquet"),
    "columns are damaged": spoiled("columns.parquet"),
    "columns lack their key": lambda place: pq.write_table(pa.table({"a": [1]}), place / "columns.parquet"),
    "the background is damaged": spoiled("search/*/background-audio.npy", b"\x93NUMPY"),
    "the background holds objects": lambda place: np.save(
        next(place.glob("search/*")) / "background-audio.npy", np.array([{}], object), allow_pickle=True
    ),
    "the background is of another length": lambda place: np.save(
        next(place.glob("search/*")) / "background-audio.npy", np.ones((20, 3), np.float32)
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_line(fault: str, whole: Path, tmp_path: Path) -> None:
    place = tmp_path / "archive"
    shutil.copytree(whole, place)
    FAULTS[fault](place)
    sound = next(whole.parent.glob("survey/pond/*.wav"))
    commands = (
        ("search", place, "--audio", sound, "--within", "Parus major", "--where", "nets > 0", "--json"),
        ("archive", "info", place),
        ("archive", "refresh", place),
    )
    printed = [run_command(*command) for command in commands]
    assert printed[0].code == 1, printed[0]
    for each in printed:
        assert each.code in {0, 1}, each
        assert "Traceback" not in each.err
        if each.code:
            assert each.err.splitlines()[-1].startswith("biovita: "), each.err
