"""Cells that name several species, and authors, who are none."""

from __future__ import annotations

import pytest

from biovita.taxonomy.parse import NameKind, parse_name
from biovita.taxonomy.remarks import split_remark
from biovita.taxonomy.several import species_named

TITS = ("Poecile palustris", "Poecile montanus")
SEVERAL = [
    ("Poecile palustris, Poecile montanus", TITS),
    ("Poecile palustris & Poecile montanus", TITS),
    ("Poecile palustris; Poecile montanus", TITS),
    ("Poecile palustris and Poecile montanus", TITS),
    ("Poecile palustris + Poecile montanus", TITS),
    ("Poecile palustris | Poecile montanus", TITS),
    ("Poecile palustris\nPoecile montanus", TITS),
    ("Poecile palustris\x0bPoecile montanus", TITS),
    ("Poecile palustris Poecile montanus", TITS),
    ("Poecile palustris und Poecile montanus", TITS),
    ("Poecile palustris with Poecile montanus", TITS),
    ("Poecile palustris vs. Poecile montanus", TITS),
    ("Poecile palustris, P. montanus", TITS),
    ("Poecile palustris & montanus", TITS),
    ("Poecile palustris (Linnaeus, 1758), Poecile montanus (Conrad von Baldenstein, 1827)", TITS),
    ("POECILE PALUSTRIS, POECILE MONTANUS", TITS),
    ("poecile palustris; poecile montanus", TITS),
    ("Sitta europaea, Certhia familiaris, Poecile palustris", ("Sitta europaea", "Certhia familiaris", TITS[0])),
    ("Sitta; Certhia", ("Sitta", "Certhia")),
    ("Sittidae, Certhiidae", ("Sittidae", "Certhiidae")),
]
AUTHORS = """
    Linnaeus, 1758 | (Linnaeus, 1758) | Linnaeus 1758 | (L.) | L. | L. f. | (Linn.) | [Linnaeus, 1758] | LINNAEUS, 1758
    Temminck & Schlegel, 1848 | Lesson & Garnot | d'Orbigny & Lafresnaye, 1837 | (d’Orbigny, 1835) | von Heuglin
    de la Llave | de La Llave, 1832 | Gray, JE | (Gray, J. E., 1840) | Gray JE, 1840 | Sclater, PL & Salvin, 1873
    sensu Clements | sensu Clements et al., 2023 | Vieillot [1817] | (Vieillot, [1817]) | Gmelin, "1788" [1789]
    Horsfield and Vigors, 1827 | Quoy et Gaimard, 1824 | Smith et al., 1990 | Linnaeus in Gmelin, 1789
    (Hemprich & Ehrenberg in Ehrenberg, 1833) | Hook. f. & Thomson | (Scopoli) Brünnich, 1764 | Wied-Neuwied, 1820
    zu Wied, 1821 | (van Hasselt MS, Temminck, 1825) | Du Bus de Gisignies, 1845 | Milne-Edwards & Grandidier, 1879
    Bonaparte, 1850: 34 | Bonaparte, 1850, nomen nudum | auct., non Linnaeus | nec Linnaeus, 1758 | O'Shaughnessy, 1879
    Baird, Cassin & Lawrence, 1858 | dos Santos e Silva, 1999
    M'Clelland, 1839 | Hume, 1874-1875 | Song, Ren & Liu, 2010
    ’t Hart, 1969 | Reichenbach, 1853 (1854) | de Sélys-Longchamps | Ali bin Ahmed, 1990 | Kuhl & van Hasselt
"""
AUTHORSHIPS = [each.strip() for line in AUTHORS.strip().splitlines() for each in line.split(" | ")]


@pytest.mark.parametrize(("text", "named"), SEVERAL)
def test_a_cell_of_several_names_is_no_name(text: str, named: tuple[str, ...]) -> None:
    parsed = parse_name(text)
    assert (parsed.kind, parsed.parts, parsed.canonical) == (NameKind.SEVERAL, named, None)


@pytest.mark.parametrize("authorship", AUTHORSHIPS)
def test_authors_are_neither_species_nor_remarks(authorship: str) -> None:
    for name in ("Sitta europaea", "Sitta europaea caesia"):
        parsed = parse_name(f"{name} {authorship}")
        assert (parsed.canonical, parsed.remark) == (name, None)
        assert parsed.kind in {NameKind.SCIENTIFIC, NameKind.QUALIFIED}


@pytest.mark.parametrize(
    "text",
    [
        "Sitta europaea, Kleiber",
        "Sitta europaea, Eurasian nuthatch",
        "Vulpes vulpes & Red fox",
        "Podocarpus laetus × Podocarpus totara",
        "Anas platyrhynchos x rubripes",
        "Chainsaw noise, dog barking",
        "Rain + Wind",
        "Dog & Cat",
        "Pica pica (Linnaeus, 1758/1766)",
        "",
    ],
)
def test_other_words_are_no_further_species(text: str) -> None:
    assert species_named(text) == ()


@pytest.mark.slow
def test_no_name_of_published_lists_is_several_or_has_a_remark(shared_data) -> None:
    import csv

    names = set()
    for list_ in ("avilist_2025", "ebird_2024"):
        with (shared_data / f"taxonomy/{list_}_taxonomy.csv").open(encoding="utf-8", newline="") as file:
            names |= {row["scientific_name"] for row in csv.DictReader(file)}
    assert len(names) > 30_000
    assert [name for name in sorted(names)[::4] if species_named(name) or split_remark(name)[1]] == []
