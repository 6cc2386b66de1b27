"""Trained towers that know what their texts' taxa are: lineage and traits beside the words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from biovita.dataset import Dataset, write_table
from biovita.dataset.schema import TRAITS
from biovita.embedding import vectors
from biovita.errors import BiovitaError, ModelError
from biovita.modality import Modality
from biovita.model import describe, load_model, write_model
from biovita.model.formats.own import Own
from biovita.model.repository import place_of
from biovita.taxonomy import Taxon
from biovita.taxonomy.taxon_features import taxon_features
from biovita.training import TowersRecipe, recipe
from biovita.training.hidden_facts import with_hidden
from biovita.training.towers.batches import TrainingBatch
from biovita.training.towers.frozen_vectors import FrozenVectors
from biovita.training.towers.networks import Networks, starting_model
from biovita.training.towers.objective import Objective
from biovita.training.towers.sampling import Epoch
from biovita.training.towers.taxon_knowledge import facts_of_species, taxon_knowledge
from biovita.training.towers.training_items import training_items
from biovita.trait_labels import LABELS
from support.commands import run_command
from support.forked import call
from support.reopened import text_vectors_of
from support.small_runs import losses, run_tiny, tiny_recipe, without_chance
from support.tiny_training import write_tiny

LINEAGE = {"text.features": ["lineage"], "phases.atc.adapter.learning_rate": 0.01}
NAMES = ["Genus0 species0", "Bird 3", "Aves O F Genus1 Genus1 species2", "Turdus merula", "a phrase of no taxon"]


def knowing(towers: Path, **settings: Any) -> TowersRecipe:
    return tiny_recipe(1, towers, **{**LINEAGE, "phases.atc.epochs": 2, **settings})


@pytest.fixture(scope="module")
def run(towers: Path, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six steps of stage 1 with the lineage, of which a part is hidden."""
    out = tmp_path_factory.mktemp("knowing") / "run"
    run_tiny(knowing(towers, **{"text.hidden": 0.3}), dataset, out)
    return out


def weight(model: Path) -> torch.Tensor:
    found: torch.Tensor = load_model(model, "cpu").projections[Modality.TEXT].linear.weight
    return found


@pytest.mark.slow
def test_the_first_step_is_the_published_one_and_the_next_are_not(
    towers: Path, dataset: Dataset, tmp_path: Path
) -> None:
    plain, known = (
        losses(run_tiny(knowing(towers, **{"text.features": features}), dataset, tmp_path / str(len(features))))
        for features in ([], ["lineage", "traits"])
    )
    assert known[0] == plain[0]
    assert known[1] != plain[1]
    assert known[-1] < plain[-1], "lineage tells the species apart that the frozen words do not"
    assert describe(tmp_path / "0" / "last").features == ()
    assert load_model(tmp_path / "0" / "last", "cpu").knowledge is None


@pytest.mark.slow
def test_pieces_of_uncached_towers_and_hidden_lineage(towers: Path, dataset: Dataset, tmp_path: Path) -> None:
    ways: dict[str, dict[str, Any]] = {
        "whole": {},
        "pieces": {"chunk": 4, "cached": False},
        "hidden": {"text.hidden": 0.9},
    }
    with pytest.MonkeyPatch.context() as patch:
        without_chance(patch.setattr)
        runs = {
            name: losses(run_tiny(knowing(towers, **settings), dataset, tmp_path / name))
            for name, settings in ways.items()
        }
    assert runs["pieces"] == pytest.approx(runs["whole"], abs=2e-5)
    assert runs["hidden"][0] == runs["whole"][0], "the map starts at zero"
    assert runs["hidden"][-1] > runs["whole"][-1] + 1e-3


@pytest.mark.slow
def test_a_stopped_run_ends_as_one_that_was_not(towers: Path, dataset: Dataset, run: Path, tmp_path: Path) -> None:
    chosen = knowing(towers, checkpoint_steps=2, **{"text.hidden": 0.3})
    for steps in (3, 5, None):
        run_tiny(chosen, dataset, tmp_path / "parts", stop_after=steps)
    for file in ("model.safetensors", "landmarks.parquet"):
        assert (tmp_path / "parts" / "last" / file).read_bytes() == (run / "last" / file).read_bytes()


@pytest.mark.slow
def test_a_new_process_gives_the_vectors_that_are_the_words_and_the_mapped_facts(
    dataset: Dataset, run: Path
) -> None:
    found = call(text_vectors_of, run / "last", NAMES)

    model = load_model(run / "last", "cpu")
    tower = model.towers[Modality.TEXT]
    words = tower.encode([tower.load(name) for name in NAMES])
    taxa = [Taxon("", "", None, class_="Aves", order="O", family="F", genus=f"Genus{n}") for n in (0, 1, 1)]
    bird = Taxon("", "", None, class_="Aves", order="Passeriformes", family="Turdidae", genus="Turdus")
    facts = taxon_features([*((taxon, {}) for taxon in (*taxa, bird)), None], ["lineage"])
    wanted = words + np.nan_to_num(facts) @ weight(run / "last").numpy().T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert found == pytest.approx(wanted, abs=1e-5)
    assert found[-1] == pytest.approx(words[-1] / np.linalg.norm(words[-1]), abs=1e-5), "nothing is known of it"
    assert np.abs(found[:-1] - words[:-1] / np.linalg.norm(words[:-1], axis=1, keepdims=True)).max() > 0.01

    of_dataset = vectors(dataset, run / "last", Modality.TEXT, ids=NAMES, device="cpu")
    assert of_dataset.array == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_layouts_keep_the_map_or_refuse_it(run: Path, tmp_path: Path) -> None:
    model = load_model(run / "last", "cpu")
    assert describe(run / "last").features == ("lineage",)
    shown = run_command("models", "describe", run / "last")
    assert "  knows    Of a name: its words and its lineage.\n" in shown.out
    with pytest.raises(ModelError, match=r"adds what is known of a taxon .* Write it with --layout own"):
        write_model(model, tmp_path / "published", layout="published")
    copy = write_model(model, tmp_path / "copy", layout="own")
    assert np.array_equal(load_model(copy, "cpu").embed_texts(NAMES), model.embed_texts(NAMES))
    (copy / "landmarks.parquet").rename(tmp_path / "landmarks.parquet")
    with pytest.raises(ModelError, match=r"is not a complete model directory\. It has no landmarks\.parquet"):
        load_model(copy, "cpu")
    (tmp_path / "landmarks.parquet").rename(copy / "landmarks.parquet")
    config = json.loads((copy / "config.json").read_text())
    for facts, wrong in (
        ({**config["facts"], "features": ["lineage", "traits"]}, r"text_facts\.weight has the shape \(48, 256\)"),
        ({**config["facts"], "features": ["plumage"]}, r"facts\.features\.0: "),
        ({**config["facts"], "features": []}, r"facts\.features: "),
        (None, r"format 2 needs facts"),
    ):
        (copy / "config.json").write_text(json.dumps({**config, "facts": facts}))
        with pytest.raises(ModelError, match=wrong):
            load_model(copy, "cpu")


@pytest.mark.slow
def test_a_hub_is_asked_for_all_that_the_model_has(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"config.json"}  # which describing a model fetches

    def fetched(_repository: str, file: str, _revision: str, *, local: bool = False, **_: Any) -> Path | None:
        if not local:
            asked.add(file)
        return None if local else run / "last" / file

    monkeypatch.setattr("biovita.model.repository.hub_file", fetched)
    place_of("hf-hub:some/towers@" + 40 * "a", Own())
    written = {file.name for file in (run / "last").iterdir() if not file.name.startswith(".")}
    assert {"met.parquet", "landmarks.parquet"} < written <= asked


@pytest.mark.slow
def test_a_start_goes_on_with_its_map_and_other_features_are_refused(
    towers: Path, dataset: Dataset, run: Path, tmp_path: Path
) -> None:
    begin = run / "last"
    two = tiny_recipe(2, towers, **{"text.features": ["lineage"]})
    run_tiny(two, dataset, tmp_path / "two", start=begin)
    before, after = weight(begin), weight(tmp_path / "two" / "last")
    assert not torch.equal(after, before)
    assert (after - before).abs().max() < 0.01, "it did not begin at zero again"
    assert before.abs().max() > 0.02
    with pytest.raises(ModelError, match=r"Train with --set 'text\.features=\[\"lineage\"\]'"):
        run_tiny(tiny_recipe(2, towers), dataset, tmp_path / "none", start=begin)


@pytest.mark.slow
def test_validation_scores_the_model_that_is_written(towers: Path, tmp_path: Path) -> None:
    dataset = write_tiny(tmp_path / "data", unseen=2)
    seen: dict[bool, Any] = {}
    for cached in (True, False):
        log = run_tiny(knowing(towers, cached=cached, validate_epochs=2), dataset, tmp_path / str(cached))
        seen[cached] = [line["unseen"] for line in log if line["kind"] == "validation"]
    assert seen[True]
    assert seen[True] == seen[False]


@pytest.mark.slow
def test_labels_are_those_of_the_dataset_and_a_text_of_two_species_is_two_texts(
    towers: Path, tmp_path: Path
) -> None:
    dataset = write_tiny(tmp_path / "data", species=2, each=2)
    said = [("t0", LABELS[0], True), ("t1", LABELS[0], False), ("t1", LABELS[33], True)]
    rows = [{"taxon_id": t, "label": label, "value": value, "source": "me"} for t, label, value in said]
    write_table(pa.Table.from_pylist(rows, schema=TRAITS), dataset.path / "traits.parquet")
    items = training_items(Dataset.open(dataset.path))
    knowledge = taxon_knowledge(items, ("traits",))
    facts = facts_of_species(items, knowledge)
    assert knowledge is not None
    assert facts is not None
    assert facts.nonzero().tolist() == [[0, 0], [1, 0], [1, 33]]
    assert facts[facts != 0].tolist() == [1, -1, 1]

    chosen = knowing(towers, **{"text.features": ["traits"], "cached": False})
    networks = Networks(starting_model(chosen, None, "cpu"), knowledge=knowledge)
    assert networks.facts is not None
    torch.nn.init.normal_(networks.facts.linear.weight, generator=torch.Generator().manual_seed(1))
    objective = Objective(chosen, networks, [["a bird"], ["a bird"]], FrozenVectors({}, None), None, facts)
    pairs = Epoch(np.array([0, 1, 0]), np.zeros(3, np.int64), {})
    entry = objective.inputs(TrainingBatch(pairs, {}), {"atc": 1.0})[Modality.TEXT]
    assert entry.embed is not None
    found = entry.of_pairs(entry.embed(entry.values))
    token = torch.from_numpy(networks.text.load("a bird"))[None]
    wanted = networks.text.forward(token) + facts[[0, 1, 0]] @ networks.facts.linear.weight.T
    torch.testing.assert_close(found, wanted / wanted.norm(dim=1, keepdim=True))
    assert len(entry.values) == 2
    assert not torch.allclose(found[0], found[1])


def test_features_need_a_phase_that_trains_the_adapter(towers: Path) -> None:
    with pytest.raises(BiovitaError, match=r"text\.features are trained with the adapter, and no phase trains it"):
        recipe("scratch/stage0", {"model": str(towers), "text.features": ["lineage"]}, TowersRecipe)


def test_each_block_is_hidden_for_itself_and_the_words_never() -> None:
    x = torch.ones(1000, 5 + 4 * 64 + 34)
    shown = with_hidden(x, ("lineage", "traits"), 0.25, torch.Generator().manual_seed(3))
    assert bool((shown[:, :5] == 1).all())
    blocks = [shown[:, 5 + 64 * n : 5 + 64 * (n + 1)] for n in range(5)]
    assert all(bool((block == block[:, :1]).all()) for block in blocks)
    assert [float(1 - block.mean()) for block in blocks] == pytest.approx([0.25] * 5, abs=0.05)
    assert len({tuple(block[:, 0].tolist()) for block in blocks}) == 5
    assert with_hidden(x, ("lineage",), 0.0, torch.Generator()) is x
