"""What the demo does with data of the user's: it changes no split, and replaces nothing that no demo made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import biovita.demo
import biovita.report.page
from biovita.benchmark import Benchmark, benchmark_from_split
from biovita.benchmark.headlines import headline_words
from biovita.dataset import Dataset, split_dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.schema import taxa_table
from biovita.demo import demo
from biovita.embedding import Vectors
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.taxonomy import Taxon
from support.bench_cases import class_vectors, with_few_draws, write_small
from support.commands import run_command


def content(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def birds(tmp_path: Path) -> Dataset:
    """Return twelve species without media: nothing here decodes any."""
    return write_small(tmp_path / "birds", taxa=12, per_species=2)


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo score vectors that are at hand, in place of embedding and training."""
    stage = SimpleNamespace(met=None, towers={}, record={})
    trained = SimpleNamespace(models=dict.fromkeys((0, 1, 2), stage), losses={"stage 2": [1.0]})
    made: dict[Modality, Vectors] = {}

    def score(dataset: Dataset, benchmark: Benchmark, *_: Any, **more: Any) -> Any:
        made.update(class_vectors(benchmark, dataset, noise=0.5))
        return scored(dataset, benchmark, {2: stage}, **more)

    scored = biovita.demo._score
    monkeypatch.setattr(biovita.demo, "embed", lambda *_, **__: SimpleNamespace(parts=(), failed=()))
    monkeypatch.setattr(biovita.demo, "_train", lambda *_, **__: trained)
    monkeypatch.setattr(biovita.demo, "write_model", lambda *_, **__: None)
    monkeypatch.setattr(biovita.demo, "vectors", lambda _, __, modality: made[modality])
    monkeypatch.setattr(biovita.demo, "_score", score)
    monkeypatch.setattr(biovita.report.page, "render", lambda *_: "")
    with_few_draws(monkeypatch)


def told(**arguments: Any) -> tuple[biovita.demo.DemoResult, Mapping[str, str], list[str]]:
    """Run the demo; return its result, what each stage said, and the notes."""
    lines: list[tuple[str, str]] = []
    result = demo(**arguments, progress=False, say=lambda stage, text: lines.append((stage, text)))
    return result, dict(lines), [text for stage, text in lines if not stage]


@pytest.mark.usefixtures("without_training")
def test_a_dataset_keeps_its_split_and_every_other_file(birds: Dataset, tmp_path: Path) -> None:
    split_dataset(birds, unseen=5, seed=7)
    before = content(birds.path)
    result, said, _ = told(data=birds.path, out=tmp_path / "out", seed=3, unseen=5)
    assert content(birds.path) == before
    assert said["split"].startswith("the dataset's own, which stays as it is: 5 species held out whole (seed 7)")
    written = json.loads(result.results.read_text(encoding="utf-8"))
    assert written["dataset"]["split"]["unseen_species"] == 5
    words = [row["words"] for row in written["headlines"] if (row["stage"], row["k"]) == (2, 1)]
    assert words == [headline_words(result.headlines[2, 1])]
    assert words[0] in said["bench"]


def test_a_dataset_without_a_split_is_refused_with_a_command_that_works(birds: Dataset, tmp_path: Path) -> None:
    before = content(birds.path)
    refused = run_command("demo", "--data", birds.path, "--out", tmp_path / "out")
    assert refused.code == 1
    assert content(birds.path) == before
    assert not (tmp_path / "out").exists()
    command = " ".join(refused.err.split()).partition("Split it first: biovita ")[2]
    assert run_command(*command.split()).code == 0
    assert Dataset.open(birds.path).info["split"]["unseen_species"] == 2


def test_another_number_of_unseen_species_is_refused(birds: Dataset, tmp_path: Path) -> None:
    split_dataset(birds, unseen=5, seed=7)
    before = content(birds.path)
    with pytest.raises(
        DatasetError, match=r"5 species held out whole, and demo does not change that.*--unseen 3 "
    ):
        demo(birds.path, tmp_path / "out", unseen=3, progress=False)
    assert content(birds.path) == before


@pytest.mark.parametrize("name", ["dataset", "model"])
def test_what_no_demo_made_is_not_replaced(birds: Dataset, tmp_path: Path, name: str) -> None:
    split_dataset(birds, unseen=5, seed=7)
    mine = tmp_path / "project" / name
    mine.mkdir(parents=True)
    (mine / "mine.txt").write_text("years of work", encoding="utf-8")
    for data in (None, birds.path, tmp_path):
        with pytest.raises(DatasetError, match=f"{name} is there and no demo made it.*--out"):
            demo(data, tmp_path / "project", progress=False)
    assert content(mine) == {"mine.txt": hashlib.sha256(b"years of work").hexdigest()}


@pytest.mark.usefixtures("without_training")
def test_names_alone_cost_no_direction_and_are_noted(birds: Dataset, tmp_path: Path) -> None:
    bare = [Taxon(t.id, t.scientific_name, rank=t.rank) for t in birds.taxonomy.values()]
    replace_tables(birds, {"taxa": taxa_table(bare)}, {})
    split_dataset(birds.path, unseen=5, seed=7)
    result, said, notes = told(data=birds.path, out=tmp_path / "out")
    assert len(result.headlines[2, 1].directions) == 6
    assert "unseen species, mean of six directions: Top-1 " in said["bench"]
    assert notes[0].startswith("the text 'tax_com' is shorter for species of which no whole lineage")
    assert notes[-1].startswith("Only 5 candidates: hold out more species")


@pytest.mark.usefixtures("without_training")
def test_a_split_that_holds_out_no_species_has_a_headline_of_its_seen_part(birds: Dataset, tmp_path: Path) -> None:
    split_dataset(birds, unseen=0, held_out=0.5)
    result, said, _ = told(data=birds.path, out=tmp_path / "out")
    assert said["bench"].startswith("seen species, mean of six directions")
    assert {found.part for found in result.headlines.values()} == {"seen"}


@pytest.mark.usefixtures("without_training")
def test_a_split_that_leaves_nothing_to_ask_is_an_error_before_anything_is_embedded(
    birds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split_dataset(birds, unseen=0, held_out=0)
    monkeypatch.setattr(biovita.demo, "embed", lambda *_, **__: pytest.fail("embedded"))
    with pytest.raises(DatasetError, match="has no held-out items"):
        demo(birds.path, tmp_path / "out", progress=False)
    with pytest.raises(DatasetError, match="unknown text 'foo'"):
        demo(birds.path, tmp_path / "out", text="foo", progress=False)


def test_an_untrained_model_of_two_species_is_cautioned(tmp_path: Path) -> None:
    dataset = write_small(tmp_path / "two", taxa=4, per_species=2)
    split_dataset(dataset, unseen=2, seed=0)
    benchmark = benchmark_from_split(dataset)
    assert {int(np.max(t.candidate_counts)) for t in benchmark.tasks if t.part == "unseen"} <= {2}
    done = run_command("bench", "run", dataset.path, "--model", "random:8")
    assert "cannot be told from chance, which is 50.0%" in done.out
    assert "Only 2 candidates and" in done.out
