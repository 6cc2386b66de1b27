"""What one part of a file says of itself: when, where and with what it was made, and whose it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from biovita.values import coordinates

__all__ = ["Statement", "license_in", "moment", "offset_minutes", "plain", "position", "when"]

_MOST = 500  # characters of a text that is kept
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_MOMENT = re.compile(
    r"(\d{4})[-:/._ ](\d{2})[-:/._ ](\d{2})[T_ ]+(\d{1,2})[-:._ ](\d{2})(?:[-:._ ](\d{2})(?:[.,](\d{1,9}))?)?"
    r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?)?",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d{1,2}?):?(\d{2})?", re.ASCII)
_YEARS = (1900, 2200)  # that anybody recorded or photographs in
_FARTHEST_MIN = 14 * 60  # Kiritimati; westward it is 12 hours
_NUMBER = r"[+-]?\d{1,3}(?:\.\d{1,12})?"
_HEMISPHERES = re.compile(rf"({_NUMBER})[,; ]+([NS])[,; ]+({_NUMBER})[,; ]+([EW])", re.ASCII | re.IGNORECASE)
_DECIMALS = re.compile(rf"({_NUMBER})(?:[,; ]+|(?=[+-]))({_NUMBER})", re.ASCII)
_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licenses|publicdomain)/[a-z-]+(?:/\d\.\d)?", re.IGNORECASE | re.ASCII
)
_CODE = re.compile(
    r"(?:\bCC|Creative Commons(?: Attribution)?)[-_ ]*\(?(0|zero|BY(?:[-_ ](?:NC|ND|SA))*)\)?(?:[-_ ]+v?(\d\.\d))?",
    re.IGNORECASE | re.ASCII,
)
_WORDS = re.compile(r"\bpublic domain\b|\ball rights reserved\b", re.IGNORECASE)
# Words in front of a licence that may take back a part of it; who made a recording may stand there, too.
_LIMITING = re.compile(
    r"\b(?:non|not?|only|sólo|solo|nur|nicht|kein|except|without|sauf|pas|share|deriv|restrict|permission|private|"
    r"personal|research|educat|commerc|kommerz|comerc)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What one source says; what it does not say is None.

    Attributes
    ----------
    source
        The source, as a sentence names it: ``GUANO``, ``the file name``.
    begin_local
        Begin of the recording, or moment of the photograph, by the clock of the recorder or camera.
    utc_offset_min
        How far that clock is ahead of UTC, in minutes.
    latitude, longitude
        WGS 84, degrees.
    time_expansion
        By how much the sound in the file is slower than it was.
    license
        As far as `biovita` can tell it from other words, in the words of the file.
    notes
        What could not be read, in sentences.
    """

    source: str
    begin_local: datetime | None = None
    utc_offset_min: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    site: str | None = None
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    gain: str | None = None
    time_expansion: float | None = None
    source_id: str | None = None
    taxon_hint: str | None = None
    license: str | None = None
    attribution: str | None = None
    notes: tuple[str, ...] = ()


def plain(text: str | bytes | None) -> str | None:
    r"""Return a text of a file as one line of characters that can be seen, at most 500; None where nothing is left.

    Bytes are UTF-8, or else Latin-1, and end at the first zero.

    Examples
    --------
    >>> plain(b"Song Meter\0\0\0"), plain("Plot\n 7 "), plain(" \0")
    ('Song Meter', 'Plot 7', None)
    """
    if isinstance(text, bytes):
        content = text.partition(b"\0")[0]
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    return " ".join(_UNSEEN.sub(" ", text or "").split())[:_MOST].rstrip() or None


def moment(text: str | None) -> tuple[datetime, int | None] | None:
    """Return a date with a time, and the minutes that its clock is ahead of UTC where it says so; None for others.

    Examples
    --------
    >>> moment("2020-10-17 13:05:00+1:00")
    (datetime.datetime(2020, 10, 17, 13, 5), 60)
    >>> moment("2020-10-17T13:05:00Z"), moment("2020:10:17 13:05:00")[1], moment("2020-10-17")
    ((datetime.datetime(2020, 10, 17, 13, 5), 0), None, None)
    """
    found = _MOMENT.fullmatch((text or "").strip())
    if found is None or not _YEARS[0] <= int(found[1]) <= _YEARS[1]:
        return None
    offset = None if found[8] is None else offset_minutes(found[8])
    if found[8] is not None and offset is None:
        return None
    try:
        whole = datetime(*(int(part or 0) for part in found.groups()[:6]))  # type: ignore[arg-type]  # noqa: DTZ001 - of that clock
    except ValueError:
        return None
    return whole + timedelta(microseconds=int((found[7] or "")[:6].ljust(6, "0"))), offset


def offset_minutes(text: str) -> int | None:
    """Return how many minutes a clock is ahead of UTC from ``Z``, ``UTC``, ``+02:00``, ``+0200`` or ``+2``.

    None where it is more than any clock is.
    """
    if text in {"Z", "UTC"}:
        return 0
    found = _OFFSET.fullmatch(text)
    if found is None or int(found[3] or 0) > 59:
        return None
    minutes = int(found[2]) * 60 + int(found[3] or 0)
    return None if minutes > _FARTHEST_MIN else minutes if found[1] == "+" else -minutes


def when(source: str, text: str | None) -> tuple[datetime | None, int | None, tuple[str, ...]]:
    """Return what `moment` reads, and a note where there is a text that is no date with a time."""
    found = moment(text)
    if found is not None:
        return *found, ()
    unread = plain(text)
    note = f"{source} states the time {unread!r}, which is no date with a time of day: it is not used"
    return None, None, ((note,) if unread and re.search("[1-9]", unread) else ())


def position(text: str | None) -> tuple[float | None, float | None]:
    """Return a latitude and a longitude in degrees from a text of two numbers, with hemispheres or signs.

    Examples
    --------
    >>> position("54.75656 -1.59106"), position("WGS84,42.5,N,71.25,W,12"), position("+27.38-152.88")
    ((54.75656, -1.59106), (42.5, -71.25), (27.38, -152.88))
    """
    text = (text or "").strip().removeprefix("WGS84").strip(" ,;")
    if found := _HEMISPHERES.match(text):
        north = ("-" if found[2] in "Ss" else "") + found[1]
        east = ("-" if found[4] in "Ww" else "") + found[3]
        return coordinates(north, east)
    found = _DECIMALS.match(text)
    return coordinates(found[1], found[2]) if found else (None, None)


def license_in(*texts: str | None) -> str | None:
    """Return the first statement of a licence in texts, in a form that our sources read: an address or a code.

    It is the whole text where words that belong to the statement stand around the licence, or may do so.

    Examples
    --------
    >>> license_in(None, "(c) A. Bee, some rights reserved (CC BY-NC)"), license_in("Creative Commons BY-SA 4.0")
    ('CC BY-NC', 'CC BY-SA 4.0')
    >>> license_in("CC BY non commercial"), license_in("Not for sale, CC BY")
    ('CC BY non commercial', 'Not for sale, CC BY')
    """
    for text in filter(None, texts):
        for pattern in (_ADDRESS, _CODE, _WORDS):
            if found := pattern.search(text):
                before, after = text[: found.start()], text[found.end() :]
                if _LIMITING.search(before) or re.search(r"\w", after):
                    return text
                if pattern is not _CODE:
                    return found[0]
                return " ".join(filter(None, ("CC", found[1], found[2]))).replace("CC zero", "CC 0")
    return None
