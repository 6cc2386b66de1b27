from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import openpyxl
import pytest

from biovita.errors import DatasetError
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.backbone_files import open_backbone

GBIF = {
    "taxonID": ["1", "2", "3", "4", "5", "6"],
    "acceptedNameUsageID": ["", "", "2", "3", "", "2"],
    "scientificName": [
        "Animalia",
        "Astur gentilis (Linnaeus, 1758)",
        "Accipiter gentilis (Linnaeus, 1758)",
        "Falco gentilis Linnaeus, 1758",
        "Falco obscurus",
        'Falco "sic" gentilis',
    ],
    "canonicalName": [
        *("Animalia", "Astur gentilis", "Accipiter gentilis", "Falco gentilis", "Falco obscurus", "Falco sic"),
    ],
    "taxonRank": ["kingdom", *["species"] * 5],
    "taxonomicStatus": ["accepted", "accepted", "homotypic synonym", "synonym", "synonym", "misapplied"],
    "kingdom": ["Animalia"] * 6,
    "class": ["", *["Aves"] * 5],
    "family": ["", "Accipitridae", "Accipitridae", "Accipitridae", "Falconidae", "Falconidae"],
}
COL = {
    "dwc:taxonID": ["A", "V", "O", "U", "F", "G", "S", "T", "X"],
    "dwc:parentNameUsageID": ["", "A", "V", "O", "U", "F", "G", "S", ""],
    "dwc:acceptedNameUsageID": ["", "", "", "", "", "", "", "", "S"],
    "dwc:taxonomicStatus": [*["accepted"] * 6, "provisionally accepted", "accepted", "synonym"],
    "dwc:taxonRank": [
        *("kingdom", "class", "order", "suborder", "family", "genus", "species", "subspecies", "species")
    ],
    "dwc:scientificName": [
        *("Animalia", "Aves", "Accipitriformes", "Accipitres"),
        "Accipitridae Vigors, 1824",
        "Astur Lacépède, 1799",
        "Astur gentilis (Linnaeus, 1758)",
        "Astur gentilis arrigonii Kleinschmidt, 1903",
        "Accipiter gentilis (Linnaeus, 1758)",
    ],
    "dwc:scientificNameAuthorship": [
        *("", "", "", "", "Vigors, 1824", "Lacépède, 1799", "(Linnaeus, 1758)", "Kleinschmidt, 1903"),
        "(Linnaeus, 1758)",
    ],
}


def tabbed(columns: dict[str, list[str]]) -> str:
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    return "".join("\t".join(row) + "\n" for row in rows)


def by_name(backbone: Backbone) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in backbone.table.to_pylist()}


def test_a_gbif_checklist(tmp_path):
    (tmp_path / "Taxon.tsv").write_text(tabbed(GBIF), encoding="utf-8")
    made = open_backbone(tmp_path / "Taxon.tsv")
    rows = by_name(made)
    assert [row["id"] for row in rows.values()] == ["1", "2", "3", "4", "5"]
    place = made.table["id"].to_pylist().index("2")
    assert [rows[name]["accepted"] for name in ("Astur gentilis", "Accipiter gentilis", "Falco gentilis")] == [
        place
    ] * 3
    assert rows["Falco obscurus"]["accepted"] == -1  # a synonym of nothing
    assert rows["Astur gentilis"]["family"] == "Accipitridae"
    assert made.left_out == {"misapplied": 1, "no name": 0}


@pytest.mark.parametrize("kind", ["folder", "zip", "nested zip"])
def test_a_catalogue_of_life_checklist_is_climbed(tmp_path, kind):
    path = tmp_path / "col"
    if kind == "folder":
        path.mkdir()
        (path / "Taxon.tsv").write_text(tabbed(COL), encoding="utf-8")
    else:
        path = tmp_path / "col.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("dump/Taxon.tsv" if kind == "nested zip" else "Taxon.tsv", tabbed(COL))
            archive.writestr("Distribution.tsv", "taxonID\n")
    rows = by_name(open_backbone(path))
    assert list(rows)[4:] == [
        "Accipitridae",
        "Astur",
        "Astur gentilis",
        "Astur gentilis arrigonii",
        "Accipiter gentilis",
    ]
    hawk = rows["Astur gentilis"]
    assert [hawk[rank] for rank in ("kingdom", "class", "order", "family", "genus")] == [
        "Animalia",
        "Aves",
        "Accipitriformes",
        "Accipitridae",
        "Astur",
    ]
    assert rows["Astur gentilis arrigonii"]["family"] == "Accipitridae"
    assert rows["Accipiter gentilis"]["accepted"] == hawk["accepted"]
    assert rows["Aves"]["order"] is None


def test_inaturalist_s_taxonomy_archive(shared_data: Path):
    path = shared_data / "formats" / "inaturalist-taxonomy" / "taxa.csv"
    made = open_backbone(path)
    with path.open(encoding="utf-8", newline="") as file:
        truth = list(csv.DictReader(file))
    rows = made.table.to_pylist()
    assert [row["id"] for row in rows] == [row["id"] for row in truth]
    assert [row["name"] for row in rows] == [row["scientificName"] for row in truth]
    assert [row["family"] or "" for row in rows] == [row["family"] for row in truth]


def test_names_lose_their_authorship_without_help_from_columns(tmp_path):
    lines = ["taxonID,scientificName,taxonRank", '1,"Parus major Linnaeus, 1758",species', "2,Pica pica,species"]
    (tmp_path / "taxa.csv").write_text("\n".join([*lines, "3,Larus cf. fuscus,species"]) + "\n")
    assert open_backbone(tmp_path / "taxa.csv").table["name"].to_pylist() == [
        "Parus major",
        "Pica pica",
        "Larus cf. fuscus",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("taxonID\tscientificName\ttaxonRank\n", "holds no taxa"),
        (
            "scientificName\ttaxonRank\nPica pica\tspecies\n",
            r"lacks the column\(s\) taxonID; it has scientificName",
        ),
        (
            "taxonID\tscientificName\ttaxonRank\n1\tPica pica\tspecies\n1\tPica ater\tspecies\n",
            "Each may occur once",
        ),
        ("taxonID\tscientificName\ttaxonRank\n1\tPica pica\n", "cannot be read: .*Expected 3 columns, got 2"),
    ],
)
def test_what_is_no_checklist_is_refused(tmp_path, text, message):
    (tmp_path / "Taxon.tsv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        open_backbone(tmp_path / "Taxon.tsv")


@pytest.mark.parametrize("form", [",", ";", "|", "xlsx"])
def test_a_checklist_of_other_delimiters_and_in_a_workbook(tmp_path, form):
    rows = [["dwc:taxonID", "scientificName", "taxonRank", "class"], ["7", "Strix aluco", "species", "Aves"]]
    if form == "xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / "mine.xlsx")
    else:
        (tmp_path / "mine.csv").write_text("".join(form.join(row) + "\n" for row in rows))
    made = open_backbone(next(tmp_path.glob("mine.*")))
    (row,) = made.table.select(["id", "name", "rank", "class"]).to_pylist()
    assert row == {"id": "7", "name": "Strix aluco", "rank": "species", "class": "Aves"}


def test_a_folder_or_zip_without_a_taxon_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"has no taxon file\. It has to have one of taxon\.tsv"):
        open_backbone(tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("occurrence.txt", "id\n")
    with pytest.raises(DatasetError, match="has no taxon file"):
        open_backbone(tmp_path / "a.zip")
