from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from biovita.benchmark.trait_run import label_texts, score_traits
from biovita.dataset import Dataset, write_table
from biovita.dataset.schema import TRAITS
from biovita.embedding import LanceStore
from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS, embeddings_directory
from biovita.errors import BiovitaError, ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import describe
from support.bench_cases import write_vectors

DIM = 6


@pytest.fixture
def dataset(small) -> Dataset:
    """Every other species is nocturnal."""
    rows = [
        {"taxon_id": taxon.id, "label": "nocturnal", "value": int(taxon.id[1:]) % 2 == 0, "source": "test"}
        for taxon in small.taxonomy.values()
        if taxon.id != "g"
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), small.path / "traits.parquet")
    return Dataset.open(small.path)


def vectors_of(dataset: Dataset, modality: Modality, dim: int = DIM) -> tuple[list[str], np.ndarray]:
    """Return vectors that say whether the species is nocturnal, beside noise."""
    rng, table = np.random.default_rng(0), dataset.media(modality)
    at_night = [taxon_id != "g" and int(taxon_id[1:]) % 2 == 0 for taxon_id in table["taxon_id"].to_pylist()]
    made = rng.normal(size=(len(at_night), dim))
    made[:, 0] = np.where(at_night, 5, -5)
    return table["id"].to_pylist(), made


def test_vectors_made_elsewhere_tell_traits(dataset, tmp_path):
    for modality in MEDIA:
        write_vectors(tmp_path, modality, *vectors_of(dataset, modality))
    (text,) = label_texts(dataset)
    write_vectors(tmp_path, Modality.TEXT, [text, "Genus0 species0"], np.eye(2, DIM))
    rows = score_traits(dataset, f"vectors:{tmp_path}", progress=False)
    assert {(row.modality, row.method, row.part) for row in rows} == {
        (modality, method, part)
        for modality in ("audio", "image")
        for method in ("zero-shot", "probe")
        for part in ("seen", "unseen")
    }
    assert {row.auc for row in rows} == {1.0}


def test_texts_of_another_length_are_not_asked_and_that_is_said(dataset, tmp_path, caplog):
    write_vectors(tmp_path, Modality.AUDIO, *vectors_of(dataset, Modality.AUDIO))
    write_vectors(tmp_path, Modality.TEXT, list(label_texts(dataset)), np.ones((1, 3)))
    rows = score_traits(dataset, f"vectors:{tmp_path}", progress=False)
    assert {row.method for row in rows} == {"probe"}
    assert "audio vectors have 6 numbers and text vectors 3. Labels are not told zero-shot" in caplog.text


def test_vectors_that_cannot_be_used_are_refused(dataset, tmp_path):
    ids, made = vectors_of(dataset, Modality.AUDIO)
    made[3, 2] = np.nan
    write_vectors(tmp_path, Modality.AUDIO, ids, made)
    with pytest.raises(BiovitaError, match=r"audio vectors of Genus\d+ species\d+ are not finite"):
        score_traits(dataset, f"vectors:{tmp_path}", progress=False)
    (tmp_path / "none").mkdir()
    with pytest.raises(BiovitaError, match="none holds no vectors"):
        score_traits(dataset, f"vectors:{tmp_path / 'none'}", progress=False)


class Words:
    name = "words"

    def embed_texts(self, items):
        raise AssertionError("it was asked")


class Sounds:
    def embed_audio(self, items):
        raise AssertionError("it was asked")


def test_a_model_that_neither_hears_nor_sees_is_refused_at_once(dataset, tmp_path):
    with pytest.raises(
        ModelError, match=r"words embeds only texts\. Traits are told from recordings or photographs"
    ):
        score_traits(dataset, Words(), progress=False)
    write_vectors(tmp_path, Modality.TEXT, list(label_texts(dataset)), np.ones((1, 3)))
    with pytest.raises(ModelError, match="embeds only texts"):
        score_traits(dataset, f"vectors:{tmp_path}", progress=False)


def test_an_object_does_not_take_the_place_of_another_models_vectors(dataset):
    model = Sounds()
    model.name = "starter"
    with pytest.raises(ModelError, match=r"embeddings/starter is for the vectors of starter.*another name"):
        score_traits(dataset, model, progress=False)
    model.name = "mine"
    table = LanceStore(embeddings_directory(dataset, "mine")).table(Modality.AUDIO)
    row = {"id": "aT", "window": -1}
    table.commit(
        pa.Table.from_pylist([row], schema=COLUMNS), np.ones((1, 3), np.float32), Made("a tower", "1", 3, "")
    )
    with pytest.raises(ModelError, match="is for the vectors of a tower, and 'mine' is another model"):
        score_traits(dataset, model, progress=False)
    assert table.made().tower == "a tower"


def test_towers_that_are_not_aligned_tell_traits_by_a_probe(dataset, monkeypatch, caplog):
    """Their texts are in a space of their own; once this was an error of the product of 384 and 1,024 numbers."""
    from biovita.benchmark.item_vectors import ItemVectors
    from biovita.embedding import Vectors

    def made(model, items, *_, **__):
        ids, found = vectors_of(dataset, Modality.AUDIO, 1024)
        assert set(items) == set(Modality)
        texts = Vectors(label_texts(dataset), np.ones((1, 384), np.float32))
        return ItemVectors({Modality.AUDIO: Vectors(ids, found.astype(np.float32)), Modality.TEXT: texts})

    monkeypatch.setattr("biovita.benchmark.trait_run.item_vectors", made)
    rows = score_traits(dataset, describe("starter").towers, progress=False)
    assert {row.method for row in rows} == {"probe"}
    assert "audio vectors have 1024 numbers and text vectors 384" in caplog.text


def test_too_few_species_are_said(dataset, tmp_path, caplog):
    rows = dataset.traits.slice(0, 4)
    write_table(rows, dataset.path / "traits.parquet")
    assert score_traits(Dataset.open(dataset.path), "random:4", progress=False) == ()
    assert "no label is known of three species that have it and three that have not" in caplog.text
