"""Values as spreadsheets, pandas, R and people write them: what is missing, and numbers, degrees and dates.

What is not understood beyond doubt is None, never a guess.
"""

from __future__ import annotations

import re

from biovita.values import number

__all__ = ["EXCEL_ERRORS", "day_of", "degrees", "is_missing", "number_within"]

EXCEL_ERRORS = frozenset(
    {"#VALUE!", "#REF!", "#NAME?", "#DIV/0!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BUSY!"}
)
_MISSING = frozenset(
    {"NA", "N/A", "n/a", "<NA>", "NaN", "nan", "NULL", "null", "None", "#N/A", "#NULL!", "-", "\\N"}
)
# Of a number, nothing else can be meant by these either.
_NO_NUMBER = frozenset(
    {"na", "n/a", "n.a.", "nd", "#n/a n/a", "nan", "-nan", "null", "none", "--", "—", "–", "?", "."}
)
_GROUPS = re.compile(r"[+-]?\d{1,3}(?:([ ',.])\d{3}(?:\1\d{3})*)?(?:[.,]\d+)?", re.ASCII)
_SPACES = dict.fromkeys(map(ord, "\xa0\u2009\u202f"), " ")
_SIGNS = {**_SPACES, 0x2212: "-", 0x2019: "'", 0x2032: "'", 0x2033: '"', 0x201D: '"', 0xBA: "°", 0x2DA: "°"}
_DEGREES = re.compile(
    r"""([NSEW])?\s*([+-]?\d{1,3}(?:[.,]\d+)?)\s*°?\s*
        (?:(\d{1,2}(?:[.,]\d+)?)\s*'\s*(?:(\d{1,2}(?:[.,]\d+)?)\s*(?:"|'')\s*)?)?([NSEW])?""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_DATE = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[T ]+(\d{1,2}:\d{2}(?::\d{2})?))?", re.ASCII)
_COMPACT = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)", re.ASCII)


def is_missing(text: str, *, of_number: bool = False) -> bool:
    """Return whether a text is one of those that stand for no value: ``NA``, ``nan``, ``NULL``, ``#N/A`` and the like.

    Parameters
    ----------
    of_number
        Whether a number is looked for, so that more of them can stand for nothing.

    Examples
    --------
    >>> is_missing("#N/A"), is_missing("Nan"), is_missing("Nan", of_number=True)
    (True, False, True)
    """
    return text in _MISSING or (of_number and text.lower() in _NO_NUMBER)


def number_within(text: str, low: float, high: float, *, decimal_comma: bool = False) -> float | None:
    """Return the one number within two bounds that a text can mean, with a decimal point or comma and groups of digits.

    Parameters
    ----------
    decimal_comma
        Whether a comma is known to be a decimal one, as in tables of semicolons, which Excel and R write where it is.

    Examples
    --------
    >>> number_within("52,52", -90, 90), number_within("1.234,5", 0, 1e9), number_within("1,234", 0, 1e9)
    (52.52, 1234.5, None)
    """
    found = number(text)
    if found is not None:
        return found if low <= found <= high else None
    text = text.translate(_SIGNS).strip()
    meant = {value for value in _readings(text, decimal_comma=decimal_comma) if low <= value <= high}
    return meant.pop() if len(meant) == 1 else None


def _readings(text: str, *, decimal_comma: bool) -> list[float]:
    """Return the numbers that a text can mean: each mark ends the whole part, or only groups its digits."""
    if len(text) > 40:
        return []
    plain = [number(text.replace(",", "."))] if text.count(",") == 1 and "." not in text else [number(text)]
    grouped = _GROUPS.fullmatch(text)
    if grouped is not None and grouped[1] and not (decimal_comma and grouped[1] == ","):
        plain.append(number(text.replace(grouped[1], "").replace(",", ".")))
    return [value for value in plain if value is not None]


def degrees(text: str, *, is_latitude: bool) -> float | None:
    """Return a latitude or longitude in degrees, from decimals, or degrees with minutes and seconds; None for no place.

    Examples
    --------
    >>> degrees("52,52", is_latitude=True), degrees("13°24'W", is_latitude=False), degrees("13 E", is_latitude=True)
    (52.52, -13.4, None)
    """
    most = 90.0 if is_latitude else 180.0
    plain = number_within(text, -most, most)
    if plain is not None or number(text) is not None:
        return plain
    found = _DEGREES.fullmatch(text.translate(_SIGNS).strip())
    if found is None or (found[1] and found[5]):
        return None
    whole, minutes, seconds = ((part or "0").replace(",", ".") for part in found.group(2, 3, 4))
    side = (found[1] or found[5] or "").upper()
    if float(minutes) >= 60 or float(seconds) >= 60 or (side and (side in "NS") != is_latitude):
        return None
    if (found[3] and "." in whole) or (side and whole.startswith(("-", "+"))):
        return None
    value = abs(float(whole)) + float(minutes) / 60 + float(seconds) / 3600
    value = -value if whole.startswith("-") or side in {"S", "W"} else value
    return round(value, 10) if abs(value) <= most else None


def day_of(text: str) -> str | None:
    """Return a date, with its time of day, as ISO 8601, where day and month cannot be taken for each other.

    Examples
    --------
    >>> day_of("25.12.2023 6:05"), day_of("2024/5/3"), day_of("03.05.2024"), day_of("45415")
    ('2023-12-25T06:05', '2024-05-03', None, None)
    """
    compact = _COMPACT.fullmatch(text)
    found = None if compact else _DATE.fullmatch(text)
    if compact is not None:
        year, month, day, clock = *compact.groups(), None
    elif found is None:
        return None
    elif len(found[1]) == 4:
        year, month, day, clock = found[1], found[3], found[4], found[5]
    elif len(found[4]) == 4:
        (first, second), year, clock = (found[1], found[3]), found[4], found[5]
        day, month = (first, second) if int(first) > 12 else (second, first)
        if int(day) <= 12 and first != second:
            return None
    else:
        return None
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31 and 1000 <= int(year) <= 2999):
        return None
    date = f"{year}-{int(month):02}-{int(day):02}"
    if clock is None:
        return date
    hour, *rest = clock.split(":")
    return f"{date}T{int(hour):02}:{':'.join(rest)}" if int(hour) < 24 and max(map(int, rest)) < 60 else None
