"""What ``biovita train`` shows before it trains."""

from __future__ import annotations

import json

import pytest

from biovita.cli import main
from biovita.training import RECIPES


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def test_the_list_names_every_recipe_and_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    assert all(len(line.split()) > 5 for line in lines)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_is_printed_with_every_setting_as_it_would_be_trained(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", name, "--print", "--set", "seed=7") == 0
    assert json.loads(capsys.readouterr().out) == {**RECIPES[name]().model_dump(mode="json"), "seed": 7}


def test_what_is_missing_or_unknown_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train") == 1
    assert "Name a recipe: starter/stage0" in capsys.readouterr().err
    assert run("train", "paper/stage1") == 1
    assert "needs --data DATASET and --out MODEL" in capsys.readouterr().err
    assert run("train", "paper/stage1", "--print", "--set", "seed") == 1
    assert "--set seed: write it as name=value" in capsys.readouterr().err
    assert run("train", "paper/stage1", "--print", "--set", "phases.atc.epoch=3") == 1
    assert "Did you mean 'phases.atc.epochs'" in capsys.readouterr().err
