"""Words behind a name that are no part of it."""

from __future__ import annotations

import pytest

from biovita.taxonomy.parse import NameKind, parse_name

REMARKS = [
    ("Sitta europaea song", "song"),
    ("Sitta europaea juvenile male", "juvenile male"),
    ("Sitta europaea (flight call)", "flight call"),
    ("Sitta europaea 3 ind.", "3 ind."),
    ("Sitta europaea x2", "x2"),
    ("Sitta europaea (2)", "2"),
    ("Sitta europaea - alarm call", "alarm call"),
    ("Sitta europaea, drumming", "drumming"),
    ("Sitta europaea: calls, then song", "calls, then song"),
    ("Sitta europaea [begging]", "begging"),
    ("Sitta europaea ♀", "♀"),
    ("Sitta europaea juv.", "juv."),
    ("Sitta europaea Song", "Song"),
    ("Sitta europaea m", "m"),
    ("Sitta europaea XC123456", "XC123456"),
    ("Sitta europaea #7", "#7"),
    ('Sitta europaea "twit"', "twit"),
    ("Sitta europaea and noise", "and noise"),
    ("Sitta europaea_song", "song"),
    ("Sitta europaea Linnaeus, 1758 subsong", "subsong"),
    ("Sitta europaea (Linnaeus, 1758), captive", "captive"),
    ("SITTA EUROPAEA MALE", "MALE"),
    ("sitta europaea song", "song"),
]


@pytest.mark.parametrize(("text", "remark"), REMARKS)
def test_what_is_no_part_of_a_name_is_set_apart(text: str, remark: str) -> None:
    parsed = parse_name(text)
    assert (parsed.kind, parsed.canonical, parsed.remark) == (NameKind.SCIENTIFIC, "Sitta europaea", remark)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Sitta europaea caesia", "Sitta europaea caesia"),
        ("Sitta europaea f. alba", "Sitta europaea alba"),
        ("Sitta europaea ssp. caesia Wolf, 1810", "Sitta europaea caesia"),
        ("Sitta europaea_Eurasian Nuthatch", "Sitta europaea"),  # as BirdNET writes its labels
        ("Sitta europaea Song, 1990", "Sitta europaea"),  # Song is an author, too
        ("SITTA EUROPAEA LINNAEUS, 1758", "Sitta europaea"),
        ("Rosa canina L. canina", "Rosa canina"),
        ("Sitta europaea agg.", "Sitta europaea"),
        ("Sitta europaea !", "Sitta europaea"),
    ],
)
def test_ranks_authors_years_and_notes_are_no_remarks(text: str, canonical: str) -> None:
    parsed = parse_name(text)
    assert (parsed.canonical, parsed.remark) == (canonical, None)


def test_a_name_that_is_not_understood_keeps_all_its_words() -> None:
    assert parse_name("Beet western yellows virus").kind == NameKind.OTHER
    assert parse_name("Larus sp. juvenile").remark is None
