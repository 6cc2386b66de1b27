from __future__ import annotations

import numpy as np
import pytest

from bench_cases import class_vectors
from biovita.bench import build_benchmark, score_benchmark
from biovita.bench.analysis import by_class, near_misses
from biovita.bench.nearest import nearest
from biovita.bench.task import modalities_of
from biovita.taxonomy import Rank


@pytest.fixture
def scored(small):
    benchmark = build_benchmark(small)
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
            if (r["part"], r["direction"], r["level"], r["k"]) == (task.part, task.direction, task.level.value, 1)
        ]
        (total,) = [r for r in mine if r["class"] == "All"]
        classes = [r for r in mine if r["class"] != "All"]
        assert {r["class"] for r in classes} <= {"Aves", "Amphibia"}
        assert sum(r["queries"] for r in classes) == total["queries"]
        assert sum(r["queries"] * r["accuracy"] for r in classes) == pytest.approx(score.hits(1).sum())
        assert total["accuracy"] == score.hits(1).mean()


def test_near_misses_by_hand(scored):
    """Count them one by one, from the names in the items."""
    benchmark, _, scores = scored
    rows = {(r["part"], r["direction"], r["rank"]): r for r in near_misses(benchmark, scores)}
    assert {r["direction"] for r in rows.values()} == {"A2T", "T2A", "A2I", "I2A", "I2T", "T2I"}
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
            assert (row["errors"], row["share"]) == (len(same), pytest.approx(np.mean(same)))
            assert row["chance"] == pytest.approx(np.mean(chance))
            assert row["low"] <= row["share"] <= row["high"]
    assert checked >= 12


def test_a_model_that_knows_the_family_misses_near(small):
    benchmark = build_benchmark(small)
    rng = np.random.default_rng(0)
    vectors = class_vectors(benchmark, small, noise=0.0)
    for table in vectors.values():
        table.vectors[:] += rng.normal(size=table.vectors.shape) * 0.06
    rows = [r for r in near_misses(benchmark, score_benchmark(benchmark, vectors)) if r["errors"] >= 10]
    assert all(r["share"] > 2 * r["chance"] for r in rows if r["rank"] == "family")


def test_nearest_agrees_with_the_ranks(scored):
    benchmark, vectors, scores = scored
    for score in scores.tasks[:12]:
        for query in range(0, len(score.ranks), 5):
            found = nearest(benchmark, score.task, vectors, query, count=100)
            assert [n.correct for n in found].index(True) + 1 == score.ranks[query]
            assert found[0].taxon == score.retrieved[query]
            own = score.task.offsets[found[0].taxon], score.task.offsets[found[0].taxon + 1]
            assert found[0].sample in score.task.samples[slice(*own)]
            assert [n.similarity for n in found] == sorted((n.similarity for n in found), reverse=True)
