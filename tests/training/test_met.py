"""What towers that are trained have met: recorded with both models of a run, and compared before a run goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import biovita
from biovita.benchmark.leak import Asked, check_met
from biovita.dataset import Dataset, split_dataset
from biovita.dataset.held_out import folded_names, unseen_taxa
from biovita.errors import ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.model.describe import met_of
from biovita.model.met import MET, Met, MetStage, joined, read_met, write_met
from biovita.taxonomy import Rank
from biovita.taxonomy.known_taxa import ENCODERS, known_taxa
from biovita.taxonomy.parse import fold
from biovita.training.projections.names_without_media import NamedClasses, kept_classes, names_of_classes
from support.small_runs import run_tiny, tiny_recipe
from support.tiny_training import write_tiny

AUDIO, IMAGE = Modality.AUDIO, Modality.IMAGE
REFUSED = r"has trained on .* unseen species .*--allow-leak"


@pytest.fixture
def birds(tmp_path: Path) -> Dataset:
    dataset = write_tiny(tmp_path / "birds", species=8, each=4)
    split_dataset(dataset, unseen=3, seed=0)
    return dataset


def keys(dataset: Dataset, modality: Modality, split: str) -> set[str]:
    rows = dataset.media(modality).filter(pc.field("split") == split)
    return {row["sha256"][:16] for row in rows.to_pylist()}


@pytest.mark.slow
def test_towers_say_what_they_met_in_each_stage_and_after_export(
    birds: Dataset, towers: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    settings = {"validate_epochs": 1, "validate_species": 4}
    run_tiny(tiny_recipe(1, towers, **settings), birds, first)
    names = folded_names(birds, [birds.taxonomy.find(n) for n in trained_names(birds)])
    for name in ("last", "best"):
        met = read_met(first / name)
        assert met is not None
        assert set(met.taxa.to_pylist()) == names
        assert set(met.media[AUDIO].to_pylist()) == keys(birds, AUDIO, "train")
        assert met.media[IMAGE].to_pylist() == [], "stage 1 has no photographs"
        record = json.loads((first / name / "config.json").read_text(encoding="utf-8"))["record"]
        assert record["met"]["counts"] == met.counts
        assert record["dataset"]["split_sha256"] == met.stages[0].split_sha256
    second = tmp_path / "second"
    run_tiny(tiny_recipe(2, towers), birds, second, start=first / "last")
    met = read_met(second / "last")
    assert met is not None
    assert [stage.recipe for stage in met.stages] == ["paper/stage1", "paper/stage2"]
    assert set(met.media[IMAGE].to_pylist()) == keys(birds, IMAGE, "train")
    moved = shutil.copytree(second / "last", tmp_path / "moved")
    own = biovita.save_model(second / "last", out=tmp_path / "own", layout="own")
    published = biovita.save_model(second / "last", out=tmp_path / "published", layout="published")
    again = biovita.save_model(published, out=tmp_path / "again", layout="own")
    split_dataset(birds, unseen=3, seed=1)
    for place in (second / "last", moved, own, published, again, load_model(published, "cpu")):
        found = met_of(place)
        assert found is not None
        assert found.table().equals(met.table())
        with pytest.raises(ModelError, match=REFUSED):
            biovita.run_benchmark(birds, model=place, out=tmp_path / "out", device="cpu", progress=False)
    with pytest.raises(ModelError, match=REFUSED):
        run_tiny(tiny_recipe(2, towers), birds, tmp_path / "third", start=first / "last")
    assert not (tmp_path / "third").exists()
    run_tiny(tiny_recipe(2, towers), birds, tmp_path / "third", start=first / "last", allow_leak=True)
    assert json.loads((tmp_path / "third" / "run.json").read_text(encoding="utf-8"))["leak"]
    page = (tmp_path / "third" / "report.html").read_text(encoding="utf-8")
    assert "What is held out here is not new to this model" in page


def trained_names(dataset: Dataset) -> list[str]:
    hidden = {taxon.id for taxon in unseen_taxa(dataset)}
    return [taxon.scientific_name for taxon in dataset.taxonomy.values() if taxon.id not in hidden]


@pytest.mark.slow
def test_towers_that_a_model_of_projections_has_count_as_met(birds: Dataset, towers: Path, tmp_path: Path) -> None:
    run_tiny(tiny_recipe(1, towers), birds, tmp_path / "first")
    split_dataset(birds, unseen=3, seed=1)
    model = biovita.train(
        "starter/stage1",
        data=birds,
        out=tmp_path / "model",
        settings={"model": str(tmp_path / "first" / "last"), "steps": 2, "dim": 4, "weights.names": 0},
        device="cpu",
        progress=False,
    ).model
    with pytest.raises(ModelError, match=REFUSED):
        biovita.run_benchmark(birds, model=model, out=tmp_path / "out", device="cpu", progress=False)


@pytest.mark.slow
def test_a_run_that_went_on_from_the_unknown_says_so(birds: Dataset, towers: Path, tmp_path: Path) -> None:
    assert met_of(towers) is None
    run_tiny(tiny_recipe(1, towers), birds, tmp_path / "run", start=towers)
    met = read_met(tmp_path / "run" / "last")
    assert met is not None
    assert met.unknown == (towers.name,)
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["notes"]


def test_what_was_met_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    stage = MetStage("paper/stage1", 'birds, "quoted" 鳥', "1", "a", "b")
    one = Met((stage,), taxa=_array("pica pica"), media={AUDIO: _array("0a", "0b")})
    other = Met((MetStage("older"), stage), taxa=_array("hyla arborea", "pica pica"), classes=_array("magpie"))
    both = joined([one, None, other])
    assert both is not None
    assert both.stages == (stage, MetStage("older"))
    assert both.counts == {"stage": 2, "taxon": 2, "class": 1, "audio": 2, "image": 0}
    stated = write_met(both, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"record": stated}), encoding="utf-8")
    found = read_met(tmp_path)
    assert found is not None
    assert found.table().equals(both.table())
    assert found.stages == both.stages
    assert (joined([None]), write_met(None, tmp_path / "nowhere")) == (None, {})
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["config.json", MET]
    assert read_met(tmp_path / "nowhere") is None
    assert all(len(found.media[modality]) == both.counts[modality] for modality in MEDIA)


def _classes(encoder: str) -> NamedClasses:
    known = known_taxa()
    numbers = sorted(known.classes[encoder])
    names = tuple((f"class {number}",) for number in numbers)
    taxa = tuple(tuple(known.taxonomy[each] for each in known.classes[encoder][number]) for number in numbers)
    return NamedClasses(IMAGE, names, names, np.zeros((len(names), 1), np.float32), taxa)


@pytest.mark.slow
def test_classes_that_are_kept_are_no_leak_of_what_was_held_out_and_any_other_is() -> None:
    species = [taxon for taxon in known_taxa().taxonomy.taxa if taxon.rank == Rank.SPECIES]
    drawn = np.random.default_rng(0).choice(len(species), 300, replace=False)
    unseen = [species[place] for place in sorted(drawn.tolist())]
    asked = Asked(
        _pairs({taxon.scientific_name: [taxon.scientific_name] for taxon in unseen}),
        _pairs({taxon.scientific_name: [name for _, name in taxon.lineage[:-1]] for taxon in unseen}),
        {},
        0,
    )
    for encoder in ENCODERS:
        classes = _classes(encoder)
        kept = kept_classes(classes, unseen)
        assert not check_met(_met_classes(classes, kept), asked, name="m", allow_leak=False).leak
        for place in sorted(set(range(len(classes.names))) - set(kept))[:20]:
            (part,) = check_met(_met_classes(classes, [*kept, place]), asked, name="m", allow_leak=True).leak
            assert part.count >= 1


def _met_classes(classes: NamedClasses, places: list[int]) -> Met:
    return Met(classes=_array(*sorted(map(fold, names_of_classes(classes, places)))))


def _pairs(names: dict[str, list[str]]) -> pa.Table:
    pairs = [(species, fold(name)) for species, several in names.items() for name in several]
    return pa.table([_array(*(pair[at] for pair in pairs)) for at in (0, 1)], names=["species", "name"])


def _array(*values: str) -> pa.Array:
    return pa.array(values, pa.string())
