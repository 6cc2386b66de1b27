"""Exemplars: compared by the mean direction of those of a taxon, and never with a question of their own group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from biovita.errors import DatasetError
from biovita.identification.evidence import Candidate
from biovita.identification.exemplars import EXEMPLARS, Exemplars, Labelled
from biovita.identification.likeness import Likeness
from biovita.modality import Modality
from biovita.taxonomy import Taxon

DIM = 8
LIKENESS = Likeness(5.0, 0.9, 1.0)


def labelled(rng: np.random.Generator, taxa: int = 4, items: int = 20) -> Labelled:
    places = np.arange(items) % taxa
    rows = pa.table(
        {
            "id": [f"r{number}" for number in range(items)],
            "group_id": [f"g{number // 2}" if number % 5 else None for number in range(items)],
            "path": [f"{number}.wav" for number in range(items)],
            **{name: pa.nulls(items) for name in EXEMPLARS.names[3:]},
        },
        schema=EXEMPLARS,
    )
    labels = tuple(Candidate(Taxon(f"t{number}", f"Taxon {number}")) for number in range(taxa))
    return Labelled(Modality.AUDIO, labels, places, rows, rng.standard_normal((items, DIM)).astype(np.float32))


def plain(
    items: Labelled, numbers: np.ndarray, centre: np.ndarray, question: np.ndarray, group: str | None
) -> dict:
    """The definition, one exemplar after the other."""
    found: dict[int, np.ndarray] = {}
    for place, own, vector in zip(items.places, items.rows["group_id"].to_pylist(), items.vectors, strict=True):
        if numbers[place] >= 0 and (group is None or own != group):
            direction = (vector - centre) / np.linalg.norm(vector - centre)
            found[int(numbers[place])] = found.get(int(numbers[place]), 0) + direction
    asked = (question - centre) / np.linalg.norm(question - centre)
    return {number: asked @ total / np.linalg.norm(total) for number, total in found.items()}


def test_cosines_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    items, numbers = labelled(rng), np.array([7, -1, 2, 5])  # the second is no candidate
    centre = rng.standard_normal(DIM).astype(np.float32)
    exemplars = Exemplars.of([items], [numbers], centre)
    assert exemplars is not None
    assert exemplars.candidates.tolist() == [2, 5, 7]
    questions = rng.standard_normal((19, DIM)).astype(np.float32)
    groups = [None, *(f"g{n}" for n in range(8)), *(f"g{n}" for n in range(8)), "g2", "another"]
    found = exemplars.cosines(questions, groups)
    for row, group in enumerate(groups):
        wanted = plain(items, numbers, centre, questions[row], group)
        assert found[row] == pytest.approx([wanted[number] for number in (2, 5, 7)], abs=1e-5)
    apart = np.concatenate([exemplars.cosines(questions[[row]], [group]) for row, group in enumerate(groups)])
    np.testing.assert_allclose(apart, found, atol=1e-6)


def test_an_exemplar_of_the_questions_group_changes_nothing() -> None:
    """With it in the gallery, or without it, the question's cosines are the same."""
    items = labelled(np.random.default_rng(5))
    whole = Exemplars.of([items], [np.arange(4)], np.zeros(DIM, np.float32))
    other = np.flatnonzero(np.array(items.rows["group_id"].to_pylist(), object) != "g3")
    fewer = replace(items, places=items.places[other], rows=items.rows.take(other), vectors=items.vectors[other])
    without = Exemplars.of([fewer], [np.arange(4)], np.zeros(DIM, np.float32))
    assert whole is not None
    assert without is not None
    asked = items.vectors[[6, 7]]
    np.testing.assert_allclose(whole.cosines(asked, ["g3", "g3"]), without.cosines(asked), atol=1e-6)
    assert np.abs(whole.cosines(asked) - without.cosines(asked)).max() > 0.01


def test_a_taxon_whose_only_exemplars_are_of_the_questions_group_has_none() -> None:
    items = labelled(np.random.default_rng(1), taxa=20)  # one each
    exemplars = Exemplars.of([items], [np.arange(20)], np.zeros(DIM, np.float32))
    assert exemplars is not None
    found = exemplars.cosines(items.vectors[3:4], ["g1"])  # of r2 and r3
    assert np.flatnonzero(np.isneginf(found[0])).tolist() == [2, 3]
    added = LIKENESS.log_odds(found)
    assert added[0, 2:4].tolist() == [0, 0]
    assert np.count_nonzero(added) == 18


def test_exemplars_that_cancel_out_are_like_nothing() -> None:
    items = labelled(np.random.default_rng(6), taxa=1, items=2)
    items.vectors[1] = -items.vectors[0]
    exemplars = Exemplars.of([items], [np.arange(1)], np.zeros(DIM, np.float32))
    assert exemplars is not None
    assert exemplars.cosines(np.ones((1, DIM), np.float32))[0, 0] == pytest.approx(0.0, abs=1e-4)


def test_an_id_that_comes_twice_is_refused() -> None:
    items = labelled(np.random.default_rng(3))
    with pytest.raises(DatasetError, match="one id"):
        Exemplars.of([items, items], [np.arange(4)] * 2, np.zeros(DIM, np.float32))


def test_questions_that_are_not_of_a_taxon_leave_its_odds_on_average() -> None:
    """The mean of what odds are multiplied by is 1 over them, so having exemplars neither favours nor punishes."""
    likenesses = np.random.default_rng(4).normal(0.0, 0.75, (4000, 1)).astype(np.float32)
    measured = Likeness(2.0, 0.8, float(np.log(np.exp(2.0 * likenesses).mean())))
    assert np.exp(measured.log_odds(likenesses)).mean() == pytest.approx(1.0, abs=1e-3)
    assert measured.log_odds(np.array([[-50.0]]))[0, 0] == pytest.approx(np.log(0.2), abs=1e-4)


def test_where_it_was_not_measured_the_mean_of_each_row_stands_for_it() -> None:
    likenesses = np.array([[0.0, 0.5, -np.inf, 1.5]], np.float32)
    odds = np.exp(Likeness(2.0, 1.0).log_odds(likenesses)[0])
    assert odds[2] == 1
    assert odds[[0, 1, 3]].mean() == pytest.approx(1.0, abs=1e-5)
