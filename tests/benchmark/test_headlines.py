from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from biovita.benchmark import ScoreRow, benchmark_from_split, headline, score_benchmark
from biovita.benchmark.compare import ranks_table
from biovita.benchmark.headlines import (
    cautions,
    headline_of_ranks,
    headline_record,
    headline_words,
    main_headline,
    mean_of,
)
from biovita.benchmark.scores import bootstrap_means, interval_of
from biovita.dataset import split_dataset
from biovita.embedding import Vectors
from biovita.modality import DIRECTIONS, Modality
from biovita.taxonomy import Rank
from support.bench_cases import class_vectors, with_few_draws, write_small


def row(direction: str, hits: int, queries: int, candidates: int, **more) -> ScoreRow:
    """Return the Top-1 row of a direction."""
    made = ScoreRow(
        stage="m", part="unseen", direction=direction, level="species", k=1, accuracy=hits / queries,
        chance=1 / candidates, low=0.0, high=1.0, queries=queries, taxa=candidates, taxa_asked=candidates,
        candidates=candidates, absent_queries=0, absent_samples=0,
    )  # fmt: skip
    return replace(made, **more)


def found(*rows: ScoreRow):
    made = main_headline(rows, stage="m")
    assert made is not None
    return made


def test_the_interval_is_that_of_resampled_queries_of_each_direction() -> None:
    rows = [row("A2I", 30, 90, 40), row("I2A", 11, 60, 40)]
    made = found(*rows)
    hits = [np.repeat([1.0, 0.0], [each, rest]) for each, rest in ((30, 60), (11, 49))]
    low, high = interval_of(np.mean([bootstrap_means(each, seed) for seed, each in enumerate(hits)], axis=0))
    assert (made.low, made.high) == pytest.approx((low, high), abs=0.01)
    assert made.accuracy == pytest.approx((30 / 90 + 11 / 60) / 2)
    assert (made.queries, made.candidates, made.beyond_chance) == (150, 40, True)
    assert cautions(made) == ()


@pytest.mark.parametrize(
    ("directions", "words"),
    [
        (DIRECTIONS, "mean of six directions"),
        (("A2I", "I2A"), "mean of two directions (A2I, I2A)"),
        (("I2T",), "one direction alone (I2T)"),
    ],
)
def test_a_headline_says_which_directions_it_is_of(directions: tuple[str, ...], words: str) -> None:
    made = found(*(row(direction, 30, 90, 40) for direction in directions))
    assert mean_of(directions) == words
    assert headline_words(made).startswith(f"unseen species, {words}: Top-1 33.3% (")
    assert headline_words(made).endswith(
        f"), 13.3 x chance; {90 * len(directions)} queries, at most 40 candidates"
    )
    assert headline_record(made, 2)["words"] == headline_words(made)


def test_an_untrained_model_that_happens_to_be_right_of_two_is_not_above_chance() -> None:
    made = found(row("A2I", 3, 4, 2), row("I2A", 3, 4, 2))
    assert made.accuracy == 0.75
    assert not made.beyond_chance
    assert cautions(made) == (
        "This cannot be told from chance, which is 50.0%: it lies within the interval.",
        "Only 2 candidates and 8 queries: hold out more species, or more items of each, for a score that says more.",
    )


def test_a_bootstrap_without_spread_is_no_proof() -> None:
    made = found(row("A2I", 2, 2, 2), row("I2A", 2, 2, 2))
    assert (made.low, made.high) == (1.0, 1.0), "all hits: every resample is the same"
    assert (
        cautions(made)[0]
        == "This cannot be told from chance, which is 50.0%: queries of so few species reach as much by luck."
    )
    many = found(row("A2I", 20, 20, 2), row("I2A", 20, 20, 2))
    assert not many.beyond_chance, (
        "random vectors of two species take all queries for the right one, or for the other"
    )
    enough = found(row("A2I", 20, 20, 2, taxa_asked=20), row("I2A", 20, 20, 2, taxa_asked=20))
    assert enough.beyond_chance, "a coin gives that once in 2 to the 20"


@pytest.mark.slow
def test_random_vectors_are_seldom_above_chance(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three unseen species with six items of each kind: the items of a species lie together, and where is drawn."""
    with_few_draws(monkeypatch)
    dataset = write_small(tmp_path / "few", taxa=8, per_species=6)
    split_dataset(dataset, unseen=3, seed=0, held_out=0)
    benchmark = benchmark_from_split(dataset)
    species = [task for task in benchmark.tasks if (task.part, task.level) == ("unseen", Rank.SPECIES)]
    benchmark = replace(benchmark, tasks=tuple(species))
    vectors = class_vectors(benchmark, dataset, noise=0.1)
    rng = np.random.default_rng(0)
    above = apart = 0
    for _ in range(40):
        turned = {
            m: Vectors(v.ids, v.vectors @ np.linalg.qr(rng.normal(size=(32, 32)))[0].astype(np.float32))
            for m, v in vectors.items()
        }
        made = found(*score_benchmark(benchmark, turned).rows("m", ks=(1,)))
        above += made.beyond_chance
        apart += made.low > made.chance
    assert above <= 3
    assert apart > 2 * above, "taken apart, the queries make too much of it"


def test_below_chance_and_leaks_are_said() -> None:
    made = found(row("A2I", 1, 100, 4, leak=True), row("I2A", 0, 100, 4, leak=True))
    assert cautions(made)[:2] == (
        "The model has trained on some of what it was asked as new.",
        "This is below chance, which is 25.0%.",
    )


def test_the_unseen_part_comes_first_and_another_where_it_is_not_there() -> None:
    unseen, seen = row("A2I", 1, 9, 9), row("A2I", 5, 9, 9, part="seen")
    assert found(seen, unseen).part == "unseen"
    assert found(seen).part == "seen"
    assert main_headline([replace(seen, level="genus")], stage="m") is None
    assert headline([seen], stage="m", part="unseen", k=1) is None


def test_ranks_give_the_headline_of_the_scores(small) -> None:
    benchmark = benchmark_from_split(small, candidates=5)
    vectors = class_vectors(benchmark, small, noise=2.0)
    for chosen in ({}, {Modality.TEXT: None}):
        able = {m: each for m, each in vectors.items() if m not in chosen}
        scores = score_benchmark(benchmark, able)
        made = headline_of_ranks(ranks_table(benchmark, scores))
        assert made == main_headline(scores.rows("m"), stage="m")
        assert len(made.directions) == (2 if chosen else 6)
    assert headline_of_ranks(pa.table(ranks_table(benchmark, scores)).slice(0, 0)) is None
