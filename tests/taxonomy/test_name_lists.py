"""Names from files to decisions, by the command line, and real lists against the real backbone."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biovita.cli import main
from biovita.errors import DatasetError
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.backbone_files import open_backbone
from biovita.taxonomy.decisions import DECISIONS
from biovita.taxonomy.match import match_names
from biovita.taxonomy.name_lists import names_listed, read_names, write_decisions


@pytest.fixture(scope="module")
def backbone(shared_data: Path) -> Backbone:
    return open_backbone(shared_data / "taxonomy" / "inaturalist-taxa.parquet")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_avonet_s_names_agree_with_avilist_by_avibase_id(shared_data, backbone):
    """Avibase's ids, which both lists bear, say which names are of one bird: a truth from outside."""
    avilist = {
        row["avilist_avibase_id"].upper(): " ".join(row["scientific_name"].split()[:2])
        for row in rows(shared_data / "taxonomy" / "avilist_2025_taxonomy.csv")
        if row["avilist_taxon_rank"] in {"species", "subspecies"}
    }
    birds = rows(shared_data / "traits" / "AVONET1_BirdLife.csv")[::4]
    given = {
        "name": [row["Species1"] for row in birds],
        "class": ["Aves"] * len(birds),
        "order": [row["Order1"] for row in birds],
        "family": [row["Family1"] for row in birds],
    }
    decisions = match_names(pa.table(given), backbone).to_pylist()
    known = set(backbone.table.take(backbone.rows_within("class", ["Aves"]))["name"].to_pylist())
    right = wrong = missed = 0
    for row, decision in zip(birds, decisions, strict=True):
        name = row["Species1"]
        truth = name if name in known else avilist.get(row["Avibase.ID1"].upper())
        if truth is None or truth not in known:
            continue
        if decision["rule"] is None:
            missed += 1
        elif decision["species_name"] == truth:
            right += 1
        else:
            wrong += 1
    assert right + wrong + missed > 2600
    assert right / (right + wrong) >= 0.995
    assert right / (right + wrong + missed) >= 0.98


@pytest.mark.slow
def test_made_variants_of_ebird_s_names(shared_data, backbone):
    listed = rows(shared_data / "taxonomy" / "ebird_2024_taxonomy.csv")[::12]
    decided = match_names(pa.table({"name": [row["scientific_name"] for row in listed]}), backbone).to_pylist()
    birds = [row for row, decision in zip(listed, decided, strict=True) if decision["rule"] == "exact"]
    exact = [decision["taxon_id"] for decision in decided if decision["rule"] == "exact"]
    assert len(birds) > 900
    made = {
        "author": lambda name: f"{name} (Linnaeus, 1758)",
        "upper": str.upper,
        "title": str.title,
        "spaces": lambda name: f" {name.replace(' ', '  ')} ",
        "nominotypical": lambda name: f"{name} {name.split()[1]}",
    }
    for kind, change in made.items():
        names = [change(row["scientific_name"]) for row in birds]
        given = pa.table({"name": names, "class": ["Aves"] * len(names)})
        assert match_names(given, backbone)["species_id"].to_pylist() == exact, kind
    refused = [f"{row['scientific_name'].split()[0]} cf. {row['scientific_name'].split()[1]}" for row in birds]
    assert match_names(pa.table({"name": refused}), backbone)["rule"].null_count == len(refused)
    insects = pa.table({"name": [row["scientific_name"] for row in birds], "class": ["Insecta"] * len(birds)})
    assert match_names(insects, backbone)["rule"].null_count == len(birds)


def test_names_are_read_from_csv_and_tab_separated_files(tmp_path):
    (tmp_path / "a.csv").write_text(
        '\ufeffScientificName,CLASS,other\n"Pica pica",Aves,x\n\nParus major,,y\n', "utf-8"
    )
    assert read_names(tmp_path / "a.csv").names.to_pydict() == {
        "name": ["Pica pica", "Parus major"],
        "class": ["Aves", None],
    }
    (tmp_path / "b.tsv").write_text("name\tfamily\nPica pica\tCorvidae\n")
    assert read_names(tmp_path / "b.tsv").names.to_pydict() == {"name": ["Pica pica"], "family": ["Corvidae"]}


def test_a_list_without_a_column_of_names_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("species\nPica pica\n")
    with pytest.raises(DatasetError, match="no column name, scientific_name or scientificName"):
        read_names(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("content", "names", "rejected"),
    [
        ("name,class\nPica pica,Aves,x\nApus apus,Aves\n", ["Apus apus"], [2]),
        ("name;class\nPica pica\nApus apus;Aves\n", ["Pica pica", "Apus apus"], []),
        ("name,class\nPica\u2028pica,Aves\n\x0cApus apus\x85,Aves\n", ["Pica\u2028pica", "Apus apus"], []),
        ('name,class\n"Pica pica,Aves\nApus apus,Aves\n"Bubo bubo",Aves\n', ["Apus apus", "Bubo bubo"], [2]),
        (b"name\nM\xfcller\nApus apus\n", ["Müller", "Apus apus"], []),
        (b"name\nM\xfcller\nM\xc3\xbcller\n", ["Müller"], [2]),
        ("name\tclass\nPica pica\tAves\n".encode("utf-16"), ["Pica pica"], []),
        ('"name" "class"\n"1" "Pica pica" "Aves"\n', ["Pica pica"], []),
    ],
)
def test_one_row_that_cannot_be_read_costs_no_other(tmp_path, content, names, rejected):
    (tmp_path / "a.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    listed = read_names(tmp_path / "a.csv")
    assert listed.names["name"].to_pylist() == names
    assert [row.line for row in listed.rejected] == rejected


def test_a_list_that_excludes_has_to_be_read_whole(tmp_path):
    (tmp_path / "a.csv").write_text("name,class\nPica pica,Aves,x\nApus apus,Aves\n\n,,,,y\n")
    with pytest.raises(DatasetError, match=r"a\.csv cannot be used:\n  line 2: has 3 .*\n  line 5: has 5 fields"):
        names_listed(tmp_path / "a.csv")
    (tmp_path / "b.txt").write_bytes(b"# mine\nM\xfcller\n")
    assert names_listed(tmp_path / "b.txt") == ["Müller"]
    book = openpyxl.Workbook()
    for row in (["no.", "scientific_name"], [1, "Pica pica"], [2, "Apus apus"], [3, "Pica pica"]):
        book.active.append(row)
    book.save(tmp_path / "c.xlsx")
    assert names_listed(tmp_path / "c.xlsx") == ["Pica pica", "Apus apus"]


def test_decisions_are_written_whole_or_not_at_all(tmp_path):
    with pytest.raises(DatasetError, match=r"ends in \.parquet or \.csv"):
        write_decisions(DECISIONS.empty_table(), tmp_path / "d.json")
    write_decisions(DECISIONS.empty_table(), tmp_path / "new" / "d.parquet")
    assert pq.read_table(tmp_path / "new" / "d.parquet").schema == DECISIONS
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["d.parquet"]


def test_the_command(tmp_path, capsys):
    lines = ["taxonID,scientificName,taxonRank,kingdom,class,family"]
    birds = [
        ("1", "Coloeus monedula", "Corvidae"),
        ("2", "Parus major", "Paridae"),
        ("3", "Pica pica", "Corvidae"),
    ]
    lines += [f"{id_},{name},species,Animalia,Aves,{family}" for id_, name, family in birds]
    (tmp_path / "taxa.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "names.csv").write_text(
        "name,class,family\nCorvus monedula,Aves,Corvidae\nParus major/minor,Aves,\nElster,Aves,\nAtricilla,,\n"
    )
    (tmp_path / "mine.csv").write_text("name,taxon_id\nElster,3\n")
    arguments = ["taxonomy", "match", str(tmp_path / "names.csv"), "--backbone", str(tmp_path / "taxa.csv")]
    arguments += ["--overrides", str(tmp_path / "mine.csv")]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--out", str(tmp_path / "d.csv")])
    assert stop.value.code == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "        2 matched",
        "        1   override",
        "        1   recombined",
        "        2 refused",
        "        1   no-match",
        "        1   pair",
    ]
    written = rows(tmp_path / "d.csv")
    assert [row["taxon_id"] for row in written] == ["1", "", "3", ""]
    assert [row["reason"] for row in written] == ["", "pair", "", "no-match"]
    with pytest.raises(SystemExit):
        main([*arguments, "--out", str(tmp_path / "d.parquet"), "--json"])
    summary = json.loads(capsys.readouterr().out)
    assert (summary["names"], summary["matched"], summary["backbone"]) == (4, 2, "taxa.csv")
    decided = pq.read_table(tmp_path / "d.parquet").schema
    assert decided == DECISIONS
    assert decided.metadata[b"backbone"] == b"taxa.csv"
    assert decided.metadata[b"backbone_sha256"].decode() == summary["sha256"]
    assert summary["sha256"] == hashlib.sha256((tmp_path / "taxa.csv").read_bytes()).hexdigest()


def test_the_command_takes_synonyms_from_a_checklist(tmp_path, capsys):
    (tmp_path / "taxa.csv").write_text("taxonID,scientificName,taxonRank\n1,Astur gentilis,species\n")
    (tmp_path / "Taxon.tsv").write_text(
        "taxonID\tscientificName\ttaxonRank\tacceptedNameUsageID\n"
        "a\tAccipiter gentilis\tspecies\t\nb\tAstur gentilis\tspecies\ta\n"
    )
    (tmp_path / "names.csv").write_text("name\nAccipiter gentilis\n")
    arguments = ["taxonomy", "match", str(tmp_path / "names.csv"), "--backbone", str(tmp_path / "taxa.csv")]
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--synonyms", str(tmp_path / "Taxon.tsv"), "--out", str(tmp_path / "d.csv")])
    assert stop.value.code == 0
    (decision,) = rows(tmp_path / "d.csv")
    assert [decision[key] for key in ("rule", "taxon_id", "accepted_name")] == ["synonym", "1", "Astur gentilis"]
