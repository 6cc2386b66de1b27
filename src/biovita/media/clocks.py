"""Clocks of recorders and cameras: how far ahead of UTC they are, by what is known and never by a guess."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from biovita.errors import BiovitaError, unknown_name
from biovita.media.statements import offset_minutes

__all__ = ["is_unset", "offset_at", "offset_between", "offset_text", "zone_of"]

# The days that clocks begin with when their battery was out: of Unix, of GPS and DOS, of many a quartz.
_UNSET = {date(1970, 1, 1), date(1980, 1, 1), date(1980, 1, 6), date(2000, 1, 1)}
# Minutes ahead of UTC that are a legal time somewhere today, beside whole hours from -12 to 14 (IANA, 2026).
_PARTS_OF_HOURS = {-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825}
_SAME = timedelta(seconds=60)


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name, or by how far it is ahead of UTC: ``Europe/Berlin``, ``+02:00``.

    Raises
    ------
    BiovitaError
        Where there is no such zone; the message names the nearest.
    """
    ahead = offset_minutes(name) if name[:1] in "+-Z" else None
    if ahead is not None:
        return timezone(timedelta(minutes=ahead))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of the zones raises an OSError
        accepted = "Give an IANA name such as Europe/Berlin, or an offset such as +02:00"
        message = unknown_name("time zone", name, available_timezones())
        raise BiovitaError(f"{message}{'' if message.endswith('?') else '.'} {accepted}") from None


def offset_at(local: datetime, zone: tzinfo, name: str) -> tuple[int, str | None]:
    """Return how many minutes ahead of UTC a clock of a zone is, and a note where that is not the only answer.

    When summer time ends, an hour comes twice: the first one is taken. When it begins, an hour is left out: a clock in
    it was not put forward, so the offset of before is taken.
    """
    first, second = (_minutes(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first == second:
        return first, None
    stamp = local.isoformat(sep=" ")
    taken = f"{offset_text(first)} is taken"
    if first > second:
        return first, f"{stamp} comes twice in {name}, when the clocks go back: the first, {taken}"
    return first, f"{stamp} never comes in {name}, where the clocks go forward: the offset of before, {taken}"


def _minutes(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None
    return round(offset.total_seconds() / 60)


def offset_between(local: datetime, utc: datetime) -> int | None:
    """Return how many minutes a clock is ahead of UTC from its time and that of UTC at one moment.

    None where the difference is more than a minute away from every offset that is in use: then they are not of one
    moment, or the clock is wrong. Both are naive.
    """
    ahead = local - utc
    minutes = round(ahead / timedelta(minutes=15)) * 15
    if abs(ahead - timedelta(minutes=minutes)) > _SAME:
        return None
    in_use = minutes in _PARTS_OF_HOURS or (minutes % 60 == 0 and -720 <= minutes <= 840)
    return minutes if in_use else None


def is_unset(local: datetime) -> bool:
    """Say whether a date is one that clocks begin with when nobody has set them."""
    return local.date() in _UNSET


def offset_text(minutes: int) -> str:
    """Return an offset from UTC as ISO 8601 writes it: ``+02:00``."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
