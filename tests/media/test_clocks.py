"""Time zones and offsets, at the days when clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from biovita.errors import BiovitaError
from biovita.media.clocks import offset_at, offset_between, offset_text, zone_of

at = datetime.fromisoformat

NOON = at("2021-07-01 12:00:00")


@pytest.mark.parametrize(
    ("name", "offset"),
    [
        *[("Europe/Berlin", 120), ("+02:00", 120), ("+0545", 345), ("-03:30", -210), ("UTC", 0), ("Z", 0)],
        *[("Asia/Kathmandu", 345), ("America/St_Johns", -150)],
    ],
)
def test_zones_by_name_and_by_offset(name: str, offset: int) -> None:
    assert offset_at(NOON, zone_of(name), name) == (offset, None)


@pytest.mark.parametrize(
    "name", ["Europe/Berln", "Europe", "../../etc/passwd", "", "+25:00", "/etc/localtime", "\0"]
)
def test_unknown_zones(name: str) -> None:
    with pytest.raises(BiovitaError, match="unknown time zone") as error:
        zone_of(name)
    assert "Europe/Berlin" in str(error.value)


def test_hours_that_come_twice_and_never() -> None:
    berlin = zone_of("Europe/Berlin")
    offset, note = offset_at(at("2021-10-31 02:30:00"), berlin, "Europe/Berlin")
    assert offset == 120
    assert "comes twice" in str(note)
    offset, note = offset_at(at("2021-03-28 02:30:00"), berlin, "Europe/Berlin")
    assert offset == 60
    assert "never comes" in str(note)
    assert offset_at(at("2021-03-28 03:00:00"), berlin, "Europe/Berlin") == (120, None)


@pytest.mark.parametrize(
    ("minutes", "offset"),
    [(120, 120), (345, 345), (-150, -150), (840, 840), (0, 0), (15, None), (105, None), (900, None), (-780, None)],
)
def test_the_difference_of_two_clocks_is_an_offset_where_one_is_in_use(minutes: int, offset: int | None) -> None:
    for seconds in (-60, 0, 60):
        assert offset_between(NOON + timedelta(minutes=minutes, seconds=seconds), NOON) == offset
    assert offset_between(NOON + timedelta(minutes=minutes, seconds=61), NOON) is None


def test_offsets_as_text() -> None:
    assert [offset_text(minutes) for minutes in (0, 330, -30, -300)] == ["+00:00", "+05:30", "-00:30", "-05:00"]
