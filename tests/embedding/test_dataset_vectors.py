"""``vectors()``: a dataset's vectors in a model's space, from its towers' table, computed where missing."""

from __future__ import annotations

import sys
from pathlib import Path

import lance
import numpy as np
import pyarrow.compute as pc
import pytest
import torch

from biovita.cli import main
from biovita.dataset import Dataset
from biovita.embedding import LanceStore, embed, lance_table, read_failures, vectors
from biovita.errors import DatasetError, ModelError
from biovita.media.inputs import Clip
from biovita.modality import Modality
from biovita.model import Model, describe, load_model, write_model
from biovita.model.formats.projections import aligned_model
from biovita.model.projection import Projection
from support.plain_model import Builder, Plain

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
MODULE = sys.modules["biovita.embedding.vectors"]  # whose name in the package is the function's
HTML = b"<!DOCTYPE html><html><body>404</body></html>"


def tower_vectors(tower: Plain, items: list[object]) -> np.ndarray:
    return tower.encode([tower.load(item) for item in items])


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def aligned(plain: dict[Modality, Plain], tmp_path: Path) -> Path:
    """Return the directory of a model with projections of the plain towers into two numbers."""
    torch.manual_seed(0)
    projections = {modality: Projection(3, 2).eval() for modality in Modality}
    return write_model(aligned_model("run1", load_model("plain"), projections, 10.0), tmp_path / "run1")


def test_what_is_missing_is_computed_once(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    found = vectors(dataset, "plain", AUDIO, space="tower")
    assert found.ids == tuple(f"sound'{number}" for number in range(9))
    clips = [Clip(dataset.locate(path), 0.0, 0.5) for path in dataset.audio["path"].to_pylist()]
    np.testing.assert_array_equal(found.array, tower_vectors(plain[AUDIO], clips))
    assert found.taxon_ids == tuple(dataset.audio["taxon_id"].to_pylist())
    plain[AUDIO].loaded.clear()
    again = vectors(Dataset.open(dataset.path), "plain", AUDIO, space="tower")
    np.testing.assert_array_equal(again.array, found.array)
    assert not plain[AUDIO].loaded
    assert embed(dataset, model="plain", modalities=[AUDIO]).parts[0].new == 0
    assert not plain[AUDIO].loaded


def test_the_shared_space_of_a_model_without_projections_is_of_length_one(
    builder: Builder, plain: dict[Modality, Plain]
) -> None:
    dataset = builder.write()
    towers = vectors(dataset, "plain", IMAGE, space="tower")
    np.testing.assert_allclose(vectors(dataset, "plain", IMAGE).array, unit(towers.array), rtol=1e-6)


def test_rows_and_columns_are_chosen(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    chosen = vectors(
        dataset, "plain", AUDIO, where=pc.field("taxon_id") == "pica_pica", columns=["group_id", "end_s"]
    )
    assert chosen.ids == ("sound'0", "sound'3", "sound'6")
    assert {name: column.to_pylist() for name, column in chosen.columns.items()} == {
        "taxon_id": ["pica_pica"] * 3,
        "group_id": ["sound'0", "sound'3", "sound'6"],
        "end_s": [0.5] * 3,
    }
    assert sum(plain[AUDIO].batches) == 3  # of what was not asked for nothing is computed
    asked = ["sound'6", "sound'1", "sound'6"]
    some = vectors(dataset, "plain", AUDIO, ids=asked, space="tower")
    assert some.ids == ("sound'6", "sound'1")
    assert some.taxon_ids == ("pica_pica", "corvus_corax")
    assert sum(plain[AUDIO].batches) == 4
    assert vectors(dataset, "plain", AUDIO, space="tower")["sound'6"].tolist() == some["sound'6"].tolist()
    with pytest.raises(DatasetError, match="no audio item 'nothing' "):
        vectors(dataset, "plain", AUDIO, ids=["sound'1", "nothing"])
    with pytest.raises(DatasetError, match="has no audio items"):
        vectors(dataset, "plain", AUDIO, where=pc.field("taxon_id") == "nothing")


def test_any_text_has_a_vector_in_the_same_table(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    names = vectors(dataset, "plain", TEXT)
    texts = ["a call", "Pica pica", "it's red", "a call"]
    found = vectors(dataset, "plain", TEXT, ids=texts, space="tower")
    assert found.ids == ("a call", "Pica pica", "it's red")
    np.testing.assert_array_equal(found.array, tower_vectors(plain[TEXT], list(found.ids)))
    assert sum(plain[TEXT].batches) == len(names) + 2 + 3
    assert vectors(dataset, "plain", TEXT).ids == names.ids
    assert {path.name for path in (dataset.path / "embeddings" / "plain").iterdir()} == {
        ".text.lock",
        "text.lance",
    }


def test_a_table_is_read_without_computing(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    command = r"Run: biovita embed .*birds --model plain --modality audio$"
    with pytest.raises(DatasetError, match=rf"never made\. {command}"):
        vectors(dataset, "plain", AUDIO, compute=False)
    vectors(dataset, "plain", AUDIO, ids=["sound'1"])
    with pytest.raises(DatasetError, match=rf"8 of 9 audio items have no vector .*{command}"):
        vectors(dataset, "plain", AUDIO, compute=False)
    assert len(vectors(dataset, "plain", AUDIO, ids=["sound'1"], compute=False)) == 1
    assert sum(plain[AUDIO].batches) == 1


def test_what_failed_is_not_tried_at_each_question(builder: Builder, plain: dict[Modality, Plain]) -> None:
    good = (builder.path / "media" / "sound'2.wav").read_bytes()
    (builder.path / "media" / "sound'2.wav").write_bytes(HTML)
    dataset = builder.write()
    assert len(vectors(dataset, "plain", AUDIO)) == 8
    assert [each.id for each in read_failures(dataset.path / "embeddings" / "plain")] == ["sound'2"]
    plain[AUDIO].loaded.clear()
    assert len(vectors(dataset, "plain", AUDIO)) == 8
    assert not plain[AUDIO].loaded
    (builder.path / "media" / "sound'2.wav").write_bytes(good)
    assert embed(dataset, model="plain", modalities=[AUDIO]).parts[0].new == 1
    assert len(vectors(dataset, "plain", AUDIO)) == 9
    (builder.path / "media" / "photo 0.png").write_bytes(HTML)
    with pytest.raises(DatasetError, match=r"all 1 failed, see .*failed\.parquet"):
        vectors(builder.write(), "plain", IMAGE, ids=["photo 0"])


def test_an_aligned_model_is_read_through_its_towers(
    builder: Builder, plain: dict[Modality, Plain], aligned: Path
) -> None:
    dataset = builder.write()
    assert embed(dataset, model="plain").path == dataset.path / "embeddings" / "plain"
    for tower in plain.values():
        tower.loaded.clear()
    model = load_model(aligned)
    for modality in Modality:
        opened = plain[modality].opened
        raw = vectors(dataset, "plain", modality, space="tower")
        expected = model.project(modality, raw.array)
        for given in (str(aligned), aligned, describe(aligned), model):
            found = vectors(dataset, given, modality)
            assert found.ids == raw.ids
            assert found.dim == 2
            np.testing.assert_array_equal(found.array, expected)
        assert plain[modality].opened == opened  # to project takes no tower
        assert not plain[modality].loaded
        np.testing.assert_array_equal(vectors(dataset, aligned, modality, space="tower").array, raw.array)
    assert [path.name for path in (dataset.path / "embeddings").iterdir()] == ["plain"]


def test_embedding_with_an_aligned_model_fills_its_towers_tables(
    builder: Builder, plain: dict[Modality, Plain], aligned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = builder.write()
    with pytest.raises(SystemExit) as ended:
        main(["embed", str(dataset.path), "--model", str(aligned), "--device", "cpu"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert f"{aligned} is made of the towers of plain: the vectors are theirs" in out
    assert f"embeddings: {dataset.path / 'embeddings' / 'plain'}" in out
    assert len(vectors(dataset, "plain", AUDIO, compute=False)) == 9


def test_a_model_that_is_open_computes_with_its_towers(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    model = Model.of_towers("mine", {AUDIO: plain[AUDIO]})
    found = vectors(dataset, model, AUDIO)
    assert plain[AUDIO].opened == 0
    np.testing.assert_array_equal(found.array, vectors(dataset, model, AUDIO, compute=False).array)
    assert (dataset.path / "embeddings" / "mine" / "audio.lance").is_dir()
    with pytest.raises(ModelError, match="'mine' has no image tower"):
        vectors(dataset, model, IMAGE)


def test_large_tables_are_read_as_rows_are_asked_for(
    builder: Builder, plain: dict[Modality, Plain], aligned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = builder.write()
    held = {space: vectors(dataset, aligned, AUDIO, space=space) for space in ("shared", "tower")}
    monkeypatch.setattr(MODULE, "_IN_MEMORY_MIB", 0)
    taken = []
    take = lance_table._Snapshot.take
    monkeypatch.setattr(
        lance_table._Snapshot, "take", lambda self, numbers: taken.append(len(numbers)) or take(self, numbers)
    )
    for space, expected in held.items():
        lazy = vectors(dataset, aligned, AUDIO, space=space)
        assert not taken
        assert not isinstance(lazy.vectors, np.ndarray)
        assert lazy.vectors.shape == expected.array.shape
        assert lazy.dim == expected.dim
        rows = lazy.vectors[np.array([7, 2, 7])]
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows, expected.array[[7, 2, 7]], rtol=1e-6)
        assert taken == [3]
        np.testing.assert_allclose(lazy["sound'4"], expected["sound'4"], rtol=1e-6)
        np.testing.assert_allclose(lazy.subset(["sound'5"]).array[0], expected["sound'5"], rtol=1e-6)
        np.testing.assert_allclose(lazy.array, expected.array, rtol=1e-6)
        taken.clear()


def test_rows_are_found_again_where_the_table_changed_meanwhile(
    builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = builder.write()
    expected = vectors(dataset, "plain", AUDIO, space="tower").array
    monkeypatch.setattr(MODULE, "_IN_MEMORY_MIB", 0)
    lazy = vectors(dataset, "plain", AUDIO, space="tower")
    table = LanceStore(dataset.path / "embeddings" / "plain").table("audio")
    rows, stored = table.snapshot().state(), table.snapshot().take(np.arange(9))
    table.remove(["sound'0", "sound'4"])
    table.commit(rows.take([4, 0]), stored[[4, 0]], table.made())
    table.tidy()
    lance.dataset(str(table.path)).optimize.compact_files(materialize_deletions_threshold=0.0)
    table.tidy()
    np.testing.assert_array_equal(lazy.array, expected)
    table.remove(["sound'4"])
    table.tidy()
    lance.dataset(str(table.path)).optimize.compact_files(materialize_deletions_threshold=0.0)
    table.tidy()
    with pytest.raises(DatasetError, match="replaced while it was read"):
        lazy.array  # noqa: B018


def test_a_vector_of_zeros_has_no_direction(
    builder: Builder, plain: dict[Modality, Plain], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain[IMAGE], "encode", lambda batch: np.zeros((len(batch), 3), np.float32))
    with pytest.raises(ModelError, match="5 vectors are zero"):
        vectors(builder.write(), "plain", IMAGE)


def test_a_table_without_a_model_is_read_by_its_name(builder: Builder, plain: dict[Modality, Plain]) -> None:
    dataset = builder.write()
    embed(dataset, model="plain")
    (dataset.path / "embeddings" / "plain").rename(dataset.path / "embeddings" / "gone")
    found = vectors(dataset, "gone", AUDIO, space="tower")
    assert len(found) == 9
    builder.add_sound("new", 77)
    with pytest.raises(DatasetError, match=r"1 of 10 audio items .* biovita does not know this model"):
        vectors(builder.write(), "gone", AUDIO)
    with pytest.raises(ModelError, match="unknown model 'nothing'"):
        vectors(dataset, "nothing", AUDIO)
