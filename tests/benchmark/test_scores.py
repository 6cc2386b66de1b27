from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from biovita.benchmark import benchmark_from_split, headline, score_benchmark
from biovita.benchmark.scores import bootstrap_interval
from biovita.embedding import Vectors
from biovita.errors import BiovitaError
from biovita.modality import Modality
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors, with_few_draws

FIELDS = ["stage", "part", "direction", "level", "k", "accuracy", "chance", "low", "high", "queries", "taxa"]


def test_rows_have_every_field_and_are_the_same_twice(small):
    benchmark = benchmark_from_split(small, candidates=5)
    vectors = class_vectors(benchmark, small, noise=1.0)
    rows = score_benchmark(benchmark, vectors).rows(stage=1, seed=4)
    assert len(rows) == 36 * 3
    assert [field.name for field in fields(rows[0])][: len(FIELDS)] == FIELDS
    assert all(0 <= r.low <= r.accuracy <= r.high <= 1 for r in rows)
    assert rows == score_benchmark(benchmark, vectors).rows(stage=1, seed=4)
    assert rows != score_benchmark(benchmark, vectors).rows(stage=1, seed=5)


@pytest.mark.slow
def test_perfect_vectors_score_one_and_random_ones_chance(small, monkeypatch):
    with_few_draws(monkeypatch)
    benchmark = benchmark_from_split(small)
    rows = score_benchmark(benchmark, class_vectors(benchmark, small, noise=0.0)).rows(1)
    assert {r.accuracy for r in rows if r.level == "species"} == {1.0}
    hits, chance = [], []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        drawn = {
            m: Vectors(tuple(benchmark.ids(m)), rng.normal(size=(len(benchmark.ids(m)), 8)).astype(np.float32))
            for m in Modality
        }
        found = headline(score_benchmark(benchmark, drawn).rows(0), stage=0, part="unseen", k=1)
        hits.append(found.accuracy)
        chance.append(found.chance)
    assert set(np.round(chance, 12)) == {0.125}
    assert abs(np.mean(hits) - 0.125) < 4 * np.std(hits) / np.sqrt(25)


def test_chance_is_the_mean_over_queries(small):
    benchmark = benchmark_from_split(small, candidates=3)
    scores = score_benchmark(benchmark, class_vectors(benchmark, small, noise=0.0))
    for score in scores.tasks:
        assert score.chance(1) == pytest.approx(1 / min(3, len(score.task.taxa)))
        assert score.chance(10) == 1.0


def test_absent_items_are_counted_and_never_zero_vectors(small):
    benchmark = benchmark_from_split(small)
    vectors = class_vectors(benchmark, small, noise=0.0)
    task = benchmark.task("unseen", "A2I", Rank.SPECIES)
    lost_query = benchmark.ids(Modality.AUDIO)[task.queries[0]]
    taxon = int(task.correct_taxa[-1])
    lost = {benchmark.ids(Modality.IMAGE)[s] for s in task.samples[task.offsets[taxon] : task.offsets[taxon + 1]]}

    def without(table, gone):
        keep = [i for i, key in enumerate(table.ids) if key not in gone]
        return Vectors(tuple(table.ids[i] for i in keep), table.vectors[keep])

    fewer = {
        Modality.AUDIO: without(vectors[Modality.AUDIO], {lost_query}),
        Modality.IMAGE: without(vectors[Modality.IMAGE], lost),
        Modality.TEXT: vectors[Modality.TEXT],
    }
    (score,) = [s for s in score_benchmark(benchmark, fewer).tasks if s.task is task]
    assert (score.absent_queries, score.absent_samples) == (1, len(lost))
    assert score.ranks[0] == 0
    assert score.retrieved[0] == -1
    own = score.task.correct_taxa == taxon
    assert (score.ranks[own] == len(task.taxa)).all(), "a taxon without samples ranks last"
    assert (score.ranks[~own][1:] == 1).all()
    row = next(r for r in score_benchmark(benchmark, fewer).rows() if r.direction == "A2I")
    assert row.queries == len(benchmark.task("seen", "A2I", Rank.SPECIES).queries)


def test_only_directions_that_a_model_can_answer_are_scored(small):
    benchmark = benchmark_from_split(small)
    vectors = class_vectors(benchmark, small, noise=0.0)
    del vectors[Modality.AUDIO]
    assert {s.task.direction for s in score_benchmark(benchmark, vectors).tasks} == {"I2T", "T2I"}


def test_vectors_of_two_spaces_are_refused(small):
    benchmark = benchmark_from_split(small)
    vectors = class_vectors(benchmark, small, noise=0.0)
    vectors[Modality.TEXT] = Vectors(vectors[Modality.TEXT].ids, vectors[Modality.TEXT].vectors[:, :7])
    with pytest.raises(BiovitaError, match="not in one space"):
        score_benchmark(benchmark, vectors)


def test_a_bad_vector_is_named(small):
    benchmark = benchmark_from_split(small)
    vectors = class_vectors(benchmark, small, noise=0.0)
    row = benchmark.task("unseen", "I2T", Rank.SPECIES).queries[0]
    vectors[Modality.IMAGE].vectors[row] = np.nan
    with pytest.raises(BiovitaError, match=f"image '{benchmark.ids(Modality.IMAGE)[row]}'.*NaN"):
        score_benchmark(benchmark, vectors)


def test_mean_reciprocal_rank_and_its_chance(small):
    benchmark = benchmark_from_split(small)
    perfect = score_benchmark(benchmark, class_vectors(benchmark, small, noise=0.0))
    row = next(r for r in perfect.reciprocal_rank_rows() if (r.part, r.level) == ("unseen", "species"))
    assert row.mrr == row.low == row.high == 1.0
    assert row.chance == pytest.approx(sum(1 / r for r in range(1, 9)) / 8)


def test_interval_equals_plain_resampling():
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.25, 0.5, 1.0], size=80)
    plain = rng.choice(values, size=(20_000, 80)).mean(axis=1)
    expected = np.quantile(plain, [0.025, 0.975])
    assert bootstrap_interval(values, 1) == pytest.approx(expected, abs=0.006)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(300):
        low, high = bootstrap_interval(rng.random(200) < 0.3, seed, resamples=1000)
        covered += low <= 0.3 <= high
    assert 0.9 <= covered / 300 <= 0.98


@pytest.mark.parametrize("count", [26, 400])
def test_intervals_are_those_of_scipy_up_to_the_draw(count):
    rng = np.random.default_rng(count)
    hits, ranks = (rng.random(count) < 0.3).astype(float), 1 / rng.integers(1, 40, count)
    for values in (hits, ranks):
        other = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=1)
        spread = other.standard_error
        ours = bootstrap_interval(values, 0)
        assert ours == pytest.approx(
            other.confidence_interval, abs=max(0.15 * spread, 1.01 / count * (values is hits))
        )
