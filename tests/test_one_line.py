"""What a user prints is one line, whatever it holds."""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import biovita
from biovita.benchmark import benchmark_from_split
from biovita.benchmark.compare import ComparedRow
from biovita.benchmark.evaluation import evaluate
from biovita.benchmark.scored_models import Random
from biovita.dataset import split_dataset
from biovita.modality import Modality
from biovita.model import Model, describe
from biovita.one_line import OneLine
from biovita.taxonomy import Taxon, Taxonomy
from biovita.training.recipes import recipe
from support.bench_cases import write_small
from support.plain_model import plain_towers

MANY = tuple(f"item {number}" for number in range(1000))
SAID_SHORTLY = {"Taxon", "Modality", "Rank"}  # they hold a few names


@dataclass(frozen=True, repr=False)
class Held(OneLine):
    value: Any
    none: None = None
    empty: tuple[str, ...] = ()


class Colour(Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        (0.123456, "0.1235"),
        (True, "True"),
        (Colour.RED, "Colour.RED"),
        (Modality.AUDIO, "'audio'"),
        ("birds", "'birds'"),
        (Path("a/b"), repr(str(Path("a/b")))),
        ("x" * 100, f"'{'x' * 55}...'"),
        ({"silent": 2}, "{'silent': 2}"),
        (("a", "b"), "('a', 'b')"),
        (MANY, "<1,000>"),
        (dict.fromkeys(MANY), "<1,000>"),
        ([np.ones(3)], "<1>"),
        (np.ones(7), "<7>"),
        (pa.table({"a": [1, 2]}), "<2>"),
        (Random(4), "Random(dim=4)"),
    ],
)
def test_a_field_is_shown_in_a_few_words(value: Any, shown: str) -> None:
    assert repr(Held(value)) == f"Held(value={shown})"


def test_an_object_that_says_too_much_is_shown_by_its_name() -> None:
    found: object = recipe("starter/stage1", {})
    assert len(repr(found)) > 200
    assert repr(Held(found)) == "Held(value=<FrozenRecipe 'starter/stage1'>)"


def test_all_that_the_package_gives_prints_as_a_line_of_its_own() -> None:
    """A dataclass prints all that it holds if nobody says otherwise: `reprlib` wraps what it then prints by."""
    classes = [getattr(biovita, name) for name in biovita.__all__ if name not in SAID_SHORTLY]
    wrong = [each for each in classes if is_dataclass(each) and hasattr(each.__repr__, "__wrapped__")]
    assert not wrong
    assert sum(map(is_dataclass, classes)) > 15


def test_a_report_is_one_line() -> None:
    rows = [ComparedRow("seen", "A2T", "species", 1, 3, 0.1, 0.2, 0.1, 0.0, 0.2, 0, 0)] * 100
    found = biovita.Comparison("random", {"mine": rows}, {"mine": (MANY, MANY)}, Path("out/compare.html"))
    assert repr(found) == f"Comparison(first='random', compared=<1>, not_compared=<1>, page={str(found.page)!r})"


def test_models_say_what_they_can_do_and_where_they_run() -> None:
    card = describe("starter")
    assert repr(card) == "<ModelCard 'starter': audio, image and text in 256 numbers, projections of starter>"
    assert repr(card.towers) == "<ModelCard 'starter': audio in 1,024, image in 1,280 and text in 384 numbers>"
    model = Model.of_towers("plain", plain_towers())
    assert repr(model) == "<Model 'plain': audio, image and text in 3 numbers, on cpu>"
    assert repr(Model("empty", card, {})) == "<Model 'empty': nothing, on no device>"
    assert repr(model.encoder(Modality.AUDIO)) == "<Side 'plain-audio': audio in 3 numbers, on cpu>"


def test_vectors_say_how_many_they_are() -> None:
    vectors = biovita.Vectors(MANY, np.ones((1000, 4), np.float32))
    assert repr(vectors) == "<Vectors of 1,000 items, 4 numbers each, the first 'item 0'>"
    assert repr(biovita.Vectors((), np.ones((0, 4)))) == "<Vectors of 0 items, 4 numbers each>"


def test_a_dataset_and_its_benchmark_say_what_they_hold(tmp_path: Path) -> None:
    small = write_small(tmp_path / "small")
    split_dataset(small, unseen=8)
    assert (
        repr(small) == f"<Dataset {str(small.path)!r}: 25 taxa, 125 recordings, 120 photographs, 0 trait labels>"
    )
    assert repr(small.taxonomy) == "<Taxonomy of 25 taxa, 0 synonyms>"
    benchmark = benchmark_from_split(small)
    queries = sum(len(task.queries) for task in benchmark.tasks)
    assert repr(benchmark).startswith(f"<Benchmark of {len(benchmark.tasks)} tasks, {queries:,} queries: ")
    assert "recordings" in repr(benchmark)
    done = evaluate(benchmark, "random:4", tmp_path / "run", progress=False)
    for found in (benchmark, done, done.scores, benchmark.tasks[0]):
        assert "\n" not in repr(found)
        assert len(repr(found)) < 500


def test_a_dataset_that_is_not_there_or_damaged_can_be_printed(tmp_path: Path) -> None:
    assert repr(biovita.Dataset(tmp_path)) == f"<Dataset {str(tmp_path)!r}: no tables>"
    (tmp_path / "audio.parquet").write_bytes(b"damaged")
    assert repr(biovita.Dataset(tmp_path)) == f"<Dataset {str(tmp_path)!r}: no tables>"


def test_taxa_say_how_many_they_are() -> None:
    taxa = Taxonomy.of([Taxon("pica_pica", "Pica pica")], {"Corvus pica": "pica_pica"})
    assert repr(taxa) == "<Taxonomy of 1 taxa, 1 synonyms>"
