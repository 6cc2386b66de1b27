from __future__ import annotations

import numpy as np
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.analysis import by_class, near_misses
from biovita.benchmark.nearest import nearest
from biovita.benchmark.vector_rows import vector_rows
from biovita.modality import modalities_of
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors


@pytest.fixture
def scored(small):
    benchmark = benchmark_from_split(small)
    vectors = class_vectors(benchmark, small, noise=1.4)
    return benchmark, vectors, score_benchmark(benchmark, vectors)


def test_classes_add_up_to_all(scored):
    benchmark, _, scores = scored
    rows = by_class(benchmark, scores)
    for score in scores.tasks:
        task = score.task
        mine = [
            r
            for r in rows
            if (r.part, r.direction, r.level, r.k) == (task.part, task.direction, task.level.value, 1)
        ]
        (total,) = [r for r in mine if r.group == "All"]
        classes = [r for r in mine if r.group != "All"]
        assert {r.group for r in classes} <= {"Aves", "Amphibia"}
        assert sum(r.queries for r in classes) == total.queries
        assert sum(r.queries * r.accuracy for r in classes) == pytest.approx(score.hits(1).sum())
        assert total.accuracy == score.hits(1).mean()


def test_near_misses_by_hand(scored):
    """Count them one by one, from the names in the items."""
    benchmark, _, scores = scored
    rows = {(r.part, r.direction, r.rank): r for r in near_misses(benchmark, scores)}
    assert {r.direction for r in rows.values()} == {"A2T", "T2A", "A2I", "I2A", "I2T", "T2I"}
    checked = 0
    for score in scores.tasks:
        task = score.task
        if task.level != Rank.SPECIES:
            continue
        items = benchmark.items[modalities_of(task.direction)[0]].to_pylist()
        species = {
            row["species"]: row
            for table in benchmark.items.values()
            for row in table.to_pylist()
            if row["species"]
        }
        for rank in ("genus", "family"):
            same, chance = [], []
            for query, place in enumerate(score.ranks):
                own = items[task.queries[query]][rank]
                if place == 1 or own is None:
                    continue
                same.append(species[task.taxa[score.retrieved[query]]][rank] == own)
                wrong = [t for t in task.candidates[query] if t != task.correct_taxa[query]]
                chance.append(np.mean([species[task.taxa[t]][rank] == own for t in wrong]))
            row = rows.get((task.part, task.direction, rank))
            if not same:
                assert row is None
                continue
            checked += 1
            assert (row.errors, row.share) == (len(same), pytest.approx(np.mean(same)))
            assert row.chance == pytest.approx(np.mean(chance))
            assert row.low <= row.share <= row.high
    assert checked >= 12


def test_a_model_that_knows_the_family_misses_near(small):
    benchmark = benchmark_from_split(small)
    rng = np.random.default_rng(0)
    vectors = class_vectors(benchmark, small, noise=0.0)
    for table in vectors.values():
        table.vectors[:] += rng.normal(size=table.vectors.shape) * 0.06
    rows = [r for r in near_misses(benchmark, score_benchmark(benchmark, vectors)) if r.errors >= 10]
    assert all(r.share > 2 * r.chance for r in rows if r.rank == "family")


def test_nearest_agrees_with_the_ranks(scored):
    benchmark, vectors, scores = scored
    for score in scores.tasks[:12]:
        for query in range(0, len(score.ranks), 5):
            found = nearest(score.task, vectors, vector_rows(benchmark, vectors), query, count=100)
            assert [n.correct for n in found].index(True) + 1 == score.ranks[query]
            assert found[0].taxon == score.retrieved[query]
            own = score.task.offsets[found[0].taxon], score.task.offsets[found[0].taxon + 1]
            assert found[0].sample in score.task.samples[slice(*own)]
            assert [n.similarity for n in found] == sorted((n.similarity for n in found), reverse=True)


def test_swapped_calls_of_one_family_are_visible(small):
    """A planted failure: two families' recordings are exchanged. It shows by family, and as a confusion."""
    from biovita.benchmark.analysis import by_family, confusions
    from biovita.modality import Modality

    benchmark = benchmark_from_split(small)
    vectors = class_vectors(benchmark, small, noise=0.5)
    table = vectors[Modality.AUDIO]
    species = benchmark.labels(Modality.AUDIO, Rank.SPECIES)
    families = benchmark.labels(Modality.AUDIO, Rank.FAMILY)
    swapped = sorted({f for f in families if f is not None})[:2]
    names = [sorted({s for s, f in zip(species, families, strict=True) if f == family}) for family in swapped]
    centre = {n: table.vectors[species == n].mean(axis=0) for pair in names for n in pair}
    exchange = {**dict(zip(names[0], names[1], strict=False)), **dict(zip(names[1], names[0], strict=False))}
    for row, name in enumerate(species):
        if name in exchange:
            table.vectors[row] += centre[exchange[name]] - centre[name]
    scores = score_benchmark(benchmark, vectors)
    rows = [r for r in by_family(benchmark, scores) if r.direction == "A2I" and r.k == 1]
    by_name = {}
    for row in rows:
        by_name.setdefault(row.group, []).append(row.accuracy)
    assert all(np.mean(by_name[family]) < 0.3 for family in swapped)
    assert all(np.mean(found) > 0.7 for family, found in by_name.items() if family not in swapped)
    first = [r for r in confusions(benchmark, scores, level=Rank.FAMILY) if r.part == "seen"][:2]
    assert {(r.taxon, r.taken_for) for r in first} == {tuple(swapped), tuple(swapped[::-1])}
    assert all(set(r.directions) & {"A2T", "A2I"} for r in first)


def test_confusions_count_every_error_once(scored):
    from biovita.benchmark.analysis import confusions

    benchmark, _, scores = scored
    rows = confusions(benchmark, scores, level=Rank.SPECIES, most=10_000)
    for part in ("seen", "unseen"):
        wrong = sum(
            int((s.ranks > 1).sum()) for s in scores.tasks if s.task.level == Rank.SPECIES and s.task.part == part
        )
        mine = [r for r in rows if r.part == part]
        assert sum(r.count for r in mine) == wrong
        assert all(sum(r.directions.values()) == r.count for r in mine)


def test_by_samples_and_by_recording_cover_all_queries(scored):
    from biovita.benchmark.analysis import by_recording, by_samples
    from biovita.benchmark.recordings import Recordings

    benchmark, _, scores = scored
    counted = {}
    for row in by_samples(scores):
        if row.k == 1:
            counted.setdefault((row.part, row.direction, row.level), []).append(row.queries)
    assert counted
    for key, queries in counted.items():
        assert len(queries) > 1
        assert sum(queries) == len(benchmark.task(key[0], key[1], Rank(key[2])).queries)
    numbers = np.arange(benchmark.items["audio"].num_rows, dtype=float)
    measured = Recordings(numbers % 80, 5.0 + numbers % 30)
    measured.seconds[3] = measured.contrast_db[3] = np.nan
    rows = by_recording(scores, measured)
    for name, bins in (("length", 5), ("quality", 4)):
        mine = [r for r in rows if r.by == name and r.k == 1 and r.direction == "A2T"]
        assert 2 < len({r.group for r in mine}) <= bins
        asked = [q for t in benchmark.tasks if (t.direction, t.level) == ("A2T", Rank.SPECIES) for q in t.queries]
        assert sum(r.queries for r in mine) == sum(q != 3 for q in asked)


def test_bins_hold_their_edges():
    from biovita.benchmark.analysis import binned

    found = binned(np.array([0, 2.9, 3, 59.9, 60, np.nan]), (3, 10, 60), "s")
    assert found.tolist() == [
        "1: under 3 s", "1: under 3 s", "2: 3 to under 10 s", "3: 10 to under 60 s", "4: 60 s and more", None,
    ]  # fmt: skip


def test_confusions_and_groups_are_those_of_a_plain_count(small):
    """The same numbers by one query after another."""
    from collections import Counter

    from biovita.benchmark.analysis import by_family, confusions

    benchmark = benchmark_from_split(small)
    scores = score_benchmark(benchmark, class_vectors(benchmark, small, noise=3.0))
    pairs, queries, families = Counter(), Counter(), Counter()
    for score in (s for s in scores.tasks if s.task.level == Rank.SPECIES):
        task = score.task
        asked = benchmark.items[modalities_of(task.direction)[0]].take(task.queries.tolist())
        for query, (own, family) in enumerate(
            zip(*(asked[n].to_pylist() for n in ("species", "family")), strict=True)
        ):
            got = task.taxa[score.retrieved[query]]
            queries[task.part, own] += 1
            pairs[task.part, own, got, task.direction] += own != got
            if family is not None:
                families[task.part, task.direction, family, bool(score.ranks[query] == 1)] += 1
    found = confusions(benchmark, scores, level=Rank.SPECIES, most=1000)
    assert len(found) > 20
    told = {(r.part, r.taxon, r.taken_for, d): count for r in found for d, count in r.directions.items()}
    assert told == {pair: count for pair, count in pairs.items() if count}
    for part in ("seen", "unseen"):
        mine = [(-row.share * row.count, row.taxon, row.taken_for) for row in found if row.part == part]
        assert mine == sorted(mine)
    assert all((r.queries, r.count) == (queries[r.part, r.taxon], sum(r.directions.values())) for r in found)
    rows = [row for row in by_family(benchmark, scores) if row.k == 1]
    assert sum(row.queries for row in rows) == families.total()
    for row in rows:
        right, wrong = (families[row.part, row.direction, row.group, hit] for hit in (True, False))
        assert (row.queries, row.accuracy) == (right + wrong, pytest.approx(right / (right + wrong)))
