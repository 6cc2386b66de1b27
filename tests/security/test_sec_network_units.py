"""Cases of what the tests of the network look at from outside, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from biovita.sources.web import number_in, retry_after

MANY = "9" * 5000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0), (" 7 ", 7.0), ("", None), ("soon", None), ("-1", None), ("1.5", None), ("\u00b2", None),
        ("9" * 22, 2592000.0), (MANY, 2592000.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 01 Jan 9999 00:00:00 GMT", 2592000.0), ("Fri, 01 Jan 99999999999 00:00:00 GMT", None),
        ("Fri, 01 Jan 2020 00:00:00 +99999999999999", None), (",", None), ("\u0661", None),
    ],
)  # fmt: skip
def test_retry_after_of_every_kind(value: str, expected: Any) -> None:
    assert retry_after({"retry-after": value}) == expected


def test_numbers_in_headers() -> None:
    given = ("0", "12", "", "-1", "1 ", "\u00b2", "\u0661", "9" * 18, "9" * 19, MANY)
    expected = [0, 12, None, None, None, None, None, 10**18 - 1, None, None]
    assert [number_in(each) for each in given] == expected
