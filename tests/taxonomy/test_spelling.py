from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biovita.taxonomy.spelling import allowed_errors, gender_key, nearest, variant_key

SAME_GENDER_KEY = [
    ("albus", "alba", "album"),
    ("niger", "nigra", "nigrum"),
    ("asper", "aspera", "asperum"),
    ("viridis", "viride"),
    ("capensis", "capense"),
    ("smithi", "smithii"),
    ("novaehollandiae", "novae-hollandiae"),
    ("melanogaster", "melanogastra"),
]
OTHER_GENDER_KEY = [("smithi", "smithae"), ("smithi", "smithorum"), ("albus", "albulus"), ("major", "minor")]


@pytest.mark.parametrize("forms", SAME_GENDER_KEY)
def test_forms_of_one_epithet(forms):
    assert len({gender_key(form) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), OTHER_GENDER_KEY)
def test_different_epithets(one, other):
    assert gender_key(one) != gender_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sylvatica", "silvaticus"),
        ("caeruleus", "ceruleus"),
        ("kamtschatica", "camtschatica"),
        ("merulla", "merula"),
    ],
)
def test_common_variants(one, other):
    assert variant_key(one) == variant_key(other)
    assert gender_key(one) != gender_key(other)


def test_short_words_allow_no_error():
    assert [allowed_errors(length) for length in (4, 5, 8, 9)] == [0, 1, 1, 2]
    assert nearest("alba", ["alma"], 2) == []


@pytest.mark.parametrize("wrong", ["mercula", "merua", "mezula", "meurla"])
def test_the_four_kinds_of_error_count_one(wrong):
    assert nearest(wrong, ["merula", "pilaris"], 1) == ["merula"]


def test_all_that_are_as_near_are_returned_and_none_that_is_further():
    assert sorted(nearest("albiceps", ["albicens", "albicegs", "rubiceps"], 1)) == ["albicegs", "albicens"]
    assert nearest("ruficollis", ["rubricollis"], 1) == []
    assert nearest("ruficollis", ["rubricollis"], 2) == ["rubricollis"]


def distance(a: str, b: str) -> int:
    """Optimal string alignment, by its recurrence: the oracle."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, start=1):
        row = [i]
        for j, y in enumerate(b, start=1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


@given(st.text("abcde", min_size=9, max_size=12), st.lists(st.text("abcde", min_size=8, max_size=13), max_size=8))
def test_nearest_agrees_with_the_recurrence(word, among):
    near = min((distance(word, other) for other in among), default=9)
    expected = [other for other in among if distance(word, other) == near] if near <= 2 else []
    assert sorted(nearest(word, among, 2)) == sorted(expected)
