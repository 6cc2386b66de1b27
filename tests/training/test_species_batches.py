"""Batches of species: what they draw, how many there are, what memory they need, and what is learned from them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from biovita.errors import ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.taxonomy import Taxon
from biovita.training import FrozenRecipe, recipe
from biovita.training.losses import Kinship
from biovita.training.projections.align import Aligned, align, untrained
from biovita.training.projections.known_places import knowledge_of
from biovita.training.projections.pool import Pool
from biovita.training.projections.species_batches import SpeciesBatches
from biovita.training.projections.training_set import TrainingSet, training_set
from support.plain_model import know, plain_towers
from support.tiny_training import write_tiny

AUDIO, IMAGE, TEXT = Modality.AUDIO, Modality.IMAGE, Modality.TEXT
SPECIES = 40
EACH = 3


def _data(species: int = SPECIES, photographed: int = SPECIES) -> TrainingSet:
    """Return species whose vectors are linear views of one hidden vector each; the first have photographs."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(species, 8, generator=generator)

    def pool(number: int) -> Pool:
        vectors = (hidden[:number] @ torch.randn(8, 16, generator=generator)).repeat_interleave(EACH, dim=0)
        vectors = vectors + 0.3 * torch.randn(vectors.shape, generator=generator)
        return Pool.of(vectors, np.arange(number).repeat(EACH), species)

    taxa = tuple(Taxon(f"t{n}", f"Genus{n // 2} species{n}", genus=f"Genus{n // 2}") for n in range(species))
    return TrainingSet({AUDIO: pool(species), IMAGE: pool(photographed), TEXT: pool(species)}, {}, {}, taxa)


def _recipe(stage: int, **settings: object) -> FrozenRecipe:
    small = {
        "steps": 30,
        "dim": 8,
        "noise": 0.3,
        "learning_rate": 1e-2,
        "weights.names": 0,
        "text.features": "none",
    }
    return recipe(f"starter/stage{stage}", small | settings, FrozenRecipe)


def test_all_species_are_one_batch_where_they_are_few_and_no_number_is_drawn_for_it() -> None:
    batches = SpeciesBatches.of(_data(), _recipe(2, species_batch=SPECIES))
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    assert batches.draw(generator) is batches.draw(generator)
    assert torch.equal(generator.get_state(), before)
    assert batches.steps == 30
    assert batches.draw(generator).species.tolist() == list(range(SPECIES)) * 2


def test_each_species_is_drawn_as_often_as_if_every_step_drew_all() -> None:
    data, chosen = _data(), _recipe(2, species_batch=9)
    batches = SpeciesBatches.of(data, chosen)
    assert batches.steps == 134  # 30 * 40 / 9, rounded up
    generator = torch.Generator().manual_seed(0)
    drawn = [batches.draw(generator).species for _ in range(batches.steps)]
    assert {len(species) for species in drawn} == {18}
    assert all(len(set(species.tolist())) == 9 for species in drawn)
    times = torch.cat(drawn).bincount(minlength=SPECIES)
    assert 30 <= times.min() <= times.max() <= 90, "60 on average"
    assert len(align(data, chosen, untrained(data, chosen)).history) == 134


def test_the_weights_of_relatives_are_those_of_the_species_drawn() -> None:
    data = _data(photographed=30)
    batches = SpeciesBatches.of(data, _recipe(2, species_batch=20))
    batch = batches.draw(torch.Generator().manual_seed(3))
    every = torch.arange(SPECIES)
    whole = Kinship.of(data.taxa, 0.1).between(every, every)
    photographed = batch.species[batch.there[IMAGE]]
    assert 0 < len(photographed) < len(batch.species)
    assert (photographed < 30).all()
    for term, species in {"atc": batch.species, "aic": photographed, "itc": photographed}.items():
        assert torch.equal(batch.positives[term], whole[species][:, species])
    assert (batch.positives["atc"] == 0.1).any(), "this draw has relatives"


def test_a_term_that_few_species_have_is_in_every_batch() -> None:
    batches = SpeciesBatches.of(_data(photographed=1), _recipe(2, species_batch=8))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        batch = batches.draw(generator)
        assert 0 in batch.species
        assert batch.positives["aic"].shape == (2, 2)


def test_a_species_that_no_term_is_of_is_not_drawn() -> None:
    batches = SpeciesBatches.of(_data(photographed=20), _recipe(2, species_batch=8, **{"weights.atc": 0}))
    assert batches.species.tolist() == list(range(20))


def test_pairs_that_no_species_has_are_refused() -> None:
    with pytest.raises(ModelError, match=r"pairs of recordings and photographs \(weights\.aic\).*weights\.aic=0"):
        SpeciesBatches.of(_data(photographed=0), _recipe(2, **{"weights.itc": 0}))


def test_a_step_that_the_memory_does_not_hold_is_refused_with_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    data, chosen = _data(species=1500), _recipe(1, species_batch=1500)
    monkeypatch.setenv("BIOVITA_MEMORY", "1024")
    SpeciesBatches.of(data, chosen)
    monkeypatch.setenv("BIOVITA_MEMORY", "64")
    with pytest.raises(
        ModelError, match=r"1,500 species takes about [\d,]+ MiB, .* is 64 MiB\. Set species_batch="
    ) as e:
        SpeciesBatches.of(data, chosen)
    fits = int(str(e.value).split("species_batch=")[1].split(",")[0])
    SpeciesBatches.of(data, chosen.model_copy(update={"species_batch": fits}))


def _right(data: TrainingSet, aligned: Aligned) -> float:
    """Return how often the name nearest to a species' recordings is its own."""
    sounds, names = (
        torch.nn.functional.normalize(data.items[m].means(aligned.projections[m]), dim=1) for m in (AUDIO, TEXT)
    )
    return float(((sounds @ names.T).argmax(dim=1) == torch.arange(SPECIES)).float().mean())


def test_batches_of_species_teach_as_much_as_all_at_once() -> None:
    data = _data()
    begin = untrained(data, _recipe(1))
    whole, parts = (_right(data, align(data, _recipe(1, species_batch=size), begin)) for size in (1024, 8))
    assert _right(data, begin) < 0.2
    assert whole > 0.8
    assert parts > 0.8


class _Read:
    """Vectors that are read: see `Matrix`."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.shape, self.most = array, array.shape, 0

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        self.most = max(self.most, len(rows))
        return self._array[rows]


def test_vectors_that_are_read_are_drawn_and_averaged_as_those_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biovita.training.projections.pool._AT_ONCE", 7)
    rng = np.random.default_rng(0)
    array = rng.normal(1e4, rng.uniform(0.5, 5, 6), (50, 6)).astype(np.float32)
    species = rng.integers(0, 9, 50)
    read = _Read(array)
    held, other = Pool.of(torch.from_numpy(array), species, 10), Pool.of(read, species, 10)
    asked = torch.from_numpy(rng.integers(0, 9, 30))
    ours, theirs = (pool.draw(asked, torch.Generator().manual_seed(1)) for pool in (held, other))
    assert torch.equal(ours, theirs)
    read.most = 0
    mean, spread = other.moments
    np.testing.assert_allclose(mean, array.astype(np.float64).mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(spread, array.astype(np.float64).std(axis=0), rtol=1e-6)
    means = other.means(lambda x: x - 1e4)
    assert read.most == 7, "some at a time"
    wanted = [(array[species == n].astype(np.float64) - 1e4).mean(axis=0) for n in range(9)]
    np.testing.assert_allclose(means[:9], wanted, atol=1e-3)
    assert not means[9].any()


def test_tables_that_are_not_held_in_memory_train_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know("plain", plain_towers(), monkeypatch.setitem)
    dataset, base = write_tiny(tmp_path / "birds", unseen=1), load_model("plain", "cpu")
    held = training_set(dataset, base, names=False)
    monkeypatch.setattr(import_module("biovita.embedding.vectors"), "_IN_MEMORY_MIB", 0)
    read = training_set(dataset, base, names=False)
    for modality in MEDIA:
        assert isinstance(held.items[modality].vectors, torch.Tensor)
        assert not isinstance(read.items[modality].vectors, torch.Tensor)
        for ours, theirs in zip(held.items[modality].moments, read.items[modality].moments, strict=True):
            torch.testing.assert_close(ours, theirs)
    chosen = _recipe(2, steps=4, dim=4)
    begin = untrained(held, chosen)
    ours, theirs = align(held, chosen, begin), align(read, chosen, begin)
    for modality in Modality:
        assert torch.equal(ours.projections[modality].linear.weight, theirs.projections[modality].linear.weight)
    places = [knowledge_of(ours, data, chosen) for data in (held, read)]
    assert places[0] is not None
    assert places[1] is not None
    np.testing.assert_allclose(places[0].landmarks.media, places[1].landmarks.media, atol=1e-3)
