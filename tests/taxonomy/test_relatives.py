"""Relatives in a space: the narrowest group that has others, and never the taxon itself."""

from __future__ import annotations

import numpy as np
import pytest

from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.relatives import Relatives

RANKS = (Rank.GENUS, Rank.FAMILY, Rank.ORDER)


def taxon(name: str, family: str | None = None, order: str | None = None) -> Taxon:
    return Taxon(name.lower(), name, family=family, order=order)


def mean(rows: np.ndarray) -> np.ndarray:
    total = rows.astype(np.float64).sum(axis=0)
    return total / np.linalg.norm(total)


def expected(kin: Relatives, asked: Taxon, names: tuple[str, ...] = ()) -> np.ndarray | None:
    """Restate `near`, one group and taxon after the other."""
    own = {name.lower() for name in (asked.scientific_name, *names)}

    def group(of: Taxon, rank: Rank) -> str | None:
        name = of.name_at(rank)
        return of.scientific_name.split()[0] if name is None and rank == of_genus(of) else name

    def of_genus(of: Taxon) -> Rank | None:
        return Rank.GENUS if of.rank == Rank.SPECIES else None

    for rank in RANKS:
        name = group(asked, rank)
        rows = [
            row
            for row, other in enumerate(kin.taxa)
            if name and group(other, rank) == name and other.scientific_name.lower() not in own
        ]
        if rows:
            return mean(kin.vectors[rows])
    return None


@pytest.fixture(scope="module")
def kin() -> Relatives:
    """Return 60 species of 3 orders, 9 families and 27 genera, some alone in their genus, some without a family."""
    rng = np.random.default_rng(0)
    taxa = []
    for number in range(60):
        genus = number % 27
        family = None if number % 11 == 0 else f"F{genus % 9}"
        taxa.append(taxon(f"Genus{genus} species{number}", family, f"O{genus % 3}"))
    vectors = rng.standard_normal((60, 6))
    return Relatives(tuple(taxa), (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float16))


def test_relatives_are_of_the_genus_else_the_family_else_the_order(kin: Relatives) -> None:
    asked = [
        *kin.taxa,
        taxon("Genus1 nova", "F1", "O1"),
        taxon("Nova nova", "F2", "O2"),
        taxon("Nova nova", "Novidae", "O2"),
        taxon("Nova nova", None, "O0"),
    ]
    for each in asked:
        found, want = kin.near(each), expected(kin, each)
        assert want is not None
        assert found is not None
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, want, atol=1e-6)


def test_who_has_no_relatives_has_none(kin: Relatives) -> None:
    assert kin.near(taxon("Nova nova", "Novidae", "Novales")) is None
    assert kin.near(taxon("Nova nova")) is None
    assert kin.near(Taxon("aves", "Aves", rank=Rank.CLASS)) is None


def test_what_a_taxon_is_near_does_not_depend_on_whether_it_was_met(kin: Relatives) -> None:
    for number, each in enumerate(kin.taxa):
        rest = np.delete(np.arange(60), number)
        others = Relatives(tuple(kin.taxa[row] for row in rest), kin.vectors[rest])
        np.testing.assert_array_equal(kin.near(each), others.near(each))


def test_a_taxon_is_left_out_under_all_its_names_and_however_often_it_is_there() -> None:
    names = ("Pica pica", "Pica nova", "PICA  hudsonia", "Corvus corax", "Pica pica")
    taxa = tuple(taxon(name, "Corvidae") for name in names)
    kin = Relatives(taxa, np.eye(5, dtype=np.float16))
    for others, place in ((["Pica hudsonia"], 1), (["Pica Hudsonia", "Pica nova"], 3)):
        found = kin.near(taxa[0], others)
        assert found is not None
        assert found.tolist() == np.eye(5)[place].tolist()
    assert kin.near(taxa[0], ["Pica hudsonia", "Pica nova", "Corvus corax"]) is None


def test_the_relatives_of_a_group_are_its_members(kin: Relatives) -> None:
    family = Taxon("f1", "F1", rank=Rank.FAMILY, order="O1")
    rows = [row for row, each in enumerate(kin.taxa) if each.family == "F1"]
    found = kin.near(family)
    assert found is not None
    np.testing.assert_allclose(found, mean(kin.vectors[rows]), atol=1e-6)


def test_relatives_that_lie_opposite_to_each_other_have_no_direction() -> None:
    taxa = (taxon("Pica one", "Corvidae"), taxon("Pica two", "Corvidae"), taxon("Corvus corax", "Corvidae"))
    kin = Relatives(taxa, np.array([[1, 0], [-1, 0], [0, 1]], np.float16))
    assert kin.near(taxon("Pica pica", "Corvidae")) is None
