"""Statements of one file beside each other: which is taken, and where they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from biovita.media.clocks import is_unset, offset_at, offset_between, offset_text
from biovita.media.statements import Statement

__all__ = ["checked", "clock_offset", "other_places", "other_sites", "other_times", "recorder_of"]

_SAME = timedelta(seconds=2)  # between two sources: file systems and recorders round
_NEAR_DEGREES = 0.01  # about a kilometre


def checked(statement: Statement) -> Statement:
    """Return a statement without the date of a clock that nobody set, and without the place 0, 0."""
    if statement.begin_local is not None and is_unset(statement.begin_local):
        note = f"{statement.source} says {_moment(statement)}, as clocks do that nobody set: it is not used"
        statement = replace(statement, begin_local=None, utc_offset_min=None, notes=(*statement.notes, note))
    if statement.latitude == 0 and statement.longitude == 0:
        note = f"{statement.source} says the place 0, 0, as receivers do that have none: it is not used"
        statement = replace(statement, latitude=None, longitude=None, notes=(*statement.notes, note))
    return statement


def clock_offset(timed: Sequence[Statement], zone: tuple[str, tzinfo] | None) -> tuple[int | None, str, list[str]]:
    """Return how many minutes ahead of UTC the clock of the first statement is, which source says so, and notes.

    It is what the first statement says. Else it is what another says whose time is of the same moment, or the
    difference to another that has its time in UTC. Else it is that of the zone that was given.

    Parameters
    ----------
    timed
        Statements that have a time.
    zone
        Its name, and it.
    """
    first = timed[0]
    assert first.begin_local is not None
    offset, source, notes = first.utc_offset_min, first.source, list[str]()
    for other in timed[1:]:
        utc = _utc(other, other.utc_offset_min)
        if offset is not None or utc is None:
            continue
        ahead = offset_between(first.begin_local, utc)
        if ahead is not None and other.utc_offset_min in {ahead, 0}:
            offset, source = ahead, other.source
            if ahead != other.utc_offset_min:
                notes.append(
                    f"The zone {offset_text(ahead)} is the time of {first.source} less that of {source}, in UTC"
                )
    if zone is None:
        return offset, source, notes
    name, tz = zone
    expected, note = offset_at(first.begin_local, tz, name)
    if offset is None:
        return expected, "the time zone that was given", notes + ([] if note is None else [note])
    if offset != expected:
        notes.append(
            f"By {source} the clock is {offset_text(offset)} from UTC, and in the given time zone {name} it would be "
            f"{offset_text(expected)}: {source} is taken"
        )
    return offset, source, notes


def _utc(statement: Statement, offset: int | None) -> datetime | None:
    if statement.begin_local is None or offset is None:
        return None
    return statement.begin_local - timedelta(minutes=offset)


def _moment(statement: Statement) -> str:
    """Return a statement's time as ISO 8601 writes it; with a blank for the T where it has no zone."""
    assert statement.begin_local is not None
    if statement.utc_offset_min is None:
        return statement.begin_local.isoformat(sep=" ")
    return statement.begin_local.isoformat() + offset_text(statement.utc_offset_min)


def other_times(timed: Sequence[Statement], offset: int | None) -> list[str]:
    """Return notes on the times that are not the first: by UTC where both have it, else by their clocks."""
    first = timed[0]
    notes = []
    for other in timed[1:]:
        here, there = _utc(first, offset), _utc(other, other.utc_offset_min)
        if here is None or there is None:
            here, there = first.begin_local, other.begin_local
        assert here is not None
        assert there is not None
        if abs(here - there) > _SAME:
            notes.append(_conflict(first, _moment(first), other, _moment(other)))
    return notes


def other_places(placed: Sequence[Statement]) -> list[str]:
    """Return notes on the places that are more than about a kilometre from the first."""
    first = placed[0]
    return [
        _conflict(first, f"{first.latitude} {first.longitude}", other, f"{other.latitude} {other.longitude}")
        for other in placed[1:]
        if abs((first.latitude or 0) - (other.latitude or 0)) > _NEAR_DEGREES
        or abs((first.longitude or 0) - (other.longitude or 0)) > _NEAR_DEGREES
    ]


def other_sites(sited: Sequence[Statement]) -> list[str]:
    """Return notes on the names of sites that are not the first."""
    return [
        _conflict(sited[0], f"site {sited[0].site}", other, f"site {other.site}")
        for other in sited[1:]
        if other.site != sited[0].site
    ]


def _conflict(first: Statement, says: str, other: Statement, other_says: str) -> str:
    return f"{first.source} says {says} and {other.source} {other_says}: {first.source} is taken"


def recorder_of(statements: Sequence[Statement]) -> tuple[str, str] | None:
    """Return make, model and serial number in words: of the first source that has a make or model.

    The serial number may be of another one.
    """
    stating = [each for each in statements if each.make or each.model] or [
        each for each in statements if each.serial
    ]
    if not stating:
        return None
    first = stating[0]
    serial = first.serial or next((each.serial for each in statements if each.serial), None)
    make = None if first.make and (first.model or "").startswith(first.make) else first.make
    return " ".join(filter(None, (make, first.model, serial))), first.source
