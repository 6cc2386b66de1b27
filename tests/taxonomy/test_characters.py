"""Characters of names that are not seen, or only look like Latin letters."""

from __future__ import annotations

import unicodedata

import pytest

from biovita.taxonomy.characters import plain_characters, without_unseen
from biovita.taxonomy.parse import fold

UNSEEN = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufe0f\ufeff"


@pytest.mark.parametrize("mark", UNSEEN)
def test_what_is_not_seen_is_taken_out(mark: str) -> None:
    assert unicodedata.category(mark) in {"Cf", "Mn"}
    for text in (f"{mark}Sitta europaea", f"Sitta euro{mark}paea", f"Sitta {mark} europaea{mark}"):
        assert without_unseen(text) == plain_characters(text) == "Sitta europaea"
        assert fold(text) == "sitta europaea"


@pytest.mark.parametrize("space", "\u00a0\u2003\u2009\u202f\u3000\t\n")
def test_spaces_are_single_and_plain(space: str) -> None:
    assert without_unseen(f" Sitta{space}{space}europaea{space}") == "Sitta europaea"


@pytest.mark.parametrize("name", ["Sylvia rüppelli", "Cettia ñandú", "Rufibrenta ruficollis"])
def test_unicode_forms_are_one(name: str) -> None:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert {without_unseen(form) for form in forms} == {unicodedata.normalize("NFC", name)}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("Ru\ufb01brenta ruficollis", "Rufibrenta ruficollis"),
        ("\uff33itta europaea", "Sitta europaea"),
        ("C\u0435ttia \u0441etti", "Cettia cetti"),  # Cyrillic letters among Latin ones
        ("Inachis i\u03bf", "Inachis io"),  # a Greek one
        ("Polygonia c\u2010album", "Polygonia c-album"),
        ("Polygonia c\u2013album", "Polygonia c-album"),
        ("Sterna d\u2019orbignyi", "Sterna d'orbignyi"),
        ("Œnanthe œnanthe", "Oenanthe oenanthe"),
        ("Синица большая", "Синица большая"),  # a word of one script stays as it is
    ],
)
def test_letters_of_other_forms_are_plain(given: str, plain: str) -> None:
    assert plain_characters(given) == plain
