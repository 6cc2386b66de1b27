"""The README's steps, from a folder to a score: in the shell from anywhere, and in Python, with the same results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import biovita
from support.folders import make_folder
from support.shell import Shell

SPECIES = {
    f"{genus} {epithet}": (f"{epithet} {genus.lower()}", "Aves", "Passeriformes", family, genus)
    for family, genus in (("Corvidae", "Pica"), ("Turdidae", "Turdus"), ("Paridae", "Parus"), ("Laridae", "Larus"))
    for epithet in ("alba", "nigra")
}
UNSEEN = 3
SETTINGS = {"steps": 4, "weights.names": 0}  # the names that BirdNET knows would take a minute to encode
README = Path(__file__).parents[1] / "README.md"


def in_the_shell(folder: Path, root: Path) -> Path:
    birds, first, second, bench = (root / name for name in ("birds", "run1", "run2", "birds-bench"))
    shell = Shell(root)
    changes = [f"{name}={value}" for name, value in SETTINGS.items()]
    assert shell.run("data", "import", "folder", folder, "--out", birds)["audio"] == 3 * len(SPECIES)
    assert shell.run("data", "show", birds)["taxa"] == len(SPECIES)
    assert shell.run("data", "split", birds, "--unseen", str(UNSEEN), "--seed", "0")["unseen_species"] == UNSEEN
    parts = shell.run("embed", birds, "--model", "starter", "--device", "cpu")["parts"]
    assert [(part["kept"], part["failed"]) for part in parts] == [(0, [])] * 3
    on = ("--data", birds, "--device", "cpu")
    shell.run("train", "starter/stage1", *on, "--out", first, "--set", *changes)
    shell.run("train", "starter/stage2", *on, "--start", first, "--out", second, "--set", *changes)
    shell.run("bench", "build", birds, "--out", bench)
    results = shell.run("bench", "run", bench, "--model", second, "--name", "run2", "--device", "cpu")
    where = bench / "runs" / "run2"
    assert results == json.loads((where / "results.json").read_text(encoding="utf-8"))
    assert shell.steps == 8
    return where


def in_python(folder: Path, root: Path) -> Path:
    birds, first, second, bench = (root / name for name in ("birds", "run1", "run2", "birds-bench"))
    report = biovita.import_folder(folder, out=birds, progress=False)
    assert (report.audio, report.taxa) == (3 * len(SPECIES), len(SPECIES))
    assert len(biovita.split_dataset(birds, unseen=UNSEEN, seed=0).unseen) == UNSEEN
    assert not biovita.embed(birds, model="starter", device="cpu", progress=False).failed
    quiet: dict[str, Any] = {"data": birds, "settings": SETTINGS, "device": "cpu", "progress": False}
    biovita.train("starter/stage1", **quiet, out=first)
    trained = biovita.train("starter/stage2", **quiet, start=first, out=second)
    assert trained.model == second
    built = biovita.build_benchmark(birds, out=bench)
    run = biovita.run_benchmark(built.path, model=second, name="run2", device="cpu", progress=False)
    assert run.rows
    assert not run.failed
    return run.paths.results.parent


def of_vectors(root: Path) -> dict[str, np.ndarray]:
    """Return what the trained model makes of the dataset, as it is kept."""
    birds = biovita.Dataset.open(root / "birds")
    return {
        modality: biovita.vectors(birds, root / "run2", modality, compute=False, device="cpu").array
        for modality in biovita.Modality
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_steps_of_the_readme_in_the_shell_and_in_python(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "my-folder", 3, SPECIES)
    ways: tuple[Callable[[Path, Path], Path], ...] = (in_the_shell, in_python)
    roots = [tmp_path / way.__name__ for way in ways]
    runs = [way(folder, root) for way, root in zip(ways, roots, strict=True)]
    opened = [biovita.Dataset.open(root / "birds") for root in roots]
    assert opened[0].info == opened[1].info
    for name in ("taxa", "audio", "images", "rejected"):
        assert opened[0].table(name).equals(opened[1].table(name)), name
    one, other = map(of_vectors, roots)
    for modality in one:
        np.testing.assert_array_equal(one[modality], other[modality])
    texts = [
        (run / "results.json").read_text(encoding="utf-8").replace(str(root), "ROOT")
        for run, root in zip(runs, roots, strict=True)
    ]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["scores"]
    assert (runs[0] / "scores.csv").read_bytes() == (runs[1] / "scores.csv").read_bytes()
    comparison = biovita.compare_runs(*runs)
    rows = [row for found in comparison.compared.values() for row in found]
    assert rows
    assert all(row.difference == 0 for row in rows)


def test_the_readme_still_has_these_steps() -> None:
    text = README.read_text(encoding="utf-8")
    steps = (
        *("data import folder my-folder --out birds", "data show birds", "data split birds --unseen"),
        *("embed birds --model starter", "train starter/stage1 --data birds --out run1"),
        *("train starter/stage2 --data birds --start run1 --out run2", "bench build birds --out birds-bench"),
        "bench run birds-bench --model run2",
    )
    places = [text.find(f"biovita {step}") for step in steps]
    assert all(place > 0 for place in places)
    assert places == sorted(places)
