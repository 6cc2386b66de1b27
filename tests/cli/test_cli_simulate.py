from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import biovita
from biovita.cli import main
from biovita.dataset import Dataset
from biovita.simulation import quiet
from support.folders import write_image

RATE = 16_000


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


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A dataset of two species, and beside it a folder of backgrounds."""
    folder = tmp_path / "clips"
    folder.mkdir()
    rows = []
    for number, name in enumerate(("Parus major", "Strix aluco")):
        time = np.arange(3 * RATE) / RATE
        tone = 0.3 * np.sin(2 * np.pi * (4000 - 3000 * number) * time) * ((time > 1) & (time < 2))
        soundfile.write(folder / f"{number}.wav", tone, RATE)
        rows.append(f"{number}.wav,{name},{name.split()[0]}")
    (folder / "audio.csv").write_text("\n".join(["file,scientific_name,genus", *rows]))
    write_image(folder / "tit.png")
    (folder / "images.csv").write_text("file,scientific_name,genus\ntit.png,Parus major,Parus\n")
    (tmp_path / "quiet").mkdir()
    for number in range(2):
        noise = 0.01 * np.random.default_rng(number).standard_normal(6 * RATE)
        soundfile.write(tmp_path / "quiet" / f"b{number}.flac", noise, RATE)
    return biovita.import_folder(folder, out=tmp_path / "birds", workers=1, progress=False).dataset


def test_simulate_soundscape(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["simulate", "soundscape", str(clips), "--backgrounds", str(tmp_path / "quiet"), "--any-background"]
    asked += [
        "--hours",
        "0.05",
        "--file-minutes",
        "2",
        "--events",
        "6",
        "--rate",
        str(RATE),
        "--snr-db",
        "5",
        "10",
    ]
    out = tmp_path / "out"
    assert run(*asked, "--out", str(out)) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "6 calls of 2 species in 2 recordings of 0.05 hours",
        "backgrounds: 2 used, 0 left out",
        str(out),
    ]
    with (out / "events.csv").open() as stream:
        ratios = [float(row["snr_db"]) for row in csv.DictReader(stream)]
    assert all(5 <= ratio <= 10 for ratio in ratios)
    only = (*asked, "--only", "Strix aluco", "--out", str(tmp_path / "owls"))
    assert run(*only, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["species"], said["events"]) == (["Strix aluco"], 6)
    assert run(*only, "--species", "1") == 1
    assert "not both" in capsys.readouterr().err


def test_backgrounds_are_listened_to(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = {"b0.flac": 0.1, "b1.flac": 0.6}
    monkeypatch.setattr(quiet, "birdnet_listener", lambda: lambda path: heard[path.name])
    asked = ["simulate", "soundscape", str(clips), "--backgrounds", str(tmp_path / "quiet"), "--hours", "0.01"]
    assert run(*asked, "--events", "2", "--rate", str(RATE), "--out", str(tmp_path / "out")) == 0
    shown = capsys.readouterr()
    assert "backgrounds: 1 used, 1 left out" in shown.out
    assert "soundscape.json says which backgrounds were left out" in shown.err
    used = json.loads((tmp_path / "out" / "soundscape.json").read_text())["backgrounds"]
    assert [each["file"] for each in used] == ["b0.flac"]
