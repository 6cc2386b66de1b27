"""Tables as biovita wrote them before they had windows and shards: read as they are, and migrated with a write."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pytest

from biovita.dataset import Dataset
from biovita.embedding import LanceStore, embed, embed_items, read, text_items, vectors
from biovita.embedding.store import COLUMNS, WHOLE
from biovita.modality import Modality
from support.plain_model import Builder, Plain

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT


def write_old(path: Path, columns: dict[str, pa.Array], made: dict[str, Any], vector: np.ndarray) -> None:
    """Write a table as it was: no column may be empty, and what made it says nothing of numbers and windows."""
    flat = pa.array(vector.ravel())
    fields = [pa.field(name, column.type, nullable=False) for name, column in columns.items()]
    fields.append(pa.field("vector", pa.list_(flat.type, vector.shape[1]), nullable=False))
    arrays = [*columns.values(), pa.FixedSizeListArray.from_arrays(flat, vector.shape[1])]
    schema = pa.schema(fields, metadata={b"biovita": json.dumps(made).encode()})
    lance.write_dataset(pa.table(arrays, schema=schema), str(path))


@pytest.fixture
def old(builder: Builder, plain: dict[Modality, Plain]) -> Dataset:
    """A dataset that was embedded with the plain model before."""
    dataset = builder.write()
    folder = dataset.path / "embeddings" / "plain"
    folder.mkdir(parents=True)
    for modality, tower in plain.items():
        card = tower.card
        made = {
            "tower": card.name,
            "revision": card.revision,
            "dim": card.dim,
            "preprocessing": card.preprocessing,
        }
        if modality == TEXT:
            texts = ["Pica pica", "Hyla arborea"]
            columns = {"id": pa.array(texts)}
            found = tower.encode([tower.load(text) for text in texts])
        else:
            rows = dataset.media(modality)
            files = [dataset.locate(path) for path in rows["path"].to_pylist()]
            columns = {name: rows[name].combine_chunks() for name in ("id", "taxon_id", "sha256")}
            columns["file_size"] = pa.array([file.stat().st_size for file in files], pa.int64())
            columns["file_mtime_ns"] = pa.array([file.stat().st_mtime_ns for file in files], pa.int64())
            if modality == AUDIO:
                columns |= {name: rows[name].combine_chunks() for name in ("start_s", "end_s")}
            found = tower.encode([tower.load(file) for file in files])
        write_old(folder / f"{modality}.lance", columns, {**made, "biovita": "0.1.0"}, found)
        tower.loaded.clear()
        tower.batches.clear()
    return dataset


def test_they_are_read_as_they_are(old: Dataset, plain: dict[Modality, Plain]) -> None:
    for modality, count in ((AUDIO, 9), (IMAGE, 5)):
        table = LanceStore(old.path / "embeddings" / "plain").table(modality)
        version = lance.dataset(str(table.path)).version
        assert (table.made().numbers, table.made().window_s) == ("float32", None)
        assert len(vectors(old, "plain", modality, compute=False)) == count
        rows, _ = read(table)
        assert rows.schema == COLUMNS
        assert set(rows["window"].to_pylist()) == {WHOLE}
        assert rows["shard"].null_count == count
        assert embed(old, model="plain", modalities=[modality]).parts[0].new == 0
        assert lance.dataset(str(table.path)).version == version
        assert not plain[modality].loaded
    assert len(vectors(old, "plain", TEXT, ids=["Hyla arborea"], compute=False)) == 1


def test_the_first_write_migrates_them_and_says_so(
    old: Dataset, builder: Builder, plain: dict[Modality, Plain], caplog: pytest.LogCaptureFixture
) -> None:
    before = {m: vectors(old, "plain", m, space="tower", compute=False) for m in (AUDIO, IMAGE)}
    builder.add_sound("new", 77)
    builder.add_photograph("new", 78)
    dataset = builder.write()
    with caplog.at_level(logging.WARNING, "biovita"):
        report = embed(dataset, model="plain")
    assert [(part.new, part.kept, part.rebuilt) for part in report.parts] == [
        (1, 9, None),
        (1, 5, None),
        (12, 2, None),
    ]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert all("is a table of an earlier release. It gets" in line for line in said)
    for modality, old_vectors in before.items():
        table = LanceStore(report.path).table(modality)
        assert set(lance.dataset(str(table.path)).schema.names) == {*COLUMNS.names, "vector"}
        found = vectors(dataset, "plain", modality, space="tower")
        np.testing.assert_array_equal(found.subset(old_vectors.ids).array, old_vectors.array)
        assert set(read(table, ids=["new"])[0]["window"].to_pylist()) == {WHOLE}
    assert embed(dataset, model="plain").parts[2].new == 0
    caplog.clear()
    embed_items(plain[TEXT], text_items(["another"]), LanceStore(report.path).table("text"))
    assert not caplog.records


def test_rows_of_migrated_tables_are_replaced_refreshed_and_removed(
    old: Dataset, builder: Builder, plain: dict[Modality, Plain]
) -> None:
    table = LanceStore(old.path / "embeddings" / "plain").table("image")
    builder.images[0]["taxon_id"] = "hyla_arborea"
    assert embed(builder.write(), model="plain", modalities=[IMAGE]).parts[0].new == 0
    assert read(table, ids=["photo 0"])[0]["taxon_id"].to_pylist() == ["hyla_arborea"]
    rows, stored = read(table, ids=["photo 1"])
    bare = rows.set_column(2, COLUMNS.field("taxon_id"), pa.array([None], pa.string()))
    table.commit(bare, stored + 1, table.made())
    table.remove(["photo 2"])
    table.tidy()
    found = dict(zip(read(table)[0]["id"].to_pylist(), read(table)[1][:, 0].tolist(), strict=True))
    assert set(found) == {"photo 0", "photo 1", "photo 3", "photo 4"}
    assert found["photo 1"] == float(stored[0, 0]) + 1


def test_a_migration_that_was_killed_goes_on(old: Dataset, builder: Builder) -> None:
    path = old.path / "embeddings" / "plain" / "image.lance"
    lance.dataset(str(path)).alter_columns({"path": "taxon_id", "nullable": True})
    lance.dataset(str(path)).add_columns({"shard": "CAST(NULL AS STRING)"})
    builder.add_photograph("new", 78)
    assert embed(builder.write(), model="plain", modalities=[IMAGE]).parts[0].new == 1
    table = LanceStore(path.parent).table("image")
    rows, stored = read(table, ids=["new"])
    bare = {
        name: rows[name] if name in {"id", "window"} else pa.nulls(1, COLUMNS.field(name).type)
        for name in COLUMNS.names
    }
    table.commit(pa.table(bare, schema=COLUMNS), stored, table.made())
    assert read(table, ids=["new"])[0]["sha256"].null_count == 1


def test_half_precision_of_before_is_known_by_its_column(tmp_path: Path) -> None:
    made = {"tower": "simulated", "revision": "seed 0", "dim": 2, "preprocessing": "none", "biovita": "0.1.0"}
    write_old(tmp_path / "text.lance", {"id": pa.array(["a"])}, made, np.array([[0.5, 0.25]], np.float16))
    table = LanceStore(tmp_path).table("text")
    assert table.made().numbers == "float16"
    assert read(table)[1].tolist() == [[0.5, 0.25]]
