"""Recipes are typed values; a wrong setting names the field and the nearest one."""

from __future__ import annotations

import pytest

from biovita.errors import BiovitaError
from biovita.training import RECIPES, TowersRecipe, recipe


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_bears_its_name(name: str) -> None:
    assert recipe(name).name == name


def test_lists_are_given_in_json() -> None:
    changed = recipe("paper/stage2", {"phases.full.betas": "[0.8, 0.9]"}, TowersRecipe)
    assert changed.phases["full"].betas == (0.8, 0.9)


def test_settings_are_converted_and_may_be_nested() -> None:
    changed = recipe("starter/stage2", {"steps": "7", "weights.aic": "0.25", "positives": "item"})
    assert (changed.steps, changed.weights.aic, changed.positives) == (7, 0.25, "item")
    assert changed.weights.atc == recipe("starter/stage2").weights.atc


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("starter/stage3", {}, "unknown recipe 'starter/stage3'. Did you mean 'starter/stage"),
        ("starter/stage1", {"step": 3}, "unknown setting 'step'. Did you mean 'steps'"),
        ("starter/stage1", {"weights.acc": 3}, "unknown setting 'weights.acc'. Did you mean 'weights."),
        ("starter/stage1", {"steps": "many"}, "steps = 'many'"),
        ("starter/stage1", {"weights.aic": -1}, "weights.aic = -1"),
        ("starter/stage1", {"weights": 3}, "weights = 3"),
        ("scratch/stage0", {"phases.itc.aic.to": 0.1}, "stage 0 has no recordings.*gate to none in itc"),
        ("paper/stage1", {"phases.atc.aic.to": 0.5}, "stage 1 has no photographs.*image to none in atc"),
        (
            "paper/stage2",
            {"phases.full.text_ends": '{"learning_rate": 1, "weight_decay": 0}'},
            "part of text. Set text or text_ends, not both",
        ),
        ("paper/stage1", {"phases.atc.atc.to": 0}, "phases.atc: .*all 0, so there is no loss to train by"),
        (
            "paper/stage1",
            {"phases.atc.audio": "none", "phases.atc.adapter": "none"},
            "no part of the towers is",
        ),
        (
            "paper/stage1",
            {"phases.atc.adapter.from_step": 3, "phases.atc.audio": "none"},
            "from the first step on",
        ),
        ("paper/stage1", {"augment.noise_db": "nan"}, "augment.noise_db = 'nan': .*finite"),
        ("paper/stage1", {"phases": "{}"}, "phases.*at least 1 item"),
        ("paper/stage1", {"stage": 2}, "stage is fixed by the recipe"),
        ("starter/stage0", {"weights.names": 0}, "weights: all weights are 0"),
        ("starter/stage1", {"seed": 10**23}, "seed = .*less than"),
        (
            "paper/stage2",
            {"phases.warmup.text.learning_rate": 1},
            r"because phases\.warmup\.text is none.*warmup\.text=\{",
        ),
    ],
)
def test_what_does_not_fit_is_named(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(BiovitaError, match=message.replace("(", r"\(")):
        recipe(name, settings)
