"""Drawn pictures against the looks they are made from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from biovita.simulation import Fauna
from biovita.simulation.looks import PALETTE, PARTS
from biovita.simulation.pictures import SIDE, picture, silhouette
from biovita.simulation.seeds import stream


@pytest.fixture(scope="module")
def fauna() -> Fauna:
    return Fauna.grow(600, seed=2)


def _by_day(truth):
    return replace(truth.ecology, activities=("diurnal",), climates=("temperate",), social="solitary")


@pytest.mark.slow
def test_all_body_plans_occur_and_can_be_drawn(fauna):
    plans = {truth.looks.plan: truth for truth in fauna.species}
    assert set(plans) == set(PARTS)
    for truth in plans.values():
        image = picture(truth.looks, truth.ecology, stream(0, "test", truth.index))
        assert image.size == (SIDE, SIDE)
        assert image.mode == "RGB"
        assert np.asarray(image).std() > 8


def test_a_picture_is_the_same_again_and_another_individual_is_not(fauna):
    truth = fauna.species[5]
    one, same, other = (
        np.asarray(picture(truth.looks, truth.ecology, stream(0, "photograph", truth.index, number)))
        for number in (0, 0, 1)
    )
    assert np.array_equal(one, same)
    assert np.abs(one.astype(int) - other).mean() > 3


@pytest.mark.slow
def test_animals_are_in_the_picture(fauna):
    for truth in fauna.species[:25]:
        mask = silhouette(truth.looks, truth.ecology, stream(1, "photograph", truth.index, 0))
        assert 0.004 < mask.mean() < 0.6, truth.taxon
        middle = mask[:, SIDE // 8 : -SIDE // 8].sum() / mask.sum()
        assert middle > 0.5


@pytest.mark.slow
def test_larger_animals_fill_more_of_the_frame(fauna):
    birds = [truth for truth in fauna.species if truth.looks.plan == "bird"][:45]
    wide = []
    for truth in birds:
        mask = silhouette(truth.looks, _by_day(truth), stream(1, "photograph", truth.index, 0))
        columns = np.flatnonzero(mask.max(axis=0) > 0.5)
        rows = np.flatnonzero(mask.max(axis=1) > 0.5)
        wide.append(max(np.ptp(columns), np.ptp(rows)))
    assert np.corrcoef(wide, [truth.looks.frame for truth in birds])[0, 1] > 0.8


@pytest.mark.slow
def test_the_main_colour_is_the_bodys(fauna):
    """Of the colours that species of a picture's kind may have, its own is nearest to what is seen, mostly."""
    plain = [
        truth for truth in fauna.species if truth.looks.pattern == "plain" and truth.looks.plan in {"bird", "frog"}
    ]
    drawn, meant = [], []
    for truth in plain[:30]:
        rng, again = stream(4, "photograph", truth.index, 0), stream(4, "photograph", truth.index, 0)
        image = np.asarray(picture(truth.looks, _by_day(truth), rng), dtype=float)
        inside = silhouette(truth.looks, _by_day(truth), again) > 0.95
        drawn.append(np.median(image[inside], axis=0))
        meant.append(PALETTE[truth.looks.body].rgb)
    drawn, meant = np.array(drawn), np.array(meant)
    for channel in range(3):
        assert np.corrcoef(drawn[:, channel], meant[:, channel])[0, 1] > 0.8
    hue = np.array([[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]) / 3.0  # what is left without lightness
    own = np.linalg.norm((drawn - meant) @ hue, axis=1)
    others = np.linalg.norm((drawn - np.roll(meant, 7, axis=0)) @ hue, axis=1)
    assert np.median(own) < 0.5 * np.median(others)


def test_night_pictures_are_dark(fauna):
    truth = fauna.species[0]
    day, night = (
        np.asarray(picture(truth.looks, replace(_by_day(truth), activities=(activity,)), stream(0, "x"))).mean()
        for activity in ("diurnal", "nocturnal")
    )
    assert night < 0.6 * day
