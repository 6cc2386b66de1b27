from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.compare import compare, exact_mcnemar, holm, not_compared, ranks_table, read_ranks
from biovita.errors import BiovitaError
from support.bench_cases import class_vectors


@pytest.fixture
def runs(small):
    benchmark = benchmark_from_split(small)
    return {
        noise: ranks_table(
            benchmark, score_benchmark(benchmark, class_vectors(benchmark, small, noise, seed=seed))
        )
        for noise, seed in ((2.5, 1), (1.2, 2), (2.50001, 3))
    }


@pytest.mark.slow
def test_a_better_model_is_better_and_the_same_is_the_same(runs):
    rows = compare(runs[2.5], runs[1.2])
    assert len(rows) == 3 * (36 + 6)
    means = [r for r in rows if r.direction == "mean" and r.k == 1]
    assert all(r.difference > 0.1 and r.low > 0 for r in means)
    for row in rows:
        assert row.low <= row.difference <= row.high
        assert row.difference == pytest.approx(row.second - row.first)
        if row.direction != "mean":
            assert row.difference == pytest.approx((row.gained - row.lost) / row.queries)
            assert row.p <= row.p_holm <= 1
    same = compare(runs[2.5], runs[2.5])
    assert all((r.difference, r.low, r.high) == (0, 0, 0) for r in same)
    assert all(r.p == 1 for r in same if r.direction != "mean")
    alike = [r for r in compare(runs[2.5], runs[2.50001]) if r.direction != "mean"]
    assert min(r.p_holm for r in alike) > 0.01


def test_runs_of_different_benchmarks_are_refused(small, runs):
    benchmark = benchmark_from_split(small, candidates=3)
    other = ranks_table(benchmark, score_benchmark(benchmark, class_vectors(benchmark, small, 1.2)))
    with pytest.raises(BiovitaError, match="not of the same benchmark"):
        compare(runs[1.2], other)
    hard = benchmark_from_split(small, candidates=3, draw="hard")
    nearer = ranks_table(hard, score_benchmark(hard, class_vectors(hard, small, 1.2)))
    with pytest.raises(BiovitaError, match="queries or candidates differ"):
        compare(other, nearer)
    with pytest.raises(BiovitaError, match="no task in common"):
        compare(runs[1.2], other.slice(0, 0))


def test_tasks_of_one_run_only_are_named(runs):
    whole, part = runs[1.2], runs[2.5].filter(pc.not_equal(runs[2.5]["direction"], "A2I"))
    left, none = not_compared(whole, part)
    assert len(left) == 6
    assert set(left) == {
        f"{p}/A2I/{level}" for p in ("seen", "unseen") for level in ("species", "genus", "family")
    }
    assert (none, not_compared(part, whole)) == ([], ([], left))
    assert "A2I" not in {row.direction for row in compare(whole, part)}


def test_ranks_survive_the_file(runs, tmp_path):
    pq.write_table(runs[1.2], tmp_path / "ranks.parquet")
    assert read_ranks(tmp_path).equals(runs[1.2])
    with pytest.raises(BiovitaError, match="does not exist"):
        read_ranks(tmp_path / "x")
    (tmp_path / "x").mkdir()
    with pytest.raises(BiovitaError, match="no ranks"):
        read_ranks(tmp_path / "x")


def test_against_other_words_for_the_same():
    rng = np.random.default_rng(0)
    for gained, lost in [(0, 0), (1, 0), (5, 5), (30, 11), (400, 333), (0, 40)]:
        coins = gained + lost
        tail = sum(comb(coins, heads) for heads in range(min(gained, lost) + 1))
        expected = min(1, Fraction(2 * tail, 2**coins))
        assert exact_mcnemar(gained, lost) == pytest.approx(float(expected), rel=1e-9)
    values = rng.random(30).tolist()
    order = np.argsort(values)
    steps = np.maximum.accumulate([(30 - i) * values[at] for i, at in enumerate(order)])
    expected = np.empty(30)
    expected[order] = np.minimum(1, steps)
    assert holm(values) == pytest.approx(expected.tolist())
