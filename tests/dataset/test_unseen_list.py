"""Species held out by name: what a list may hold, what it means, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import biovita
from biovita.cli.app import main
from biovita.dataset import Dataset, split_dataset, write_dataset
from biovita.dataset.schema import AUDIO, IMAGES, taxa_table
from biovita.dataset.taxon_names import named_taxa
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.taxonomy import Taxon
from support.split_by_hand import assigned

TAXA = (
    Taxon("egret", "Ardea alba", "Great Egret", genus="Ardea", family="Ardeidae"),
    Taxon("heron", "Ardea cinerea", "Grey Heron", genus="Ardea", family="Ardeidae"),
    Taxon("thrush", "Turdus migratorius", "American Robin", genus="Turdus", family="Turdidae"),
    Taxon("pipit", "Anthus novus", "Robin", genus="Anthus", family="Motacillidae"),
    Taxon("other", "Petroica nova", "Robin", genus="Petroica", family="Petroicidae"),
)
SOUND = {"start_s": 0.0, "end_s": 1.0, "duration_s": 1.0, "sample_rate": 8000}


def _dataset(path: Path, silent: str = "heron", shared: dict[str, str] | None = None) -> Dataset:
    """Write two recordings and two photographs of each species, none of the one that is silent heard."""

    def row(kind: str, taxon: Taxon, number: int) -> dict[str, object]:
        id_ = f"{kind}{taxon.id}{number}"
        group = (shared or {}).get(id_, id_)
        return {"id": id_, "taxon_id": taxon.id, "path": "x", "sha256": "0", "group_id": group}

    audio = [{**row("a", taxon, n), **SOUND} for taxon in TAXA if taxon.id != silent for n in range(2)]
    images = [{**row("i", taxon, n), "width": 1, "height": 1} for taxon in TAXA for n in range(2)]
    path.mkdir()
    tables = {
        "taxa": taxa_table(TAXA),
        "audio": pa.Table.from_pylist(audio, schema=AUDIO),
        "images": pa.Table.from_pylist(images, schema=IMAGES),
    }
    write_dataset(path, tables, {"name": "x", "version": "1", "made": "by a test"})
    return Dataset.open(path)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return _dataset(tmp_path / "birds")


def _list(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "unseen.txt"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "text",
    [
        "Ardea alba\n",
        "# herons\n\n  ardea ALBA  \nArdea alba\n",
        "Great Egret\n",
        "egret\n",
        "Casmerodius albus\n",
        "Ardea alba Linnaeus, 1758\n",
        "\ufeffArdea alba\r\n",
        "common,scientificName\nx,Ardea alba\n",
        "name\tclass\nArdea alba\tAves\n",
        "name\nGreat Egret\n",
    ],
)
def test_names_in_any_form_hold_out_their_species(dataset: Dataset, tmp_path: Path, text: str) -> None:
    report = split_dataset(dataset, unseen_list=_list(tmp_path, text))
    assert report.unseen == ("egret",)
    for table in (dataset.audio, dataset.images):
        for taxon, split in zip(table["taxon_id"].to_pylist(), table["split"].to_pylist(), strict=True):
            assert (split == "unseen") == (taxon == "egret")


def test_names_that_the_dataset_was_made_from_are_known(dataset: Dataset, tmp_path: Path) -> None:
    decided = {"name": ["Robin vetus L."], "parsed": ["Robin vetus"], "species_id": ["thrush"]}
    pq.write_table(pa.table(decided), dataset.path / "taxonomy_decisions.parquet")
    assert split_dataset(dataset, unseen_list=_list(tmp_path, "Robin vetus\n")).unseen == ("thrush",)


def test_a_species_without_recordings_can_be_named_and_whole_genera_go_with_it(
    dataset: Dataset, tmp_path: Path
) -> None:
    file = _list(tmp_path, "Ardea cinerea\n")
    assert split_dataset(dataset, unseen_list=file).unseen == ("heron",)
    assert split_dataset(dataset, unseen_list=file, by="genus").unseen == ("egret", "heron")


def test_names_that_are_not_in_the_dataset_are_listed(dataset: Dataset, tmp_path: Path) -> None:
    file = _list(tmp_path, "Ardea alba\nTurdus merula\nStruthio camelus\nQuite Unknownius\n")
    report = split_dataset(dataset, unseen_list=file)
    assert report.unseen == ("egret",)
    assert report.not_in_dataset == ("Turdus merula", "Struthio camelus", "Quite Unknownius")
    assert report.lines()[0] == "1 species held out whole (named in unseen.txt, seed 0)"
    assert report.lines()[1].startswith("3 names are not in the dataset: Turdus merula, ")
    recorded = Dataset.open(dataset.path).info["split"]
    assert recorded["unseen_list"] == "unseen.txt"
    assert recorded["not_in_dataset"] == list(report.not_in_dataset)
    split_dataset(dataset, unseen=1)
    assert "unseen_list" not in Dataset.open(dataset.path).info["split"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Ardea alba\nTurdus migratorus\n", r"look misspelt: Turdus migratorus \(is it Turdus migratorius\?\)"),
        ("Robin\n", r"Robin is the name of 2 taxa: Anthus novus, Petroica nova\. Write the scientific name"),
        ("Struthio camelus\n", r"none of its 1 names is in the dataset.*The first is Struthio camelus"),
        ("\n# nothing\n", r"holds no name"),
    ],
)
def test_lists_that_would_hold_out_something_else_are_refused(
    dataset: Dataset, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        split_dataset(dataset, unseen_list=_list(tmp_path, text))
    assert dataset.images["split"].null_count == len(dataset.images)


def test_a_table_without_a_column_of_names_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "unseen.csv"
    file.write_text("species,number\nArdea alba,1\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"has no column name, scientific_name or scientificName"):
        split_dataset(dataset, unseen_list=file)


def test_a_number_and_a_list_exclude_each_other(dataset: Dataset, tmp_path: Path) -> None:
    for given in ({}, {"unseen": 1, "unseen_list": _list(tmp_path, "Ardea alba\n")}):
        with pytest.raises(DatasetError, match="one of the two"):
            split_dataset(dataset, **given)
    with pytest.raises(DatasetError, match=r"nowhere\.txt does not exist"):
        split_dataset(dataset, unseen_list=tmp_path / "nowhere.txt")


def test_a_species_that_shares_a_recording_is_named_with_the_other_or_not_at_all(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path / "d", shared={"aegret0": "both", "athrush1": "both"})
    with pytest.raises(
        DatasetError, match=r"egret is to be held out and shares .*'both'.* with thrush, which is not"
    ):
        split_dataset(dataset, unseen_list=_list(tmp_path, "Ardea alba\n"))
    named = _list(tmp_path, "Ardea alba\nTurdus migratorius\n")
    assert split_dataset(dataset, unseen_list=named).unseen == ("egret", "thrush")


@pytest.mark.slow
def test_every_species_may_be_named_and_a_benchmark_is_built_of_them(tmp_path: Path) -> None:
    from support.bench_cases import write_small

    dataset = write_small(tmp_path / "d")
    names = "\n".join(taxon.scientific_name for taxon in dataset.taxonomy.values())
    report = split_dataset(dataset, unseen_list=_list(tmp_path, names))
    assert {split.value for table in report.counts.values() for split, number in table.items() if number} == {
        "unseen"
    }
    made = biovita.build_benchmark(dataset, out=tmp_path / "bench")
    tasks = {(task.part, task.level) for task in made.benchmark.tasks}
    assert ("unseen", "species") in tasks
    assert {part for part, _ in tasks} == {"unseen"}
    run = biovita.run_benchmark(made.path, model="random:8", progress=False)
    assert {row.part for row in run.rows} == {"unseen"}
    with pytest.raises(DatasetError, match=r"has no .* in its train split"):
        biovita.train("starter/stage1", data=dataset, out=tmp_path / "model", progress=False)


def test_the_names_are_the_same_on_the_command_line(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _list(tmp_path, "Casmerodius albus\n")
    with pytest.raises(SystemExit, match="0"):
        main(["data", "split", str(dataset.path), "--unseen-list", str(file)])
    assert capsys.readouterr().out.startswith("1 species held out whole (named in unseen.txt, seed 0)\naudio: ")


def test_named_taxa_are_those_and_no_others_where_pairs_are_given() -> None:
    pairs = {Modality.AUDIO: [("a", "1"), ("b", "2")], Modality.IMAGE: [("c", "3")]}
    drawn, _ = assigned(pairs, unseen=0, named=["a", "c", "absent"], seed=0)
    assert drawn == ("a", "c")


def test_the_nearest_name_is_a_hint_only_where_the_name_is_not_another_species(dataset: Dataset) -> None:
    found = named_taxa(dataset, ["Ardea cinera", "Ardea cocoi", "Ardea alba"])
    assert {name: taxon.id for name, taxon in found.taxa.items()} == {"Ardea alba": "egret"}
    assert found.missing == {"Ardea cinera": "Ardea cinerea", "Ardea cocoi": None}
