"""A model's record may bring the penalty of seen taxa, and who scores it may give another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from biovita.benchmark import benchmark_from_split, score_benchmark
from biovita.benchmark.evaluation import evaluate
from biovita.benchmark.scored_models import open_model, seen_penalty_of
from biovita.dataset import Dataset, split_dataset
from biovita.errors import BiovitaError, ModelError
from biovita.modality import Modality
from biovita.model import load_model
from biovita.model.describe import describe, write_model
from biovita.model.formats.projections import aligned_model
from support.bench_cases import restated, write_small
from support.plain_model import know, plain_towers


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    made = write_small(tmp_path / "d", taxa=10, per_species=2)
    rng = np.random.default_rng(0)
    for row in made.audio.to_pylist():
        soundfile.write(made.path / row["path"], rng.normal(0, 0.1, 8000), 8000)
    for row in made.images.to_pylist():
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).save(made.path / row["path"])
    split_dataset(restated(made), unseen=5, seed=1)
    return Dataset.open(made.path)


@pytest.fixture
def model(monkeypatch):
    """A model of projections of plain towers, whose record brings a penalty."""
    from biovita.model.projection import Projection

    know("plain", plain_towers(), monkeypatch.setitem)
    projections = {modality: Projection(3, 2) for modality in Modality}
    return aligned_model("mine", load_model("plain"), projections, 1.0, {"seen_penalty": 0.4})


@pytest.mark.slow
def test_the_record_brings_it_and_the_caller_overrides_it(dataset, model, tmp_path):
    path = write_model(model, tmp_path / "model")
    assert describe(path).record["seen_penalty"] == 0.4
    benchmark = benchmark_from_split(dataset, candidates="all")

    def run(what, **options):
        return evaluate(benchmark, what, tmp_path / "run", progress=False, **options)

    by_record = run(path)
    assert by_record.made["seen penalty"] == 0.4
    expected = score_benchmark(benchmark, by_record.vectors, seen_penalty=0.4).rows(by_record.name)
    assert by_record.rows == expected
    assert run(model, name=by_record.name).rows == expected
    plain = run(path, seen_penalty=0.0)
    assert "seen penalty" not in plain.made
    assert plain.rows == score_benchmark(benchmark, plain.vectors).rows(by_record.name) != expected
    assert run(path, seen_penalty=0.1).made["seen penalty"] == 0.1


def test_a_penalty_that_cannot_be_is_refused_before_anything_is_embedded(dataset, tmp_path):
    class Deaf:
        def embed_audio(self, items):
            raise AssertionError("it was asked to embed")

        embed_images = embed_audio

    with pytest.raises(BiovitaError, match="seen_penalty is 3"):
        evaluate(benchmark_from_split(dataset), Deaf(), tmp_path / "run", progress=False, seen_penalty=3)


def test_a_record_that_says_something_else_is_refused(model):
    assert seen_penalty_of(model) == 0.4
    for found in ("0.4", None, True, [0.4]):
        with pytest.raises(ModelError, match=r"mine: record\.seen_penalty is .*has to be a number"):
            seen_penalty_of(replace(model, record={"seen_penalty": found}))


def test_models_without_one_have_none(model):
    assert seen_penalty_of(replace(model, record={})) == 0.0
    assert seen_penalty_of(open_model("random:4")) == 0.0
    assert seen_penalty_of(object()) == 0.0
