from __future__ import annotations

import json
from pathlib import Path

import pytest

from biovita.cli import main
from biovita.dataset import Dataset


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code


@pytest.mark.slow
def test_simulate_makes_a_dataset_and_says_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "fauna"
    few = ("--species", "2", "--recordings", "2", "--photographs", "2", "--workers", "1")
    assert run("simulate", *few, "--seed", "3", "--out", str(out), "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["dataset"] == str(out)
    assert report["made"]["seed"] == 3
    assert report["counts"] == Dataset.open(out).info["counts"]
    assert report["counts"]["taxa"] == 2

    assert run("simulate", *few, "--out", str(out)) == 1
    assert "already exists" in capsys.readouterr().err
    assert run("simulate", *few, "--out", str(out), "--overwrite") == 0
    assert "simulated 2 species" in capsys.readouterr().out


def test_simulate_embeddings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ("--species", "20", "--audio", "100", "--images", "120", "--dim", "16")
    assert run("simulate", "embeddings", *sizes, "--out", str(tmp_path / "vectors")) == 0
    assert "simulated 20 species: 100 recordings, 120 photographs" in capsys.readouterr().out
    tables = (tmp_path / "vectors" / "embeddings" / "simulated").glob("[!.]*")
    assert sorted(file.name for file in tables) == ["audio.lance", "image.lance", "text.lance"]


@pytest.mark.parametrize("arguments", [("--species", "0"), ("--seed", "-1"), ("embeddings", "--audio", "3")])
def test_numbers_out_of_range(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("simulate", *arguments, "--out", str(tmp_path / "out")) == 1
    assert "biovita: " in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
