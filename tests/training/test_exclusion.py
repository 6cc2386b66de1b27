"""Taxa that training must not meet: what a list or a dataset excludes, and that nothing of it is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import biovita
from biovita.cli.app import main
from biovita.dataset import Dataset
from biovita.errors import DatasetError, ModelError
from biovita.modality import MEDIA, Modality
from biovita.model import load_model
from biovita.model.describe import met_of
from biovita.model.formats.projections_config import read_config
from biovita.taxonomy import Taxonomy
from biovita.training.exclusion import NOTHING, exclusion_of
from biovita.training.projections.names_without_media import NamedClasses
from biovita.training.projections.training_set import training_set
from biovita.training.towers.training_items import training_items
from biovita.training.towers.validation import validation_items
from support.plain_model import know, plain_towers
from support.small_runs import run_tiny, tiny_recipe
from support.tiny_training import write_tiny

AUDIO, IMAGE = Modality.AUDIO, Modality.IMAGE
STEPS = {"model": "plain", "steps": 2, "dim": 4, "weights.names": 0}


@pytest.fixture
def birds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Return six species of three genera, the last held out; the model ``plain`` is known."""
    know("plain", plain_towers(), monkeypatch.setitem)
    return write_tiny(tmp_path / "birds", unseen=1)


def _list(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "exclude.txt"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Genus1 species3\n", {"t3"}),
        ("GENUS1 species3\nBird 0\n", {"t3", "t0"}),
        ("Genus1\n", {"t2", "t3"}),
        ("Struthio camelus\nNullus nullus\n", set()),
        ("name\nBird 1\n", {"t1"}),
    ],
)
def test_names_of_species_and_groups_exclude_their_taxa(
    birds: Dataset, tmp_path: Path, text: str, ids: set[str]
) -> None:
    found = exclusion_of(_list(tmp_path, text), birds)
    assert found.ids == ids
    trained = len(ids) * 3
    assert found.items == {AUDIO: trained, IMAGE: trained}
    items = training_items(birds, exclude=found)
    assert {taxon.id for taxon in items.taxa} == {"t0", "t1", "t2", "t3", "t4"} - ids


def test_synonyms_of_the_dataset_and_of_the_package_are_names_too(birds: Dataset, tmp_path: Path) -> None:
    decided = {"name": ["Altus tertius"], "parsed": ["Altus tertius"], "species_id": ["t3"]}
    pq.write_table(pa.table(decided), birds.path / "taxonomy_decisions.parquet")
    assert exclusion_of(_list(tmp_path, "Altus tertius\n"), birds).ids == {"t3"}
    other = write_tiny(tmp_path / "other", species=1, each=1, unseen=1)
    other.__dict__["taxonomy"] = Taxonomy.of(birds.taxonomy.taxa[:1], {"Altus tertius": "t0"})
    assert exclusion_of(other, birds).ids == {"t0", "t3"}, "the other dataset's synonym is one of ours"


def test_a_dataset_excludes_its_unseen_species_or_all_where_it_is_not_split(
    birds: Dataset, tmp_path: Path
) -> None:
    other = write_tiny(tmp_path / "other", species=4, each=1, unseen=2)
    assert exclusion_of(other.path, birds).ids == {"t2", "t3"}
    unsplit = write_tiny(tmp_path / "unsplit", species=2, each=1)
    for name in ("audio", "images"):
        table = pq.read_table(unsplit.path / f"{name}.parquet")
        bare = table.set_column(table.schema.get_field_index("split"), "split", pa.nulls(len(table), pa.string()))
        pq.write_table(bare, unsplit.path / f"{name}.parquet")
    assert exclusion_of(str(unsplit.path), birds).ids == {"t0", "t1"}
    with pytest.raises(DatasetError, match=r"its split holds no species out"):
        exclusion_of(write_tiny(tmp_path / "whole", each=1), birds)


def test_nothing_is_excluded_unless_asked_for_and_faults_are_named(birds: Dataset, tmp_path: Path) -> None:
    assert exclusion_of(None, birds) is NOTHING
    assert not NOTHING.ids
    with pytest.raises(DatasetError, match=r"look misspelt: Genus1 specie3 \(is it Genus1 species3\?\)"):
        exclusion_of(_list(tmp_path, "Genus1 specie3\n"), birds)
    with pytest.raises(DatasetError, match=r"nowhere does not exist"):
        exclusion_of(tmp_path / "nowhere", birds)
    everything = exclusion_of(_list(tmp_path, "Aves\n"), birds)
    with pytest.raises(DatasetError, match=r"all audio items in the train split of .* are excluded"):
        training_set(birds, load_model("plain", "cpu"), exclude=everything)
    with pytest.raises(DatasetError, match=r"no recordings in its train split that are not excluded"):
        training_items(birds, exclude=everything)


def test_neither_items_nor_classes_of_an_excluded_species_are_trained_on(
    birds: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (("Genus1 species3",), ("Altus tertius",), ("Genus2 species5",), ("Altus primus",))
    classes = NamedClasses(AUDIO, names, names, np.eye(4, 3, dtype=np.float32))
    monkeypatch.setattr(
        "biovita.training.projections.training_set.named_classes",
        lambda tower: classes if tower.card.modality == AUDIO else None,
    )
    decided = {"name": ["Altus tertius"], "parsed": ["Altus tertius"], "species_id": ["t3"]}
    pq.write_table(pa.table(decided), birds.path / "taxonomy_decisions.parquet")
    base = load_model("plain", "cpu")
    exclude = exclusion_of(_list(tmp_path, "Genus1 species3\n"), birds)
    data = training_set(birds, base, exclude=exclude)
    assert [taxon.id for taxon in data.taxa] == ["t0", "t1", "t2", "t4"]
    assert {modality: len(data.items[modality].vectors) for modality in MEDIA} == {AUDIO: 12, IMAGE: 12}
    assert len(data.classes[AUDIO]) == 1
    assert len(training_set(birds, base).classes[AUDIO]) == 3


def test_the_record_says_what_was_excluded_and_a_start_must_not_have_met_it(
    birds: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _list(tmp_path, "Genus1 species3\nStruthio camelus\n")
    settings = [f"{name}={value}" for name, value in STEPS.items()]
    given = ["train", "starter/stage1", "--data", str(birds.path), "--out", str(tmp_path / "one")]
    with pytest.raises(SystemExit, match="0"):
        main([*given, "--exclude", str(file), "--device", "cpu", "--set", *settings])
    said = "2 taxa excluded, which are 1 taxa of the dataset: 3 recordings and 3 photographs not trained on"
    assert capsys.readouterr().out.startswith(said)
    record = read_config(tmp_path / "one").record
    assert record["excluded"] == ["Genus1 species3", "Struthio camelus"]
    page = (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    assert "2 taxa were excluded from training beside those that the split holds out." in page
    met = met_of(tmp_path / "one")
    assert met is not None
    assert "genus1 species2" in met.taxa.to_pylist()
    assert "genus1 species3" not in met.taxa.to_pylist()
    again = biovita.train("starter/stage1", data=birds, out=tmp_path / "two", settings=STEPS, device="cpu")
    assert read_config(again.model).record["excluded"] == []
    further = {"data": birds, "settings": STEPS, "device": "cpu", "exclude": file}
    with pytest.raises(ModelError, match=r"has trained on 1 of 3 unseen species \(Genus1 species3\)"):
        biovita.train("starter/stage2", start=again.model, out=tmp_path / "three", **further)
    biovita.train("starter/stage2", start=tmp_path / "one", out=tmp_path / "four", **further)


def test_held_out_items_of_an_excluded_species_are_not_validated_as_seen(birds: Dataset, tmp_path: Path) -> None:
    seen = birds.audio.to_pylist()
    for row in seen:
        row["split"] = "seen" if row["id"] in {"t3-0", "t2-0"} else row["split"]
    birds.__dict__["audio"] = pa.Table.from_pylist(seen, birds.audio.schema)
    exclude = exclusion_of(_list(tmp_path, "Genus1 species3\n"), birds)
    unseen = [f"t5-{number}" for number in range(3)]
    assert validation_items(birds, species=None, seed=0)[AUDIO] == ["t2-0", "t3-0", *unseen]
    assert validation_items(birds, species=None, seed=0, exclude=exclude)[AUDIO] == ["t2-0", *unseen]


@pytest.mark.slow
def test_towers_are_trained_without_excluded_taxa_and_such_a_run_is_another_one(
    towers: Path, tmp_path: Path
) -> None:
    dataset = write_tiny(tmp_path / "birds", unseen=1)
    exclude = exclusion_of(_list(tmp_path, "Genus1 species3\n"), dataset)
    out = tmp_path / "run"
    run_tiny(tiny_recipe(1, towers), dataset, out, exclude=exclude, stop_after=1)
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["excluded"] == ["Genus1 species3"]
    with pytest.raises(DatasetError, match=r"holds a run with another list of excluded taxa"):
        run_tiny(tiny_recipe(1, towers), dataset, out)
    run_tiny(tiny_recipe(1, towers), dataset, out, exclude=exclude)
    met = met_of(out / "last")
    assert met is not None
    assert "genus1 species3" not in met.taxa.to_pylist()
    assert "genus1 species2" in met.taxa.to_pylist()
