from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.dataset import Dataset
from biovita.dataset.schema import TRAITS
from biovita.errors import DatasetError
from biovita.taxonomy import Taxon, taxon_id_of
from biovita.taxonomy.backbone import Backbone
from biovita.trait_labels import LABELS
from biovita.traits.importer import TraitsReport, import_traits
from biovita.traits.tables import TABLES
from support.spot_checks import SAID, TAXA
from support.trait_cases import animal, dataset_of


@pytest.fixture(scope="module")
def imported(
    tmp_path_factory: pytest.TempPathFactory, trait_files: dict[str, Path], well_known: list[Taxon]
) -> tuple[Dataset, TraitsReport]:
    dataset = dataset_of(tmp_path_factory.mktemp("traits") / "dataset", well_known)
    return dataset, import_traits(dataset, trait_files)


def said(dataset: Dataset) -> dict[tuple[str, str, str], bool]:
    return {(row["taxon_id"], row["source"], row["label"]): row["value"] for row in dataset.traits.to_pylist()}


def test_forty_species_are_checked():
    assert len(TAXA) == 40
    assert {name for name, _, _ in SAID} == set(TAXA)
    assert {table for _, table, _ in SAID} == set(TABLES)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "table", "labels"), SAID)
def test_a_species_is_as_its_row_in_the_table_says(imported, name, table, labels):
    values = said(imported[0])
    meant = {"+": True, "-": False, "?": None}
    for word in labels.split():
        assert word[1:] in LABELS
        assert values.get((taxon_id_of(name), table, word[1:])) is meant[word[0]], word


@pytest.mark.slow
def test_every_row_of_a_table_is_accounted_for(imported, trait_files):
    _, report = imported
    for table in report.tables:
        assert table.matched + len(table.left) == table.rows
        assert all(left.reason and left.name for left in table.left)
    avonet = next(table for table in report.tables if table.id == "avonet")
    with trait_files["avonet"].open(newline="") as file:
        assert avonet.rows == sum(1 for _ in csv.DictReader(file)) == 11009
    elton = next(table for table in report.tables if table.id == "eltontraits-birds")
    assert (elton.rows, elton.nameless) == (9993, 2)


@pytest.mark.slow
def test_what_was_imported_is_recorded(imported):
    dataset, report = imported
    info = Dataset.open(dataset.path).info
    assert info["counts"]["traits"] == report.rows == dataset.traits.num_rows
    assert info["traits"]["avonet"]["file"] == "AVONET1_BirdLife.csv"
    assert len(info["traits"]["avonet"]["sha256"]) == 64
    assert dataset.traits.schema == TRAITS


@pytest.mark.slow
def test_sources_that_disagree_are_kept_and_counted(imported):
    dataset, report = imported
    values = said(dataset)
    assert values["passer_domesticus", "avonet", "arboreal"] is False
    assert values["passer_domesticus", "eltontraits-birds", "arboreal"] is True
    assert report.conflicts["lifestyle"] >= 1
    assert any("labels that sources disagree on" in line for line in report.lines())


def plain(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["name,label,value", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def crows(tmp_path: Path) -> Dataset:
    names = [("Coloeus monedula", "Corvidae"), ("Corvus corax", "Corvidae"), ("Parus major", "Paridae")]
    return dataset_of(
        tmp_path / "crows", [animal(name, "Aves", "Passeriformes", family) for name, family in names]
    )


def test_a_plain_table_is_imported_and_replaced_by_its_next_version(crows, tmp_path):
    first = plain(tmp_path / "mine.csv", "Corvus corax,omnivore,yes", "Parus major,migratory,0")
    import_traits(crows, {"csv": first})
    assert said(crows) == {("corvus_corax", "mine", "omnivore"): True, ("parus_major", "mine", "migratory"): False}
    import_traits(crows, {"csv": plain(tmp_path / "other.csv", "Corvus corax,aerial,1")})
    import_traits(crows, {"csv": plain(tmp_path / "mine.csv", "Corvus corax,omnivore,false")})
    assert said(crows) == {("corvus_corax", "mine", "omnivore"): False, ("corvus_corax", "other", "aerial"): True}


def test_the_faults_of_a_plain_table_are_listed_by_row_and_nothing_is_written(crows, tmp_path):
    file = plain(
        tmp_path / "mine.csv", "Corvus corax,omnivor,yes", ",omnivore,yes", "Parus major,migratory,perhaps"
    )
    with pytest.raises(DatasetError) as error:
        import_traits(crows, {"csv": file})
    message = str(error.value)
    assert "row 2: label: unknown trait label 'omnivor'. Did you mean 'omnivore'" in message
    assert "row 3: name is empty" in message
    assert "row 4: value is 'perhaps'. It has to be one of true, yes, 1" in message
    assert crows.traits.num_rows == 0


def test_a_plain_table_may_not_speak_for_a_published_one(crows, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("name,label,value,source\nCorvus corax,omnivore,yes,avonet\n")
    with pytest.raises(DatasetError, match="source: 'avonet' is the name of a published table"):
        import_traits(crows, {"csv": file})


def test_the_dataset_s_own_decisions_are_synonyms(crows, tmp_path):
    decisions = {"name": ["Kolkrabe", "Corvus oddus"], "species_id": ["corvus_corax", None]}
    pq.write_table(pa.table(decisions), crows.path / "taxonomy_decisions.parquet")
    import_traits(crows, {"csv": plain(tmp_path / "mine.csv", "Kolkrabe,omnivore,yes")})
    assert said(crows) == {}  # one word without a class: it might be anything
    file = tmp_path / "mine.csv"
    file.write_text("name,label,value,class\nKolkrabe,omnivore,yes,Aves\n")
    import_traits(crows, {"csv": file})
    assert said(crows) == {("corvus_corax", "mine", "omnivore"): True}


def test_a_name_finds_its_taxon_through_a_wider_backbone(crows, tmp_path):
    wider = Backbone.of(
        "wider",
        {
            "id": pa.array(["1", "2"]),
            "name": pa.array(["Coloeus monedula", "Corvus spermologus"]),
            "rank": pa.array(["species", "species"]),
            "kingdom": pa.array(["Animalia", "Animalia"]),
            "accepted": pa.array([0, 0], pa.int32()),
        },
    )
    file = plain(tmp_path / "mine.csv", "Corvus spermologus,omnivore,yes", "Pica pica,omnivore,yes")
    report = import_traits(crows, {"csv": file}, backbone=wider)
    assert said(crows) == {("coloeus_monedula", "mine", "omnivore"): True}
    assert [(left.row, left.name, left.reason) for left in report.tables[0].left] == [
        (3, "Pica pica", "not-in-dataset")
    ]


AVONET_HEAD = "Species1,Family1,Order1,Habitat,Migration,Trophic.Niche,Primary.Lifestyle,Min.Latitude,Max.Latitude"


def avonet(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([AVONET_HEAD, *rows]) + "\n", encoding="utf-8")
    return path


def test_a_renamed_species_is_followed_unless_the_table_has_the_name_itself(crows, tmp_path):
    moved = "Corvus monedula,Corvidae,Passeriformes,Forest,1,Omnivore,Terrestrial,30,60"
    report = import_traits(crows, {"avonet": avonet(tmp_path / "a.csv", moved)})
    assert report.tables[0].matched == 1
    itself = "Coloeus monedula,Corvidae,Passeriformes,Forest,3,Omnivore,Terrestrial,30,60"
    report = import_traits(crows, {"avonet": avonet(tmp_path / "a.csv", moved, itself)})
    assert [(left.name, left.reason) for left in report.tables[0].left] == [("Corvus monedula", "taken")]
    assert said(crows)["coloeus_monedula", "avonet", "migratory"] is True
    twice = moved.replace("Corvus", "Pica")
    report = import_traits(crows, {"avonet": avonet(tmp_path / "a.csv", moved, twice)})
    assert {left.reason for left in report.tables[0].left} == {"shared"}
    assert report.tables[0].matched == 0


def test_values_that_the_table_should_not_hold_are_missing_and_listed(crows, tmp_path):
    row = "Corvus corax,Corvidae,Passeriformes,Moon,9,Omnivore,Terrestrial,north,60"
    report = import_traits(crows, {"avonet": avonet(tmp_path / "a.csv", row)})
    assert set(report.tables[0].odd) == {
        (2, "Habitat", "Moon"),
        (2, "Migration", "9"),
        (2, "Min.Latitude", "north"),
    }
    labels = {label for _, _, label in said(crows)}
    assert "omnivore" in labels
    assert not labels & {"forest", "sedentary", "tropical"}


def test_rows_of_one_taxon_that_contradict_each_other_leave_a_label_unknown(crows, tmp_path):
    decisions = {"name": ["Corvus ruficollis", "Corvus tibetanus"], "species_id": ["corvus_corax", "corvus_corax"]}
    pq.write_table(pa.table(decisions), crows.path / "taxonomy_decisions.parquet")
    rows = [
        "Corvus ruficollis,Corvidae,Passeriformes,Forest,1,Omnivore,Terrestrial,30,60",
        "Corvus tibetanus,Corvidae,Passeriformes,Forest,3,Omnivore,Terrestrial,30,60",
    ]
    report = import_traits(crows, {"avonet": avonet(tmp_path / "a.csv", *rows)})
    assert report.tables[0].inconsistent == 2  # sedentary and migratory
    assert ("corvus_corax", "avonet", "sedentary") not in said(crows)
    assert said(crows)["corvus_corax", "avonet", "partial-migrant"] is False
    own = "Corvus corax,Corvidae,Passeriformes,Forest,1,Omnivore,Terrestrial,30,60"
    report = import_traits(crows, {"avonet": avonet(tmp_path / "a.csv", *rows, own)})
    assert report.tables[0].inconsistent == 0
    assert said(crows)["corvus_corax", "avonet", "sedentary"] is True


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", r"is not AVONET 1 .* lacks the column"),
        (AVONET_HEAD + "\nCorvus corax,Corvidae\n", "line 2: has 2 fields, and the header has 9"),
    ],
)
def test_a_file_that_is_not_the_table_is_refused(crows, tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        import_traits(crows, {"avonet": tmp_path / "a.csv"})


def test_an_unknown_table_is_named(crows, tmp_path):
    with pytest.raises(DatasetError, match=r"unknown trait table 'avonett'\. Did you mean 'avonet'"):
        import_traits(crows, {"avonett": tmp_path / "a.csv"})
