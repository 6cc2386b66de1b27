from __future__ import annotations

import csv
from collections import Counter

import pytest

from biovita.csv_table import open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.trait_labels import LABELS, source_order
from biovita.traits.tables import TABLES, TraitTable, read_records, trait_table


def table(*rules: dict, **more: object) -> TraitTable:
    described = {
        "id": "made",
        "title": "A made table",
        "citation": "none",
        "license": "none",
        "encoding": "utf-8",
        "delimiter": ",",
        "missing": ["", "NA"],
        "name": ["species"],
        "lineage": {},
        "rule": list(rules),
    }
    return TraitTable(**{**described, **more})


def labels(made: TraitTable, **cells: str) -> dict[str, bool]:
    return made.labels_of(cells)[0]


def test_the_tables_and_the_order_in_which_they_decide_are_the_same():
    assert set(source_order()) == set(TABLES)
    assert len(TABLES) == 6


def test_all_labels_are_answered_by_some_table():
    answered = {rule.label for name in TABLES for rule in trait_table(name).rule}
    assert answered == set(LABELS)


@pytest.mark.parametrize("name", TABLES)
def test_no_table_has_two_rules_for_a_label(name):
    assert max(Counter(rule.label for rule in trait_table(name).rule).values()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_the_real_tables_hold_only_what_their_description_expects(name, trait_files):
    described = trait_table(name)
    records = read_records(described, trait_files[name]).records
    odd = [(record.row, column) for record in records for column in described.labels_of(record.cells)[1]]
    assert odd == []


def test_values_bounds_and_what_is_otherwise():
    made = table(
        {
            "label": "forest",
            "true": [{"habitat": ["F", "W"]}],
            "unknown": [{"habitat": ["X"]}],
            "false": "otherwise",
        },
        {"label": "polar", "true": [{"north": {"above": 66.6}}], "false": [{"north": {"max": 60}}]},
    )
    assert labels(made, habitat="W", north="66.6") == {"forest": True}
    assert labels(made, habitat="X", north="66.7") == {"polar": True}
    assert labels(made, habitat="D", north="60") == {"forest": False, "polar": False}
    assert labels(made, north="61") == {}


def test_sums_sets_numbers_and_missing_values():
    made = table(
        {"label": "omnivore", "true": [{"animals": {"min": 50}}], "false": [{"animals": {"below": 50}}]},
        {"label": "flying", "true": [{"family": "@bats"}], "false": [{"family": {"not": ["@bats", "Gliders"]}}]},
        {"label": "nocturnal", "true": [{"cycle": [1]}]},
        {"label": "insectivore", "true": [{"insects": {"min": 1}, "seeds": {"missing": True}}]},
        sums={"animals": ["insects", "meat"]},
        sets={"bats": ["Molossidae"]},
    )
    assert labels(made, insects="20", meat="30", family="Molossidae", cycle="1.00") == {
        "omnivore": True,
        "flying": True,
        "nocturnal": True,
        "insectivore": True,
    }
    assert labels(made, insects="20", family="Gliders", seeds="1") == {}  # a sum with a missing part is missing
    assert labels(made, insects="20", meat="20", seeds="1", family="Felidae") == {
        "omnivore": False,
        "flying": False,
    }


def test_a_row_that_makes_a_label_both_true_and_false_is_a_fault_of_the_description():
    made = table({"label": "polar", "true": [{"north": {"min": 60}}], "false": [{"north": {"max": 70}}]})
    with pytest.raises(DatasetError, match=r"made\.toml: a row makes 'polar' both true and false"):
        labels(made, north="65")


def test_an_unknown_label_or_key_in_a_description_is_refused():
    with pytest.raises(ValueError, match="unknown trait label 'flies'"):
        table({"label": "flies", "true": [{"a": ["1"]}]})
    with pytest.raises(ValueError, match="extra"):
        table({"label": "flying", "ture": [{"a": ["1"]}]})


def test_encodings_line_ends_and_empty_rows_of_the_real_files(trait_files):
    birds = read_records(trait_table("eltontraits-birds"), trait_files["eltontraits-birds"])
    assert (len(birds.records), birds.nameless + birds.skipped) == (9993, 2)
    names = open_csv(trait_files["eltontraits-birds"], ("Scientific", "English"), encoding="cp1252")
    english = {row.values["Scientific"]: row.values["English"] for row in sound_rows(names)}
    assert english["Calyptorhynchus baudinii"] == "Baudin’s Black-Cockatoo"
    frogs = read_records(trait_table("amphibio"), trait_files["amphibio"]).records
    with trait_files["amphibio"].open(encoding="latin-1", newline="") as file:
        assert len(frogs) == sum(1 for _ in csv.DictReader(file))
    assert frogs[0].name == "Allophryne ruthveni"
    assert None in frogs[0].cells.values()
    assert "NA" not in frogs[0].cells.values()


def test_minus_999_is_missing_in_pantheria(trait_files, tmp_path):
    described = trait_table("pantheria")
    header, first = trait_files["pantheria"].read_text(encoding="latin-1").splitlines()[:2]
    cells = first.split("\t")
    for column in ("10-2_SocialGrpSize", "26-2_GR_MaxLat_dd", "26-3_GR_MinLat_dd"):
        cells[header.split("\t").index(column)] = "-999.00"
    file = tmp_path / "pantheria.txt"
    file.write_text(header + "\n" + "\t".join(cells) + "\n", encoding="latin-1")
    records = read_records(described, file).records
    said, odd = described.labels_of(records[0].cells)
    assert odd == []
    assert not {"solitary", "group-living", "tropical", "temperate", "polar"} & set(said)
