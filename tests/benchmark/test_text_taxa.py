"""What a benchmark states of the taxa of its texts serves a model that knows of taxa, where no dataset is at hand."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from biovita.benchmark.evaluation import evaluate
from biovita.benchmark.from_split import benchmark_from_split
from biovita.benchmark.item_vectors import taxa_of_texts
from biovita.benchmark.layout import write_benchmark
from biovita.benchmark.reader import read_benchmark
from biovita.benchmark.task import Benchmark
from biovita.dataset import Dataset
from biovita.embedding import embed
from biovita.modality import Modality
from biovita.model import Model, load_model, write_model
from biovita.model.formats.projections import aligned_model
from biovita.model.knowledge import Knowledge, Pull
from biovita.model.landmarks import Landmarks
from biovita.model.projection import Projection
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.known_taxa import KnownTaxa
from biovita.taxonomy.taxon_features import FEATURES, feature_count
from support.plain_model import know, plain_towers
from support.tiny_training import write_tiny

TEXT = Modality.TEXT


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Return eight species, the last four held out, with vectors of the model ``plain``."""
    know("plain", plain_towers(), monkeypatch.setitem)
    made = write_tiny(tmp_path / "d", species=8, unseen=4)
    embed(made, model="plain", progress=False)
    return made


@pytest.fixture
def model(dataset: Dataset, tmp_path: Path) -> Path:
    """Return a model, untrained, that has met the first four of these species."""
    torch.manual_seed(0)
    count = feature_count(FEATURES)
    projections = {
        modality: Projection(3 + count, 6, count) if modality == TEXT else Projection(3, 6)
        for modality in Modality
    }
    places = np.random.default_rng(0).standard_normal((8, 6))
    places = (places / np.linalg.norm(places, axis=1)[:, None]).astype(np.float16)
    met = tuple(dataset.taxonomy[f"t{number}"] for number in range(4))
    landmarks = Landmarks(met, 4, {}, places[:4], places[4:])
    knowledge = Knowledge(FEATURES, Pull(0.6, 0.6, 1.0), landmarks)
    made = aligned_model("taxa", load_model("plain"), projections, knowledge=knowledge)
    return write_model(made, tmp_path / "model")


def test_the_same_run_with_and_without_the_dataset_gives_the_same_scores(
    dataset: Dataset, model: Path, tmp_path: Path
) -> None:
    written = write_benchmark(benchmark_from_split(dataset), tmp_path / "b", layout="published", media="copy")
    with_dataset = evaluate(benchmark_from_split(dataset), str(model), tmp_path / "run", progress=False)
    shutil.move(written, tmp_path / "elsewhere")
    alone = read_benchmark(tmp_path / "elsewhere")
    assert alone.dataset is None
    without = evaluate(alone, str(model), tmp_path / "second", progress=False)
    assert (tmp_path / "second" / "vectors").is_dir()
    theirs, ours = without.vectors[TEXT], with_dataset.vectors[TEXT]
    assert set(theirs.ids) <= set(ours.ids)
    assert len(theirs.ids) > 4
    np.testing.assert_allclose(theirs.array, [ours[text] for text in theirs.ids], atol=1e-5)
    keys = ("part", "direction", "level", "k", "accuracy")
    assert [[getattr(row, key) for key in keys] for row in without.rows] == [
        [getattr(row, key) for key in keys] for row in with_dataset.rows
    ]


def test_what_the_benchmark_states_moves_the_texts(
    dataset: Dataset, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_benchmark(benchmark_from_split(dataset), tmp_path / "b", layout="published", media="copy")
    shutil.move(written, tmp_path / "elsewhere")
    alone = read_benchmark(tmp_path / "elsewhere")
    known = evaluate(alone, str(model), tmp_path / "run", progress=False).vectors[TEXT]
    knowing: Callable[[Model, KnownTaxa], Model] = lambda opened, book: opened  # noqa: E731 - it stands for a method
    monkeypatch.setattr(Model, "knowing", knowing)
    bare = evaluate(alone, str(model), tmp_path / "run2", progress=False).vectors[TEXT]
    assert "Genus3 species7" in bare.ids
    assert np.abs(known["Genus3 species7"] - bare["Genus3 species7"]).max() > 0.01


def test_taxa_are_read_from_species_genus_and_family_rows(dataset: Dataset) -> None:
    found = taxa_of_texts(benchmark_from_split(dataset))
    assert found.find("genus3 SPECIES7") == Taxon(
        "genus3_species7", "Genus3 species7", "Bird 7", class_="Aves", family="F", genus="Genus3"
    )
    assert found.find("Bird 7") == found.find("Genus3 species7")
    genus = found.find("Genus3")
    assert genus is not None
    assert (genus.rank, genus.family, genus.class_) == (Rank.GENUS, "F", "Aves")
    family = found.find("F")
    assert family is not None
    assert (family.rank, family.class_) == (Rank.FAMILY, "Aves")
    assert not found.traits


def test_other_names_that_a_benchmark_states_are_synonyms(dataset: Dataset) -> None:
    plain = benchmark_from_split(dataset)
    fields: dict[str, Any] = {name: getattr(plain, name) for name in ("items", "tasks", "made", "root")}
    names = {"Genus3 species7": ["Vetus nomen"], "Not here": ["Nova nova"]}
    found = taxa_of_texts(Benchmark(**fields, other_names=names))
    taxon = found.find("Vetus nomen")
    assert taxon is not None
    assert taxon.scientific_name == "Genus3 species7"
    assert found.find("Nova nova") is None
