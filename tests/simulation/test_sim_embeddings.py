"""The fauna at embedding level."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow.compute as pc
import pytest

from biovita.dataset import Dataset
from biovita.embedding import LanceStore, read, texts_of
from biovita.embedding import vectors as vectors_of
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.simulation import Fauna
from biovita.simulation.embeddings import MODEL, simulate_embeddings

_SPECIES, _AUDIO, _IMAGES, _DIM = 300, 9000, 12_000, 96


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Dataset:
    out = tmp_path_factory.mktemp("vectors") / "dataset"
    return simulate_embeddings(out, _SPECIES, 5, audio=_AUDIO, images=_IMAGES, dim=_DIM, progress=False)


@pytest.fixture(scope="module")
def vectors(dataset) -> dict:
    found = {}
    for modality in Modality:
        rows, values = read(LanceStore(dataset.path / "embeddings" / MODEL).table(modality))
        found[modality] = (rows, values.astype(np.float32))
    return found


def test_tables_and_vectors_agree(dataset, vectors):
    assert len(dataset.taxonomy) == _SPECIES
    for modality, count in ((Modality.AUDIO, _AUDIO), (Modality.IMAGE, _IMAGES)):
        rows, values = vectors[modality]
        table = dataset.media(modality)
        assert table.num_rows == count
        assert values.shape == (count, _DIM)
        for column in ("id", "taxon_id", "sha256"):
            assert rows[column].to_pylist() == table[column].to_pylist()
        assert len(set(rows["id"].to_pylist())) == count
    assert tuple(vectors[Modality.TEXT][0]["id"].to_pylist()) == texts_of(dataset.taxonomy)


def test_vectors_have_unit_length(vectors):
    for _, values in vectors.values():
        assert np.linalg.norm(values, axis=1) == pytest.approx(np.ones(len(values)), abs=2e-3)  # float16


def test_stored_as_float16(dataset):
    import lance
    import pyarrow as pa

    schema = lance.dataset(str(dataset.path / "embeddings" / MODEL / "audio.lance")).schema
    assert schema.field("vector").type == pa.list_(pa.float16(), _DIM)


def test_vectors_are_read_though_there_is_no_such_model(dataset, vectors):
    for modality, (rows, values) in vectors.items():
        found = vectors_of(dataset, MODEL, modality, space="tower")
        assert list(found.ids) == rows["id"].to_pylist()
        assert np.array_equal(found.array, values)
        assert np.linalg.norm(vectors_of(dataset, MODEL, modality).array, axis=1) == pytest.approx(1, abs=1e-6)
    unseen = vectors_of(dataset, MODEL, Modality.AUDIO, where=pc.field("taxon_id") == dataset.taxonomy.taxa[3].id)
    assert set(unseen.taxon_ids) == {dataset.taxonomy.taxa[3].id}
    with pytest.raises(DatasetError, match="biovita does not know this model"):
        vectors_of(dataset, MODEL, Modality.TEXT, ids=["nothing"])


def test_every_species_has_items_unevenly_many(dataset):
    counts = Counter(dataset.audio["taxon_id"].to_pylist())
    assert len(counts) == _SPECIES
    assert max(counts.values()) > 5 * np.median(list(counts.values()))


def test_similarity_falls_with_relation_and_modalities_are_apart(dataset, vectors):
    fauna = Fauna.grow(_SPECIES, 5)
    place = {truth.taxon.id: truth.place for truth in fauna.species}
    rng = np.random.default_rng(0)
    chosen = {}
    for modality in (Modality.AUDIO, Modality.IMAGE):
        rows, values = vectors[modality]
        some = rng.permutation(len(values))[:1500]
        taxa = np.array(rows["taxon_id"].to_pylist())[some]
        groups = np.array(
            [[place[t].index, place[t].genus, place[t].family, place[t].order, place[t].class_index] for t in taxa]
        )
        chosen[modality] = (groups, values[some])

    def by_relation(one, other):
        similarity = one[1] @ other[1].T
        same = one[0][:, None, :] == other[0][None, :, :]
        nearest = np.where(same.any(axis=2), same.argmax(axis=2), same.shape[2])  # the first rank they share
        if one is other:
            np.fill_diagonal(nearest, -1)
        return [float(similarity[nearest == rank].mean()) for rank in range(same.shape[2] + 1)]

    within = by_relation(chosen[Modality.AUDIO], chosen[Modality.AUDIO])
    across = by_relation(chosen[Modality.AUDIO], chosen[Modality.IMAGE])
    for means in (within, across):
        assert means == sorted(means, reverse=True)
    assert within[-1] > across[-1] + 0.1  # the modality gap


def test_names_lie_near_what_they_name(dataset, vectors):
    rows, values = vectors[Modality.TEXT]
    where = dict(zip(rows["id"].to_pylist(), values, strict=True))
    taxa = dataset.taxonomy.taxa
    names = np.stack([where[taxon.scientific_name] for taxon in taxa])
    centred = names - names.mean(axis=0)
    audio, sounds = vectors[Modality.AUDIO]
    queries = sounds[::40] - sounds.mean(axis=0)
    found = (queries @ centred.T).argmax(axis=1)
    right = [taxa[hit].id == owner for hit, owner in zip(found, audio["taxon_id"].to_pylist()[::40], strict=True)]
    assert 0.2 < np.mean(right) < 1.0


def test_the_same_seed_gives_the_same_vectors(dataset, vectors, tmp_path):
    again = simulate_embeddings(
        tmp_path / "again", _SPECIES, 5, audio=_AUDIO, images=_IMAGES, dim=_DIM, progress=False
    )
    _, values = read(LanceStore(again.path / "embeddings" / MODEL).table(Modality.AUDIO))
    assert np.array_equal(values.astype(np.float32), vectors[Modality.AUDIO][1])


@pytest.mark.parametrize("numbers", [{"audio": 5}, {"images": 5}, {"dim": 1}])
def test_numbers_out_of_range(numbers, tmp_path):
    with pytest.raises(DatasetError):
        simulate_embeddings(tmp_path / "out", 10, **{"audio": 100, "images": 100, **numbers})
