from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from biovita.benchmark.score import NotFiniteError, Rows, rank_candidates

KS = (1, 5, 10)


@dataclass
class Case:
    """A generated benchmark.

    Half of them lie on a grid where every dot product is exact in float32. Only those have copied vectors:
    elsewhere the loop's own rounding would break such ties, by where a vector stands.
    """

    queries: np.ndarray
    query_rows: np.ndarray
    samples: np.ndarray
    sample_rows: np.ndarray
    offsets: np.ndarray
    candidates: np.ndarray
    correct: np.ndarray

    def ranking(self, **options):
        return rank_candidates(
            Rows(self.queries, self.query_rows),
            Rows(self.samples, self.sample_rows),
            self.offsets,
            self.candidates,
            self.correct,
            **options,
        )


def generate(seed: int, most_samples: int = 20_000) -> Case:
    rng = np.random.default_rng(seed)
    taxa = int(rng.choice([1, 2, 3, 10, 40, 150, 500, 2000], p=[0.05, 0.05, 0.1, 0.2, 0.2, 0.2, 0.1, 0.1]))
    most = min(int(rng.choice([1, 3, 10, 100])), most_samples // taxa)
    sizes = rng.integers(1, most + 1, taxa)
    dim = int(rng.choice([2, 7, 32, 128]))
    grid = seed % 2 == 0
    total, asked = int(sizes.sum()), int(rng.integers(1, 60))

    def vectors(n):
        if grid:
            return (rng.integers(-4, 5, (n, dim)) / 8).astype(np.float32)
        made = rng.normal(size=(n, dim)).astype(np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    samples, queries = vectors(total), vectors(asked)
    copies = rng.random(total) < (0.2 if grid else 0)  # the same vector in several taxa
    samples[copies] = samples[rng.integers(total, size=copies.sum())]
    sample_rows = np.arange(total)
    query_rows = np.arange(asked)
    if seed % 3 == 0:
        sample_rows[rng.random(total) < 0.3] = -1
        query_rows[rng.random(asked) < 0.1] = -1
    width = min(taxa, int(rng.choice([1, 5, 20, 100])))
    candidates = np.stack([rng.permutation(taxa)[:width] for _ in range(asked)]).astype(np.int32)
    correct = rng.integers(width, size=asked)
    if seed % 5 == 0:  # lists of different length
        for row in range(asked):
            candidates[row, int(rng.integers(correct[row] + 1, width + 1)) :] = -1
    return Case(queries, query_rows, samples, sample_rows, np.r_[0, np.cumsum(sizes)], candidates, correct)


def published_loop(case: Case, dtype) -> np.ndarray:
    """Score as the published scorer does: one matrix-vector product and a maximum a candidate for every query."""
    ranks = np.zeros(len(case.query_rows), int)
    samples = case.samples.astype(dtype)
    for query, row in enumerate(case.query_rows):
        if row < 0:
            continue
        similarity = samples @ case.queries[row].astype(dtype)
        scores = []
        for taxon in case.candidates[query]:
            if taxon < 0:
                break
            own = case.sample_rows[case.offsets[taxon] : case.offsets[taxon + 1]]
            scores.append(max((similarity[s] for s in own if s >= 0), default=-np.inf))
        order = sorted(range(len(scores)), key=lambda column: -scores[column])  # stable: ties in file order
        ranks[query] = 1 + order.index(case.correct[query])
    return ranks


def mteb_accuracy(case: Case) -> dict[str, float]:
    """Score with mteb's own scorer of its BioVITA tasks."""
    biovita = pytest.importorskip("mteb.tasks.reranking.eng.biovita")
    similarity = case.samples.astype(np.float64) @ case.queries.astype(np.float64).T
    taxon_of = np.repeat(np.arange(len(case.offsets) - 1), np.diff(case.offsets))
    documents = [str(s) for s in range(len(case.samples))]
    lists = [[str(t) for t in row if t >= 0] for row in case.candidates]

    queries = {
        "id": [str(q) for q in range(len(lists))],
        "candidate_taxa": lists,
        "correct_taxon": [names[c] for names, c in zip(lists, case.correct, strict=True)],
    }
    corpus = {"id": documents, "taxon": [str(t) for t in taxon_of]}
    local = SimpleNamespace(dataset={"default": {"test": {"queries": queries, "corpus": corpus}}})
    present = np.flatnonzero(case.sample_rows >= 0)
    results = {
        str(query): {documents[s]: float(similarity[s, row]) for s in present}
        for query, row in enumerate(case.query_rows)
        if row >= 0
    }
    found = biovita._task_specific_scores(local, {}, {}, results, "test", "default")
    answered = int((case.query_rows >= 0).sum())
    return {key: value * answered / len(lists) for key, value in found.items()}  # absent queries are misses here


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_ranks_equal_the_published_loop_and_mteb(first):
    for seed in range(first, first + 20):
        case = generate(seed, 4000)
        ranks = case.ranking().rank
        expected = published_loop(case, np.float32 if seed % 2 == 0 else np.float64)
        assert ranks.tolist() == expected.tolist(), seed
        theirs = mteb_accuracy(case)
        for k in KS:
            ours = ((ranks > 0) & (ranks <= k)).mean()
            assert ours == pytest.approx(theirs[f"taxon_top_{k}_accuracy"], abs=1e-12), (seed, k)


@pytest.mark.parametrize("seed", range(0, 200, 7))
def test_memory_setting_does_not_change_the_result(seed):
    case = generate(seed)
    whole = case.ranking()
    tiled = case.ranking(memory_mb=1)
    assert whole.rank.tolist() == tiled.rank.tolist()
    assert whole.top.tolist() == tiled.top.tolist()


@pytest.mark.slow
def test_both_ways_of_multiplying_agree(monkeypatch):
    from biovita.benchmark import score

    for seed in range(40):
        case = generate(seed)
        found = []
        for gather in (-(10**6), 10**9):  # always only what the lists name; always everything
            monkeypatch.setattr(score, "_GATHER", gather)
            monkeypatch.setattr(score, "_LONGEST", 64)
            monkeypatch.setattr(score, "_BLOCK", 16)
            monkeypatch.setattr(score, "_TILE", 8)
            monkeypatch.setattr(score, "_EXACT", 5)
            ranking = case.ranking()
            found.append((ranking.rank.tolist(), ranking.top.tolist()))
        assert found[0] == found[1], seed


def test_equal_vectors_tie_wherever_they_stand():
    """The same vector must score the same in every place; in single precision it may not."""
    rng = np.random.default_rng(0)
    one = rng.normal(size=(1, 771)).astype(np.float32)
    samples = np.repeat(one, 997, axis=0)
    queries = rng.normal(size=(53, 771)).astype(np.float32)
    candidates = np.stack([rng.permutation(997)[:100] for _ in range(53)])
    correct = rng.integers(100, size=53)
    ranking = rank_candidates(
        Rows(queries, np.arange(53)), Rows(samples, np.arange(997)), np.arange(998), candidates, correct
    )
    assert ranking.rank.tolist() == (correct + 1).tolist()
    assert ranking.top.tolist() == [0] * 53


def test_top_is_the_first_ranked_candidate():
    case = generate(11)
    top = case.ranking().top
    for query, row in enumerate(case.query_rows):
        similarity = case.samples.astype(float) @ case.queries[row].astype(float)
        spans = [slice(case.offsets[t], case.offsets[t + 1]) for t in case.candidates[query] if t >= 0]
        scores = [similarity[span].max() for span in spans]
        assert top[query] == int(np.argmax(scores))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("side", ["query", "sample"])
def test_vectors_that_are_not_finite_are_refused(bad, side):
    case = generate(11)
    vectors = case.queries if side == "query" else case.samples
    vectors[1] = bad
    with pytest.raises(NotFiniteError, match="NaN, an infinity") as caught:
        case.ranking()
    assert (caught.value.side, caught.value.row) == (side, 1) or bad == 3e38


def test_vectors_that_are_not_used_may_be_anything():
    case = generate(11)
    case.samples = np.vstack([case.samples, np.full((1, case.samples.shape[1]), np.nan, np.float32)])
    assert case.ranking().rank.tolist() == generate(11).ranking().rank.tolist()


def test_no_queries_give_no_ranks():
    case = generate(11)
    case.query_rows = np.full(len(case.query_rows), -1)
    ranking = case.ranking()
    assert set(ranking.rank) == {0}
    assert set(ranking.top) == {-1}


def several(seed: int) -> tuple[Case, np.ndarray]:
    """Return a case whose queries have up to three vectors each, and a penalty for each taxon."""
    case, rng = generate(seed), np.random.default_rng([seed, 1])
    total = int(case.query_rows.max(initial=0)) + 1
    rows = rng.integers(total, size=(len(case.query_rows), 3))
    rows[rng.random(rows.shape) < 0.4] = -1
    rows[:, 1] = np.where(rng.random(len(rows)) < 0.3, rows[:, 0], rows[:, 1])  # the same vector twice
    case.query_rows = rows
    return case, rng.choice([0.0, 0.25, 1 / 3], len(case.offsets) - 1)


def by_brute_force(case: Case, penalties: np.ndarray) -> tuple[list[int], list[int]]:
    """Score each query's vectors with each taxon's samples in double precision, one after the other."""
    ranks, tops = [], []
    for query, rows in enumerate(case.query_rows):
        asked = [case.queries[row].astype(float) for row in rows if row >= 0]
        scores = []
        for taxon in [t for t in case.candidates[query] if t >= 0]:
            own = [r for r in case.sample_rows[case.offsets[taxon] : case.offsets[taxon + 1]] if r >= 0]
            pairs = [(one * case.samples[row].astype(float)).sum() for one in asked for row in own]
            scores.append(max(pairs, default=-np.inf) - penalties[taxon])
        order = sorted(range(len(scores)), key=lambda column: -scores[column])
        ranks.append(1 + order.index(case.correct[query]) if asked else 0)
        tops.append(order[0] if asked else -1)
    return ranks, tops


@pytest.mark.parametrize("seed", [0, 3, 5, 11, 18, 23, 30, 40])
@pytest.mark.parametrize("memory", [1, 512])
def test_several_vectors_a_query_and_penalties_are_as_by_brute_force(seed, memory):
    case, penalties = several(seed)
    ranking = case.ranking(penalties=penalties, memory_mb=memory)
    assert (ranking.rank.tolist(), ranking.top.tolist()) == by_brute_force(case, penalties)
    none = np.zeros_like(penalties)
    assert case.ranking().rank.tolist() == case.ranking(penalties=none).rank.tolist()
    assert case.ranking(memory_mb=memory).rank.tolist() == by_brute_force(case, none)[0]


def test_equal_scores_tie_after_a_penalty_too():
    """Copies of one sample in taxa of the same penalty tie, and one without it comes before them."""
    rng = np.random.default_rng(0)
    samples = np.repeat(rng.normal(size=(1, 771)).astype(np.float32), 50, axis=0)
    queries = rng.normal(size=(20, 771)).astype(np.float32)
    candidates = np.stack([rng.permutation(50) for _ in range(20)])
    penalties = np.where(np.arange(50) == 7, 0.0, 1e-9)
    correct = rng.integers(50, size=20)
    ranking = rank_candidates(
        Rows(queries, np.arange(20)),
        Rows(samples, np.arange(50)),
        np.arange(51),
        candidates,
        correct,
        penalties=penalties,
    )
    free = (candidates == 7).argmax(axis=1)
    assert ranking.top.tolist() == free.tolist()
    assert ranking.rank.tolist() == [1 if c == f else 1 + c + (f > c) for c, f in zip(correct, free, strict=True)]
