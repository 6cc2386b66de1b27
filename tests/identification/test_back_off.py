"""Answers: probabilities of a row add up to 1, groups are sums of their members, and the deepest sure rank is given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biovita.archive.archive_tables import Kind
from biovita.identification.back_off import (
    BEST,
    BackOff,
    at_rank,
    back_off_of,
    backed_off,
    best_of,
    posterior,
    posterior_of_kept,
)
from biovita.identification.evidence import Candidate
from biovita.modality import MEDIA
from biovita.taxonomy import Rank, Taxon

SETTINGS = BackOff(1.5, -2.0, 0.6)
GREAT = Candidate(Taxon("a", "Parus major", class_="Aves", order="Passeriformes", family="Paridae", genus="Parus"))
JAPAN = Candidate(Taxon("b", "Parus minor", class_="Aves", order="Passeriformes", family="Paridae", genus="Parus"))
BLUE = Candidate(Taxon("c", "Cyanistes caeruleus", class_="Aves", order="Passeriformes", family="Paridae"))
OWL = Candidate(Taxon("d", "Strix aluco", class_="Aves", order="Strigiformes", family="Strigidae", genus="Strix"))
BARE = Candidate(Taxon("e", "Gryllus campestris"))
ENGINE = Candidate(Taxon("sound:engine", "Engine"), Kind.SOUND)
NOTHING = Candidate(Taxon("background:noise", "Noise"), Kind.BACKGROUND)
ALL = (GREAT, JAPAN, BLUE, OWL, BARE, ENGINE, NOTHING)


def logits(**of: float) -> np.ndarray:
    names = {"great": 0, "japan": 1, "blue": 2, "owl": 3, "bare": 4, "engine": 5, "nothing": 6}
    row = np.full((1, len(ALL)), -9.0, np.float32)
    for name, value in of.items():
        row[0, names[name]] = value
    return row


def answer(row: np.ndarray) -> str | None:
    answers = backed_off(posterior(row, ALL, SETTINGS), ALL, SETTINGS)
    found = answers.of_rows[0]
    return None if found is None else f"{found.taxon.rank} {found.taxon.scientific_name}"


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (logits(great=6.0), "species Parus major"),
        (logits(great=4.0, japan=4.0), "genus Parus"),
        (logits(great=4.0, blue=4.0), "family Paridae"),
        (logits(great=4.0, owl=4.0), "class Aves"),
        (logits(bare=6.0), "species Gryllus campestris"),
        (logits(bare=4.0, great=4.0), None),
        (logits(engine=6.0), "species Engine"),
        (logits(), None),
        (logits(nothing=6.0), None),
        (logits(nothing=6.0, great=4.0), None),
    ],
)
def test_the_deepest_sure_rank_is_answered(row: np.ndarray, wanted: str | None) -> None:
    assert answer(row) == wanted


def test_sums_of_a_rank_are_those_of_a_plain_count() -> None:
    """The oracle adds one probability after the other; more candidates than count are among them."""
    rng = np.random.default_rng(0)
    families = ["Paridae", "Corvidae", None]
    candidates = [
        Candidate(Taxon(f"t{n}", f"Genus{n // 2} n{n}", family=families[n % 3], genus=f"Genus{n // 2}"))
        for n in range(40)
    ]
    rows = rng.normal(-2, 3, (50, 40)).astype(np.float32)
    found = posterior(rows, candidates, SETTINGS)
    ranked = at_rank(found, candidates, Rank.FAMILY)
    for row in range(50):
        kept = np.argsort(-rows[row])[:BEST]
        odds = np.exp(rows[row, kept].astype(float) / 1.5)
        total = odds.sum() + np.exp(-2.0 / 1.5)
        wanted: dict[str, float] = {}
        for number, share in zip(kept, odds / total, strict=True):
            name = candidates[number].taxon.family or candidates[number].taxon.genus
            wanted[name] = wanted.get(name, 0.0) + share
        got = {
            ranked.taxa[place].taxon.scientific_name: share
            for place, share in zip(ranked.numbers[row], ranked.probabilities[row], strict=True)
            if place >= 0
        }
        assert got == pytest.approx(wanted)
        assert (np.diff(ranked.probabilities[row]) <= 0).all()
        assert sum(got.values()) + found.unknown[row] == pytest.approx(1.0)


def test_what_a_run_kept_gives_the_answers_of_all_log_odds() -> None:
    rng = np.random.default_rng(1)
    candidates = [Candidate(Taxon(f"t{n}", f"Genus{n // 3} n{n}", genus=f"Genus{n // 3}")) for n in range(60)]
    rows = rng.normal(-3, 3, (30, 60)).astype(np.float32)
    scores = 1 / (1 + np.exp(-rows))
    order = np.argsort(-scores, axis=1)[:, :BEST]
    kept = posterior_of_kept(list(order), [s[o] for s, o in zip(scores, order, strict=True)], candidates, SETTINGS)
    full = posterior(rows, candidates, SETTINGS)
    assert np.abs(kept.probabilities - full.probabilities).max() < 1e-5
    first, second = (backed_off(each, candidates, SETTINGS) for each in (kept, full))
    assert first.of_rows == second.of_rows
    fewer = posterior_of_kept([np.array([4])], [np.array([0.9], np.float32)], candidates, SETTINGS)
    assert fewer.numbers[0, :2].tolist() == [4, -1]
    assert backed_off(fewer, candidates, SETTINGS).of_rows == [candidates[4]]


def test_a_score_of_1_is_no_infinite_odds() -> None:
    found = posterior_of_kept([np.array([0, 1])], [np.array([1.0, 0.0], np.float32)], ALL, SETTINGS)
    assert np.isfinite(found.probabilities).all()
    assert found.probabilities[0, 0] > 0.999


def test_the_best_at_a_rank_is_unknown_where_none_is_likelier() -> None:
    found = posterior(np.concatenate([logits(great=3.0, japan=2.0), logits()]), ALL, SETTINGS)
    answers = best_of(found, ALL, Rank.GENUS)
    assert [each and each.taxon.scientific_name for each in answers.of_rows] == ["Parus", None]
    assert answers.probabilities[1] == found.unknown[1]


def test_no_rows_have_no_answers() -> None:
    found = posterior(np.empty((0, len(ALL)), np.float32), ALL, SETTINGS)
    assert backed_off(found, ALL, SETTINGS).of_rows == []


def test_a_higher_bar_names_no_more_species() -> None:
    rows = np.random.default_rng(2).normal(0, 3, (200, len(ALL))).astype(np.float32)
    found = posterior(rows, ALL, SETTINGS)
    named = []
    for least in (0.5, 0.7, 0.9):
        strict = replace(SETTINGS, sure=least)
        given = backed_off(found, ALL, strict).of_rows
        named.append({row for row, each in enumerate(given) if each and each.taxon.rank == Rank.SPECIES})
    assert named[0] > named[1] > named[2]


@pytest.mark.parametrize("modality", MEDIA)
def test_settings_ship(modality: str) -> None:
    settings = back_off_of(modality)
    assert settings.temperature > 0
    assert 0.5 <= settings.sure < 1
