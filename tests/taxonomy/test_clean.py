"""Names as taxa are made of them: one of one, and what is no scientific name stays as it is."""

from __future__ import annotations

import pytest

from biovita.taxonomy import taxon_id_of
from biovita.taxonomy.clean import clean_name

ONE = [
    "Sitta europaea",
    "SITTA EUROPAEA",
    "sitta europaea",
    "Sitta_europaea",
    "sitta_europaea",
    "  Sitta  europaea ",
    "Sitta\u00a0europaea",
    "\ufeffSitta europaea",
    "Sitta euro\u00adpaea",
    "Sitta europaea\u200e",
    "\u202aSitta europaea\u202c",
    "S\u0456tta europaea",
    "Sitta europæa",
    "Sitta europaea Linnaeus, 1758",
    "Sitta europaea L.",
    "SITTA EUROPAEA LINNAEUS, 1758",
    "Sitta (Sitta) europaea",
    "Sitta europaea song",
    "Sitta europaea_Eurasian Nuthatch",
    '"Sitta europaea"',
]
KEPT = [
    "Sitta europaea caesia",
    "Chainsaw noise",
    "chainsaw noise",
    "CHAINSAW NOISE",
    "Human Speech",
    "Engine noise Truck",
    "Rain (heavy)",
    "Power tools_Power tools",
    "Larus sp.",
    "Larus cf. argentatus",
    "Larus argentatus/michahellis",
    "Buteo/eagle sp.",
    "Geothlypis trichas [trichas Group]",
    "Unknown",
    "Kohlmeise",
    "Синица большая",
    "Tobacco mosaic virus",
    "BOLD:AAA1234",
]


@pytest.mark.parametrize("given", ONE)
def test_all_forms_of_a_name_are_one_taxon(given: str) -> None:
    assert clean_name(given).name == "Sitta europaea"
    assert clean_name(given).several == ()


@pytest.mark.parametrize("given", KEPT)
def test_what_is_no_scientific_name_stays_what_it_is(given: str) -> None:
    assert clean_name(given).name == given
    assert clean_name(f"\u200b{given}\ufeff").name == given


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Sitta europaea ssp. caesia Wolf, 1810", "Sitta europaea caesia"),
        ("Anas platyrhynchos x rubripes", "Anas platyrhynchos × rubripes"),
        ("Quercus x hispanica", "Quercus × hispanica"),
        ("Larus argentatus / michahellis", "Larus argentatus/michahellis"),
        ("Sittidae Lesson, 1828", "Sittidae"),
        ("Gryllus sonus Truck, 1999", "Gryllus sonus"),
    ],
)
def test_names_of_other_kinds_have_one_form(given: str, name: str) -> None:
    assert clean_name(given).name == name
    assert clean_name(name).name == name, "what is clean stays so"


def test_several_names_are_told() -> None:
    assert clean_name("Sitta europaea, Certhia familiaris").several == ("Sitta europaea", "Certhia familiaris")


def test_ids_of_ordinary_names_are_what_they_were() -> None:
    for name in ("Sitta europaea", "Sitta europaea caesia", "Corvus corone", "Chainsaw noise"):
        assert taxon_id_of(clean_name(name).name) == name.lower().replace(" ", "_")


def test_a_clean_name_is_clean() -> None:
    """A mark within a word can be read over in the whole text, and end the name when it stands in the short form."""
    for given in ("Parus  majorajor mijorajoanrus cf. m!jorp.", "Parus major Linnaeus, 1758", "Larus sp."):
        name = clean_name(given).name
        assert clean_name(name).name == name
