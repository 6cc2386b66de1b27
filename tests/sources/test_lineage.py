"""Taxa made of rows that agree, disagree, or say little."""

from __future__ import annotations

from biovita.sources.lineage import NamedRow, merge_taxa
from biovita.taxonomy import Rank


def row(line: int, name: str, **lineage: str) -> NamedRow:
    return NamedRow(f"audio.csv line {line}", name, {key.rstrip("_"): value for key, value in lineage.items()})


def test_an_empty_cell_says_nothing() -> None:
    taxa, notes = merge_taxa(
        [
            row(2, "Pica pica"),
            row(3, "Pica pica", class_="Aves", genus="Pica"),
            row(4, "Pica pica", family="Corvidae"),
        ]
    )
    assert notes == ()
    (taxon,) = taxa
    assert (taxon.class_, taxon.order, taxon.family, taxon.genus) == ("Aves", None, "Corvidae", "Pica")


def test_groups_are_one_whatever_is_not_seen_in_their_names() -> None:
    (taxon,), notes = merge_taxa(
        [row(2, "Pica pica", family="Corvidae"), row(3, "Pica pica", family="\ufeffCor\u00advidae\u00a0")]
    )
    assert (taxon.family, [note for note in notes if "family" in note]) == ("Corvidae", [])


def test_the_majority_wins_and_the_first_of_equals() -> None:
    rows = [
        row(2, "Pica pica", family="Laridae", genus="Pica", order="A"),
        row(3, "Pica pica", family="Corvidae", genus="Pica", order="B"),
        row(4, "Pica pica", family="Corvidae", genus="Pica"),
    ]
    (taxon,), notes = merge_taxa(rows)
    assert (taxon.family, taxon.order) == ("Corvidae", "A")
    assert notes == (
        "Pica pica: order is A in 1 rows, B in 1 (audio.csv line 3); A is kept",
        "Pica pica: family is Corvidae in 2 rows, Laridae in 1 (audio.csv line 2); Corvidae is kept",
    )


def test_spellings_of_one_name_are_one_taxon() -> None:
    (taxon,), notes = merge_taxa([row(2, "Pica pica"), row(3, "pica pica"), row(4, "Pica pica")])
    assert (taxon.id, taxon.scientific_name) == ("pica_pica", "Pica pica")
    assert notes[0].startswith("pica_pica: scientific_name is Pica pica in 2 rows, pica pica in 1")


def test_a_genus_is_taken_only_from_a_plain_name() -> None:
    taxa, notes = merge_taxa(
        row(k, name)
        for k, name in enumerate(["Pica pica", "Motacilla alba yarrellii", "Anas × rubripes", "Unknown"])
    )
    assert {taxon.scientific_name: taxon.genus for taxon in taxa} == {
        "Pica pica": "Pica",
        "Motacilla alba yarrellii": "Motacilla",
        "Anas × rubripes": None,
        "Unknown": None,
    }
    assert notes == ("genus: taken from the scientific name for 2 taxa, which have none in any row",)


def test_a_name_of_a_higher_group_has_its_rank() -> None:
    taxa, _ = merge_taxa(
        [
            row(2, "Corvidae", class_="Aves", family="Corvidae"),
            row(3, "Pica", genus="Pica", family="Corvidae"),
            row(4, "Pica pica", genus="Pica", family="Corvidae"),
        ]
    )
    assert {taxon.scientific_name: taxon.rank for taxon in taxa} == {
        "Corvidae": Rank.FAMILY,
        "Pica": Rank.GENUS,
        "Pica pica": Rank.SPECIES,
    }


def test_taxa_are_sorted_by_id() -> None:
    names = ["Vulpes vulpes", "Anas acuta", "Pica pica"]
    assert [taxon.id for taxon in merge_taxa(row(k, name) for k, name in enumerate(names))[0]] == [
        "anas_acuta",
        "pica_pica",
        "vulpes_vulpes",
    ]
