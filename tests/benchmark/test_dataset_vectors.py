"""What `embed` keeps in a dataset is what a benchmark and trait probes read; what is missing is computed into it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image

import biovita.traits.known_labels
from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.evaluation import evaluate
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.trait_run import label_texts, score_traits
from biovita.dataset import Dataset, split_dataset, write_table
from biovita.dataset.schema import TRAITS
from biovita.embedding import embed, vectors
from biovita.modality import Modality
from biovita.model import load_model
from support.bench_cases import restated, write_small
from support.plain_model import know, plain_towers

RATE = 8000


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    made = write_small(tmp_path / "d", taxa=10, per_species=2)
    rng = np.random.default_rng(0)
    for row in made.audio.to_pylist():
        soundfile.write(made.path / row["path"], rng.normal(0, 0.1, RATE), RATE)
    for row in made.images.to_pylist():
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(made.path / row["path"])
    rows = [
        {"taxon_id": f"t{number}", "label": label, "value": number % 2 == 0, "source": "test"}
        for number in range(10)
        for label in ("nocturnal", "diurnal")
    ]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), made.path / "traits.parquet")
    split_dataset(restated(made), unseen=5, seed=1)
    return Dataset.open(made.path)


@pytest.fixture
def towers(monkeypatch):
    found = plain_towers()
    know("plain", found, monkeypatch.setitem)
    return found


def loaded(towers) -> Counter[str]:
    """Return what was loaded since the last call."""
    found = Counter(item for tower in towers.values() for item in tower.loaded)
    for tower in towers.values():
        tower.loaded.clear()
    return found


def test_a_run_reads_what_embed_made_and_computes_the_rest_into_the_dataset(dataset, towers, tmp_path):
    embed(dataset, model="plain", progress=False)
    loaded(towers)
    bench = read_benchmark(write_benchmark(benchmark_from_split(dataset), dataset.path / "bench" / "b"))
    result = evaluate(bench, "plain", tmp_path / "run", progress=False)
    assert loaded(towers) == dict.fromkeys(label_texts(dataset), 1), "texts that embed does not know"
    assert {score.method for score in result.predictions} <= {"zero-shot", "probe"}
    again = evaluate(bench, "plain", tmp_path / "run", progress=False)
    assert not loaded(towers)
    assert again.rows == result.rows
    assert not (tmp_path / "run").exists()
    found = {modality: vectors(dataset, "plain", modality, compute=False) for modality in Modality}
    assert score_benchmark(bench, found).rows("plain") == result.rows


def test_a_run_without_embed_computes_what_it_uses_and_embed_makes_no_more_of_it(dataset, towers, tmp_path):
    bench = benchmark_from_split(dataset)
    evaluate(bench, "plain", tmp_path / "run", progress=False)
    first = loaded(towers)
    assert set(first.values()) == {1}
    embed(dataset, model="plain", progress=False)
    second = loaded(towers)
    assert second
    assert not first.keys() & second.keys()


def test_a_model_in_memory_is_scored_as_its_name_is(dataset, towers, tmp_path):
    bench = benchmark_from_split(dataset)
    named = evaluate(bench, "plain", tmp_path / "run", progress=False)
    opened = evaluate(bench, load_model("plain"), tmp_path / "run", progress=False)
    assert opened.rows == named.rows
    assert opened.towers == named.towers
    assert [card.name for card in opened.towers] == ["plain-audio", "plain-image", "plain-text"]


def test_a_benchmark_with_its_own_media_keeps_vectors_beside_the_run(dataset, towers, tmp_path):
    made = benchmark_from_split(dataset)
    copied = read_benchmark(write_benchmark(made, tmp_path / "copied", media="copy"))
    result = evaluate(copied, "plain", tmp_path / "run", progress=False)
    loaded(towers)
    again = evaluate(copied, "plain", tmp_path / "run", progress=False)
    assert not loaded(towers)
    assert not (dataset.path / "embeddings").exists()
    here = evaluate(made, "plain", tmp_path / "other", progress=False)
    assert result.rows == again.rows == here.rows


def test_trait_probes_read_the_same_vectors(dataset, towers, monkeypatch):
    monkeypatch.setattr(biovita.traits.known_labels, "FEWEST", 1)
    embed(dataset, model="plain", progress=False)
    loaded(towers)
    scores = score_traits(dataset, "plain", progress=False)
    assert loaded(towers) == dict.fromkeys(label_texts(dataset), 1)
    assert {score.method for score in scores} == {"zero-shot", "probe"}
    assert score_traits(dataset, "plain", progress=False) == scores
    assert not loaded(towers)
    assert not any(score.leak for score in scores)
    assert [path.name for path in (dataset.path / "embeddings").iterdir()] == ["plain"]
