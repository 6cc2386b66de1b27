"""Trait tables that a plan names, from plan to dataset; small tables cut out of the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from biovita.cli.app import main
from biovita.collect.build import build, report_lines
from biovita.collect.plan import PlannedTraits, read_plan
from biovita.collect.trait_tables import check_tables
from biovita.dataset import Dataset
from biovita.dataset.check import check
from biovita.errors import DatasetError
from biovita.traits.importer import import_traits
from biovita.traits.plain import PLAIN
from biovita.traits.tables import TABLES, trait_table
from support.collected_media import picture

SPECIES = {
    "Parus major": "Aves,Paridae",
    "Tyto alba": "Aves,Tytonidae",
    "Rana temporaria": "Amphibia,Ranidae",
    "Vulpes vulpes": "Mammalia,Canidae",
}
FILES = {
    "avonet": "AVONET1_BirdLife.csv",
    "eltontraits-birds": "BirdFuncDat.txt",
    "eltontraits-mammals": "MamFuncDat.txt",
    "amphibio": "AmphiBIO_v1.csv",
    "pantheria": "PanTHERIA_1-0_WR05_Aug2008.txt",
    "anage": "anage_data.txt",
}
OWN = "name,label,value,source\nTyto alba,nocturnal,true,field notes\nParus major,nocturnal,no,field notes\n"


@pytest.fixture
def folder(tmp_path: Path, shared_data: Path) -> Path:
    """A source of four photographs, the six published tables with few rows, and one of one's own."""
    rows = []
    for number, (name, lineage) in enumerate(SPECIES.items()):
        (tmp_path / f"{number}.jpg").write_bytes(picture(number))
        rows.append(f"{number}.jpg,{name},,{lineage},CC0,Ann\n")
    head = "file,scientific_name,common_name,class,family,license,attribution\n"
    (tmp_path / "images.csv").write_text(head + "".join(rows))
    for table, file in FILES.items():
        encoding = trait_table(table).encoding
        lines = (shared_data / "traits" / file).read_bytes().decode(encoding).split("\n")
        kept = [
            line
            for number, line in enumerate(lines)
            if number < 4 or any(name in line.replace("\t", " ") for name in SPECIES)
        ]
        (tmp_path / f"{table}.txt").write_bytes("\n".join(kept).encode(encoding))
    (tmp_path / "own.csv").write_text(OWN)
    return tmp_path


def plan(folder: Path, traits: dict[str, str], rest: str = "") -> Path:
    file = folder / "plan.toml"
    named = "".join(f'{field} = "{name}"\n' for field, name in traits.items())
    file.write_text(f'name = "few"\n[[sources]]\nkind = "folder"\npath = "."\n{rest}[traits]\n{named}')
    return file


ALL = {table.replace("-", "_"): f"{table}.txt" for table in FILES} | {"csv": "own.csv"}


def test_a_plan_can_name_every_table() -> None:
    given = PlannedTraits(**{field: Path(name) for field, name in ALL.items()}).files()
    assert set(given) == {*TABLES, PLAIN}


@pytest.mark.slow
def test_building_imports_what_the_plan_names(folder: Path) -> None:
    report = build(plan(folder, ALL), folder / "data")
    dataset = Dataset.open(folder / "data")
    assert list(report.traits) == [*FILES, "csv"]
    assert {table: found.taxa for table, found in report.traits.items()} == {
        "avonet": 2,
        "eltontraits-birds": 2,
        "eltontraits-mammals": 1,
        "amphibio": 1,
        "pantheria": 1,
        "anage": 4,
        "csv": 2,
    }
    assert sum(found.labels for found in report.traits.values()) == dataset.traits.num_rows
    assert [p.code for p in check(dataset, hashes=True)] == []
    said = "\n".join(report_lines(report))
    assert "traits of avonet: 2 taxa" in said
    assert "traits of csv: 2 taxa, 2 labels (2 of 2 rows)" in said
    rows = {(row["taxon_id"], row["label"], row["source"]): row["value"] for row in dataset.traits.to_pylist()}
    owl = next(taxon.id for taxon in dataset.taxonomy.values() if taxon.scientific_name == "Tyto alba")
    assert rows[owl, "nocturnal", "field notes"] is True
    assert rows[owl, "nocturnal", "eltontraits-birds"] is True
    assert rows[owl, "carnivore", "avonet"] is True
    assert dataset.info["traits"]["avonet"]["file"] == "avonet.txt"
    # the same as importing the same tables by hand
    by_hand = build(plan(folder, {}), folder / "bare")
    assert by_hand.traits == {}
    bare = Dataset.open(folder / "bare")
    import_traits(bare, {table: folder / f"{table}.txt" for table in FILES} | {PLAIN: folder / "own.csv"})
    assert bare.traits.equals(dataset.traits)
    assert bare.info["traits"] == dataset.info["traits"]
    # and the next update leaves them
    build(folder / "plan.toml", folder / "bare")
    assert Dataset.open(folder / "bare").traits.equals(dataset.traits)
    assert Dataset.open(folder / "bare").info["traits"] == dataset.info["traits"]


@pytest.mark.slow
def test_an_update_takes_traits_of_taxa_that_are_gone_out(folder: Path) -> None:
    build(plan(folder, ALL), folder / "data")
    build(plan(folder, {}, '[taxa]\nclades = ["Aves"]\n'), folder / "data")
    dataset = Dataset.open(folder / "data")
    assert {dataset.taxonomy[taxon].class_ for taxon in dataset.traits["taxon_id"].to_pylist()} == {"Aves"}
    assert [p.code for p in check(dataset)] == []


def test_synonyms_are_matched_through_the_plans_backbone(folder: Path) -> None:
    core = folder / "backbone"
    core.mkdir()
    (core / "Taxon.tsv").write_text(
        "taxonID\tparentNameUsageID\tacceptedNameUsageID\tscientificName\ttaxonRank\ttaxonomicStatus\tkingdom\tclass\n"
        "1\t\t\tAnimalia\tkingdom\taccepted\tAnimalia\t\n"
        "2\t1\t\tAves\tclass\taccepted\tAnimalia\tAves\n"
        "3\t2\t\tParidae\tfamily\taccepted\tAnimalia\tAves\n"
        "4\t3\t\tParus\tgenus\taccepted\tAnimalia\tAves\n"
        "5\t4\t\tParus major\tspecies\taccepted\tAnimalia\tAves\n"
        "6\t\t5\tParus altus\tspecies\tsynonym\tAnimalia\tAves\n"
    )
    (folder / "own.csv").write_text("name,label,value\nParus altus,arboreal,true\n")
    rest = '[taxa]\nbackbone = "backbone"\n'
    report = build(plan(folder, {"csv": "own.csv"}, rest), folder / "data")
    assert report.species == 1
    assert (report.traits["csv"].taxa, report.traits["csv"].labels) == (1, 1)
    assert (folder / "data/taxonomy_decisions.parquet").is_file()


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"avonett": "x.csv"}, r"traits\.avonett: unknown field\. Did you mean 'avonet'\?"),
        ({"avonet": "none.csv"}, r"traits\.avonet: .*none\.csv does not exist"),
        ({"pantheria": "avonet.txt"}, r"traits\.pantheria: .*avonet\.txt is not .*lacks the column"),
        ({"eltontraits_mammals": "own.csv"}, r"traits\.eltontraits_mammals: .*own\.csv is not .*lacks the column"),
        ({"csv": "avonet.txt"}, r"traits\.csv: .*avonet\.txt, row 1: lacks the column"),
    ],
)
def test_a_table_that_is_not_what_it_is_said_to_be_stops_before_anything_is_made(
    folder: Path, traits: dict[str, str], message: str
) -> None:
    file = plan(folder, traits)
    with pytest.raises(DatasetError, match=message):
        check_tables(read_plan(file))
    with pytest.raises(DatasetError, match=message):
        build(file, folder / "data")
    assert not (folder / "data").exists()


@pytest.mark.slow
def test_the_commands_tell_what_tables_give(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(plan(folder, {"amphibio": "amphibio.txt", "csv": "own.csv"}))

    def run(*words: str) -> str:
        with pytest.raises(SystemExit) as raised:
            main(["data", *words])
        assert not raised.value.code
        return capsys.readouterr().out

    assert "Trait tables to import: amphibio (4 rows), csv (2 rows)" in run("plan", file)
    assert json.loads(run("plan", file, "--json"))["traits"] == {"amphibio": 4, "csv": 2}
    said = json.loads(run("build", file, "--out", str(folder / "data"), "--json"))
    assert said["traits"]["amphibio"]["matched"] == 1
    assert said["traits"]["csv"]["labels"] == 2
