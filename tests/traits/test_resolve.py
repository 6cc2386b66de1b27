from __future__ import annotations

import pyarrow as pa

from biovita.dataset import Dataset
from biovita.dataset.dataset import replace_tables
from biovita.dataset.schema import TRAITS
from biovita.taxonomy import Rank, Taxon
from biovita.traits.resolve import COVERAGE, RESOLVED, coverage, disagreements, resolve
from support.trait_cases import animal, dataset_of


def traits(*rows: tuple[str, str, bool, str]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(TRAITS.names, row, strict=True)) for row in rows], schema=TRAITS)


ROWS = traits(
    ("a", "omnivore", True, "pantheria"),
    ("a", "omnivore", False, "eltontraits-mammals"),
    ("a", "flying", False, "anage"),
    ("a", "flying", False, "pantheria"),
    ("b", "aerial", False, "eltontraits-birds"),
    ("b", "aerial", True, "avonet"),
    ("b", "diurnal", True, "eltontraits-birds"),
    ("b", "diurnal", False, "my own notes"),
)


def test_the_first_source_in_the_stated_order_decides():
    assert resolve(ROWS).to_pylist() == [
        dict(zip(RESOLVED.names, row, strict=True))
        for row in [
            ("a", "omnivore", False, "eltontraits-mammals", 2, True),
            ("a", "flying", False, "pantheria", 2, False),
            ("b", "aerial", True, "avonet", 2, True),
            ("b", "diurnal", False, "my own notes", 2, True),
        ]
    ]


def test_the_order_of_the_rows_does_not_matter():
    backwards = ROWS.take(list(reversed(range(ROWS.num_rows))))
    order = [("taxon_id", "ascending"), ("label", "ascending")]
    assert resolve(backwards).sort_by(order) == resolve(ROWS).sort_by(order)


def test_disagreements_and_an_empty_table():
    assert disagreements(ROWS)["label"].to_pylist() == ["omnivore", "aerial", "diurnal"]
    assert resolve(TRAITS.empty_table()).num_rows == 0
    assert resolve(TRAITS.empty_table()).schema == RESOLVED


def test_coverage_counts_species_by_class_and_group(tmp_path):
    taxa = [
        animal(name, class_) for name, class_ in [("a", "Mammalia"), ("b", "Aves"), ("c", "Aves"), ("d", None)]
    ]
    genus = Taxon("g", "G", None, Rank.GENUS, class_="Aves")
    dataset = dataset_of(tmp_path / "dataset", [*taxa, genus])
    replace_tables(dataset, {"traits": ROWS}, {})
    counted = coverage(Dataset.open(dataset.path))
    assert counted.schema == COVERAGE
    cells = {(row["class"], row["group"]): row for row in counted.to_pylist()}
    assert len(cells) == 3 * 8
    assert [key[0] for key in cells][::8] == ["Aves", "Mammalia", None]
    birds, mammals = cells["Aves", "lifestyle"], cells["Mammalia", "locomotion"]
    assert (birds["species"], birds["known"], birds["true"], birds["conflicts"]) == (2, 1, 1, 1)
    assert (mammals["species"], mammals["known"], mammals["true"], mammals["conflicts"]) == (1, 1, 0, 0)
    assert cells[None, "diet"]["known"] == 0
