from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from biovita.benchmark import benchmark_from_split
from biovita.benchmark.candidate_draws import draw_candidates
from biovita.benchmark.task import LEVELS
from biovita.dataset import split_dataset
from biovita.errors import DatasetError
from biovita.modality import DIRECTIONS, Modality, modalities_of
from biovita.taxonomy import Rank
from support.bench_cases import species, write_small


def test_every_direction_and_level_of_both_parts(small):
    benchmark = benchmark_from_split(small)
    assert [(t.part, t.direction, t.level) for t in benchmark.tasks] == [
        (part, direction, level) for part in ("seen", "unseen") for direction in DIRECTIONS for level in LEVELS
    ]
    assert benchmark.made["split"]["unseen_species"] == 8


def column(dataset, modality, name):
    return {row["id"]: row[name] for row in dataset.media(modality).to_pylist()}


def test_queries_and_samples_are_those_of_the_part(small):
    benchmark = benchmark_from_split(small)
    split = {m: column(small, m, "split") for m in (Modality.AUDIO, Modality.IMAGE)}
    owner = {m: column(small, m, "taxon_id") for m in (Modality.AUDIO, Modality.IMAGE)}
    for task in benchmark.tasks:
        asked, answered = modalities_of(task.direction)
        ids = {m: np.array(benchmark.ids(m)) for m in Modality}
        for row, correct in zip(task.queries, task.correct_taxa, strict=True):
            name = task.taxa[correct]
            if asked == Modality.TEXT:
                assert ids[asked][row] == name
            else:
                item = ids[asked][row]
                assert split[asked][item] == task.part
                assert small.taxonomy[owner[asked][item]].name_at(task.level) == name
        for place, name in enumerate(task.taxa):
            samples = ids[answered][task.samples[task.offsets[place] : task.offsets[place + 1]]]
            if answered == Modality.TEXT:
                assert samples.tolist() == [name]
            else:
                expected = [
                    item
                    for item, part in split[answered].items()
                    if part == task.part and small.taxonomy[owner[answered][item]].name_at(task.level) == name
                ]
                assert samples.tolist() == expected


def test_unseen_species_are_held_out_whole(small):
    benchmark = benchmark_from_split(small)
    unseen = {r["taxon_id"] for r in small.audio.to_pylist() if r["split"] == "unseen"}
    names = {small.taxonomy[taxon].scientific_name for taxon in unseen}
    assert set(benchmark.task("unseen", "A2T", Rank.SPECIES).taxa) == names
    assert not names & set(benchmark.task("seen", "A2T", Rank.SPECIES).taxa)


def test_candidates_are_drawn_with_the_seed_and_hold_the_correct_one(small):
    def lists(seed):
        return {t.name: t.candidates.tolist() for t in benchmark_from_split(small, candidates=4, seed=seed).tasks}

    benchmark = benchmark_from_split(small, candidates=4, seed=0)
    for task in benchmark.tasks:
        assert task.candidates.shape[1] == min(4, len(task.taxa))
        for row, column in zip(task.candidates, task.correct, strict=True):
            assert len(set(row)) == len(row)
            assert 0 <= column < len(row)
    assert lists(0) == lists(0) != lists(1)


def test_draws_are_uniform_and_the_order_random():
    own = np.full(4000, 3)
    chosen, correct = draw_candidates(own, 10, 4, np.random.default_rng(0))
    assert (chosen[np.arange(4000), correct] == 3).all()
    counts = Counter(chosen.reshape(-1).tolist())
    assert counts.pop(3) == 4000
    assert set(counts) == set(range(10)) - {3}
    assert all(abs(n - 4000 * 3 / 9) < 5 * np.sqrt(4000 * 3 / 9) for n in counts.values())
    assert all(abs(n - 1000) < 5 * np.sqrt(1000) for n in Counter(correct.tolist()).values())


def drawn_one_by_one(own, taxa, most, rng, kin):
    """The draws of `draw_candidates` as they are meant: all taxa ordered by nearness, and at random where alike."""
    width = min(most, taxa)
    chosen = np.empty((len(own), width), np.int32)
    correct = rng.integers(width, size=len(own)).astype(np.int32)
    for row, mine in enumerate(own):
        if kin is None:
            others = rng.choice(taxa - 1, width - 1, replace=False)
            others += others >= mine
        else:
            shared = (kin == kin[mine]) & (kin >= 0)
            nearness = (shared * np.arange(1, kin.shape[1] + 1)).max(axis=1, initial=0)
            order = np.lexsort((rng.random(taxa), -nearness))
            others = rng.permutation(order[order != mine][: width - 1])
        chosen[row, np.arange(width) != correct[row]] = others
        chosen[row, correct[row]] = mine
    return chosen, correct


def test_draws_are_those_of_earlier_versions_for_the_same_seed():
    rng = np.random.default_rng(0)
    for seed in range(60):
        taxa, most, ranks = (int(number) for number in rng.integers((2, 2, 0), (200, 120, 5)))
        own = rng.integers(taxa, size=20)
        kin = np.stack([np.full(taxa, -1), *(rng.integers(-1, 2 * n * n + 1, taxa) for n in range(ranks))], axis=1)
        for groups in (None, kin):
            expected = drawn_one_by_one(own, taxa, most, np.random.default_rng(seed), groups)
            found = draw_candidates(own, taxa, most, np.random.default_rng(seed), groups)
            assert all(np.array_equal(one, other) for one, other in zip(expected, found, strict=True))


def test_candidates_that_take_more_than_the_memory_are_said_first(small, monkeypatch, caplog):
    monkeypatch.setattr("biovita.benchmark.from_split._BYTES", 1 << 20)
    benchmark_from_split(small)
    assert "MiB of memory, more than the 1,024 that --memory allows" in caplog.text
    caplog.clear()
    benchmark_from_split(small, candidates="all")
    assert not caplog.text


def test_a_missing_rank_costs_a_taxon_only_that_level(small):
    benchmark = benchmark_from_split(small)
    names = {species(4).scientific_name, species(5).scientific_name}
    everywhere = {name for t in benchmark.tasks if t.level == Rank.SPECIES for name in t.taxa}
    assert names <= everywhere
    reasons = {(entry.level, entry.reason) for entry in benchmark.left_out}
    assert ("genus", "queries without a genus name") in reasons
    assert ("family", "queries without a family name") in reasons
    assert ("species", "queries without a species name") in reasons, "the taxon that is only a genus"


def test_what_has_no_answer_is_counted(small):
    benchmark = benchmark_from_split(small)
    lonely = [e for e in benchmark.left_out if e.reason == "queries whose species has no image here"]
    part = "seen"  # the species without photographs cannot be drawn as unseen
    assert {(e.part, e.direction, e.count) for e in lonely} >= {(part, "A2I", 2), (part, "T2I", 1)}


def test_text_may_be_common_names_or_prompts(small):
    common = benchmark_from_split(small, text="common")
    assert {t for t in common.ids(Modality.TEXT) if t.startswith("Common")}
    assert "Genus2 species5" in common.ids(Modality.TEXT), "it has no common name, and goes by its own"
    assert common.made["shorter_texts"] == {"name": 1}
    assert not any("text" in entry.reason for entry in common.left_out)
    genus = common.task("unseen", "A2T", Rank.GENUS)
    assert set(genus.taxa) <= set(common.ids(Modality.TEXT)), "wider levels keep their bare names"
    prompt = benchmark_from_split(small, text="sci_com")
    assert any(" with common name " in text for text in prompt.ids(Modality.TEXT))
    with pytest.raises(DatasetError, match=r"unknown text 'commn'.*common"):
        benchmark_from_split(small, text="commn")


def test_a_level_with_one_taxon_is_left_out(small, tmp_path):
    dataset = write_small(tmp_path / "one", taxa=6)
    split_dataset(dataset, unseen=2, seed=0)
    benchmark = benchmark_from_split(dataset)
    assert benchmark.task("unseen", "A2I", Rank.FAMILY) is None
    assert any(e.level == "family" and "fewer than two candidate taxa" in e.reason for e in benchmark.left_out)


def test_a_dataset_that_is_not_split_says_how(tmp_path):
    with pytest.raises(DatasetError, match="biovita data split"):
        benchmark_from_split(write_small(tmp_path / "d"))


def test_hard_candidates_are_the_nearest_relatives(small):
    benchmark = benchmark_from_split(small, candidates=3, draw="hard")
    task = benchmark.task("unseen", "A2T", Rank.SPECIES)
    taxon = {t.scientific_name: t for t in small.taxonomy.values()}

    def nearness(one, other):
        ranks = (Rank.CLASS, Rank.FAMILY, Rank.GENUS)
        return max(
            (n for n, r in enumerate(ranks, 1) if one.name_at(r) and one.name_at(r) == other.name_at(r)), default=0
        )

    for listed, own in zip(task.candidates, task.correct_taxa, strict=True):
        mine = taxon[task.taxa[own]]
        others = [taxon[name] for at, name in enumerate(task.taxa) if at != own]
        chosen = [nearness(mine, taxon[task.taxa[t]]) for t in listed if t != own]
        assert sorted(chosen, reverse=True) == sorted((nearness(mine, o) for o in others), reverse=True)[:2]
    assert benchmark.made["draw"] == "hard"
    with pytest.raises(DatasetError, match="unknown draw"):
        benchmark_from_split(small, draw="harder")


def test_new_groups_have_no_member_that_was_trained_on(small):
    benchmark = benchmark_from_split(small, new_groups=True)
    trained = set()
    for table in (small.audio, small.images):
        trained |= {small.taxonomy[r["taxon_id"]].genus for r in table.to_pylist() if r["split"] != "unseen"}
    for task in benchmark.tasks:
        if (task.part, task.level) == ("unseen", Rank.GENUS):
            assert not set(task.taxa) & trained
    assert any("genus was trained on" in entry.reason for entry in benchmark.left_out)
    assert benchmark.task("unseen", "A2T", Rank.SPECIES) is not None
