"""The published rules of which pairs an epoch is made of."""

from __future__ import annotations

import numpy as np
import pytest

from biovita.modality import Modality
from biovita.training.recipe import Pairs
from biovita.training.towers.sampling import (
    Epoch,
    SpeciesRows,
    batches,
    stage0_epoch,
    stage1_epoch,
    stage2_epoch,
)

#       species:      0 (30 clips)      1 (3)               2 (1)             3 (none)          4 (7)
CLIPS = (np.arange(30), np.arange(30, 33), np.array([33]), np.empty(0, int), np.arange(34, 41))
PHOTOS = (np.arange(25), np.arange(25, 28), np.empty(0, int), np.arange(28, 40), np.array([40]))
AUDIO, IMAGE = Modality.AUDIO, Modality.IMAGE
ITEMS = SpeciesRows({AUDIO: CLIPS, IMAGE: PHOTOS}, (5, 5, 1, 3, 5))


def _same(one: Epoch, other: Epoch) -> bool:
    return one.rows.keys() == other.rows.keys() and all(map(np.array_equal, _columns(one), _columns(other)))


def _columns(epoch: Epoch) -> list[np.ndarray]:
    return [epoch.species, epoch.prompt, *epoch.rows.values()]


def test_stage1_takes_at_most_20_and_fills_up_to_5() -> None:
    epoch = stage1_epoch(ITEMS, Pairs(), seed=3, epoch=0)
    counts = np.bincount(epoch.species, minlength=5).tolist()
    assert counts == [20, 5, 5, 0, 7]
    of = [set(epoch.rows[AUDIO][epoch.species == number].tolist()) for number in range(5)]
    assert len(of[0]) == 20
    assert of[1] == {30, 31, 32}, "all clips of a rare species, some again"
    assert of[2] == {33}
    assert of[4] == set(range(34, 41))
    assert set(epoch.rows) == {AUDIO}
    assert all(0 <= prompt < ITEMS.prompts[s] for s, prompt in zip(epoch.species, epoch.prompt, strict=True))
    assert len(set(epoch.prompt[epoch.species == 0].tolist())) > 2, "the prompt is drawn for every sample"


def test_stage1_is_drawn_anew_each_epoch_and_fixed_by_seed_and_epoch() -> None:
    first, second = (stage1_epoch(ITEMS, Pairs(), seed=3, epoch=epoch) for epoch in (0, 1))
    assert set(first.rows[AUDIO][first.species == 0]) != set(second.rows[AUDIO][second.species == 0])
    assert _same(first, stage1_epoch(ITEMS, Pairs(), seed=3, epoch=0))
    assert not _same(first, stage1_epoch(ITEMS, Pairs(), seed=4, epoch=0))


def test_stage0_draws_photographs_as_stage1_draws_clips() -> None:
    epoch = stage0_epoch(ITEMS, Pairs(), seed=3, epoch=0)
    assert np.bincount(epoch.species, minlength=5).tolist() == [20, 5, 0, 12, 5], "also species without a clip"
    owner = {row: number for number, rows in enumerate(PHOTOS) for row in rows.tolist()}
    assert [owner[row] for row in epoch.rows[IMAGE].tolist()] == epoch.species.tolist()
    assert set(epoch.rows) == {IMAGE}
    assert not _same(epoch, stage0_epoch(ITEMS, Pairs(), seed=3, epoch=1))


def test_stage2_pairs_are_drawn_once_and_reshuffled() -> None:
    first, second = (stage2_epoch(ITEMS, Pairs(), seed=3, epoch=epoch) for epoch in (0, 1))
    assert np.bincount(first.species, minlength=5).tolist() == [20, 20, 0, 0, 20], "species with both alone"
    assert first.rows[IMAGE].max() == 40
    assert first.rows[IMAGE][first.species == 0].max() < 20, "of the first 20 photographs alone"
    assert len(set(first.rows[AUDIO][first.species == 0].tolist())) == 20, (
        "without replacement where there are enough"
    )
    rows = [sorted(zip(*_columns(e), strict=True)) for e in (first, second)]
    assert rows[0] == rows[1], "the same pairs with the same prompts"
    assert not np.array_equal(first.species, second.species), "in another order"
    assert all(len(set(first.prompt[first.species == number].tolist())) == 1 for number in (0, 1, 4))


def test_all_phases_of_stage2_have_the_same_pairs_in_orders_of_their_own() -> None:
    warmup, full = (stage2_epoch(ITEMS, Pairs(), seed=3, epoch=0, phase=phase) for phase in (0, 1))
    rows = [sorted(zip(*_columns(e), strict=True)) for e in (warmup, full)]
    assert rows[0] == rows[1]
    assert not np.array_equal(warmup.species, full.species)


@pytest.mark.parametrize("processes", [1, 2])
def test_distinct_batches_use_an_epoch_up_where_species_are_fewer_than_places(processes: int) -> None:
    species = np.repeat(np.arange(5), 20)[np.random.default_rng(0).permutation(100)]
    parts = [batches(species, 8, rank=r, processes=processes, distinct=True) for r in range(processes)]
    joined = [np.concatenate(batch) for batch in zip(*parts, strict=True)]
    size = 5 // processes * processes
    assert all(len(batch) == len(set(species[batch])) == size for batch in joined)
    assert sum(map(len, joined)) >= 90


@pytest.mark.parametrize("distinct", [False, True])
def test_the_joined_batch_does_not_depend_on_the_number_of_processes(distinct: bool) -> None:
    species = np.repeat(np.arange(10), 6)[np.random.default_rng(0).permutation(60)]
    alone = batches(species, 8, distinct=distinct)
    for processes in (2, 4):
        parts = [
            batches(species, 8 // processes, rank=rank, processes=processes, distinct=distinct)
            for rank in range(processes)
        ]
        joined = [np.concatenate(batch) for batch in zip(*parts, strict=True)]
        assert [batch.tolist() for batch in joined] == [batch.tolist() for batch in alone]
    if distinct:
        assert all(len(set(species[batch])) == 8 for batch in alone)
        assert len(alone) >= 6
    else:
        assert np.concatenate(alone).tolist() == list(range(56))


def test_what_fills_no_batch_is_used_where_there_is_nothing_else() -> None:
    assert [batch.tolist() for batch in batches(np.zeros(5), 8)] == [[0, 1, 2, 3, 4]]
    assert [batch.tolist() for batch in batches(np.zeros(5), 4, rank=1, processes=2)] == [[2, 3]]
    assert batches(np.zeros(0), 4) == []
