"""Single values as tables hold them, read strictly: what is not understood is None, never a guess."""

from __future__ import annotations

import math
import re
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from biovita.modality import Modality

__all__ = [
    "address_parts",
    "coordinates",
    "is_plain",
    "iso_date",
    "kind_by_ending",
    "media_kind",
    "number",
    "says_a_kind",
    "seconds",
    "text",
    "web_address",
    "whole",
]

_EMPTY = {"", "NA", "NULL", "None", "\\N"}
_DATE = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?(?![\d-])", re.ASCII)
_TIME = re.compile(r"^\s*(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DIGITS = 100  # in a number; what has more is none that anybody measured
_MOST_WHOLE = 2**31 - 1
_EXTENSIONS = {
    **dict.fromkeys(
        (".wav", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".flac", ".aif", ".aiff"), Modality.AUDIO
    ),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".webp", ".tif", ".tiff"), Modality.IMAGE),
    **dict.fromkeys((".avif", ".heic", ".heif", ".hif"), Modality.IMAGE),
}
# Words of Dublin Core, Audubon Core and media types, endings, and what people write for them; None is something else.
_KINDS: dict[str, Modality | None] = {
    **{ending[1:]: modality for ending, modality in _EXTENSIONS.items()},
    **dict.fromkeys(("sound", "sounds", "audio", "recording", "soundrecording", "wave", "xwav"), Modality.AUDIO),
    **dict.fromkeys(("stillimage", "stillimages", "image", "images", "photo", "photos"), Modality.IMAGE),
    **dict.fromkeys(("photograph", "photographs", "picture", "pictures", "pjpeg"), Modality.IMAGE),
    **dict.fromkeys(("movingimage", "movingimages", "video", "movie", "film", "mp4", "mov", "avi", "mpg"), None),
    **dict.fromkeys(("text", "html", "pdf", "interactiveresource"), None),
}


def text(value: object) -> str | None:
    """Return text without space around it; None for nothing, ``NA``, ``NULL``, ``None``, and for no text or number."""
    if value.__class__ is not str:
        if isinstance(value, (bool, int)):
            value = str(value) if int(value).bit_length() <= 256 else ""
        elif isinstance(value, (str, float)):
            value = str(value)
        else:
            return None
    stripped = " ".join(value.split())
    return None if stripped in _EMPTY else stripped


def is_plain(number: str) -> bool:
    """Return whether a text may be a number as tables write them: short, in ASCII, without underscores."""
    return len(number) <= _DIGITS and number.isascii() and "_" not in number


def number(value: object) -> float | None:
    """Return a finite number, or None; a text has it in plain digits.

    Examples
    --------
    >>> number(" 4.5e1 "), number("1_000"), number("١"), number("1e400"), number(True), number(10**400)
    (45.0, None, None, None, None, None)
    """
    if isinstance(value, str):
        if not is_plain(value):
            return None
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: object) -> int | None:
    """Return a number from 0 to 2,147,483,647 without a fraction, or None."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= _MOST_WHOLE and found == int(found) else None


def coordinates(latitude: object, longitude: object) -> tuple[float | None, float | None]:
    """Return a place in degrees; (None, None) where either part is missing or out of range."""
    north, east = number(latitude), number(longitude)
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:
        return None, None
    return north, east


def iso_date(date: object, time: object = None) -> str | None:
    """Return a date as ISO 8601, as precise as it is known, with the time of day where that is given.

    Zeros for an unknown month or day, as xeno-canto writes them, are left out; of a span its start counts.

    Examples
    --------
    >>> iso_date("2015-06-00"), iso_date("2015-06-23", "07:17"), iso_date("1961-07-06T00:00Z"), iso_date("June")
    ('2015-06', '2015-06-23T07:17', '1961-07-06', None)
    """
    match = _DATE.match(date.strip() if isinstance(date, str) else text(date) or "")
    if match is None or match[1] == "0000":
        return None
    year, month, day = match[1], match[2], match[3]
    if month is None or not 1 <= int(month) <= 12:
        return year
    if day is None or not 1 <= int(day) <= 31:
        return f"{year}-{month}"
    clock = _TIME.match(time if isinstance(time, str) else "")
    if clock is None or int(clock[1]) > 23 or int(clock[2]) > 59:
        return f"{year}-{month}-{day}"
    return f"{year}-{month}-{day}T{int(clock[1]):02}:{clock[2]}"


def seconds(length: object) -> float | None:
    """Return a length such as ``4:13`` or ``1:02:03`` in seconds.

    Examples
    --------
    >>> seconds("4:13"), seconds("1:²"), seconds("?")
    (253.0, None, None)
    """
    parts = [part.strip() for part in (text(length) or "").split(":", 3)]
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    total = 0
    for part in parts:
        total = total * 60 + int(part)
    return float(total)


def web_address(value: object) -> str | None:
    """Return an address with its scheme: ``//`` becomes ``https://``; None where it is not http or https."""
    address = text(value)
    if address is None:
        return None
    if address.startswith("//"):
        address = "https:" + address
    parts = address_parts(address)
    return address if parts is not None and parts.scheme.lower() in {"http", "https"} and parts.netloc else None


def address_parts(address: str) -> SplitResult | None:
    """Return the parts of an address; None of one that is ill-formed, such as ``http://[`` or one with port ``x``."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts


def kind_by_ending(name: str) -> Modality | None:
    """Return what a file is by the ending of its name; None of one that is neither sound nor a picture.

    Examples
    --------
    >>> kind_by_ending("A#1.WAV"), kind_by_ending("notes.txt")
    (<Modality.AUDIO: 'audio'>, None)
    """
    return _EXTENSIONS.get(PurePosixPath(name).suffix.lower())


def media_kind(type_: str | None, format_: str | None, address: str | None) -> Modality | None:
    """Return what a medium is, by Dublin Core type, then media type, then the address's ending.

    Each is read as people write it, also where they swapped the two; a word that nothing knows decides nothing. None
    is a medium that is stated to be something else, such as a film, or that nothing tells of.

    Examples
    --------
    >>> media_kind("Occurrence", "jpg", None), media_kind("image/jpeg", "StillImage", None)
    (<Modality.IMAGE: 'image'>, <Modality.IMAGE: 'image'>)
    >>> media_kind("MovingImage", "video/mp4", "https://x.org/a.mp3"), media_kind("a note", None, "x.org/a.mp3")
    (None, <Modality.AUDIO: 'audio'>)
    """
    for stated in (type_, format_):
        kinds = _stated_kinds(stated)
        if len(kinds) == 1:
            return next(iter(kinds))
    parts = address_parts(address or "")
    if parts is None:
        return None
    names = (parts.path, *re.split("[&=;]", parts.query))
    return next((kind for name in names if (kind := kind_by_ending(name)) is not None), None)


def says_a_kind(type_: str | None, format_: str | None, address: str | None) -> bool:
    """Return whether type, format or the address's ending say what a medium is, be it something else than media.

    Examples
    --------
    >>> says_a_kind("a note", None, "https://x.org/media/81"), says_a_kind("MovingImage", None, None)
    (False, True)
    """
    is_stated = any(len(_stated_kinds(stated)) == 1 for stated in (type_, format_))
    return is_stated or media_kind(None, None, address) is not None


def _stated_kinds(stated: str | None) -> set[Modality | None]:
    """Return what the words of a type or format stand for, as far as they are known."""
    words = [re.sub(r"[\s_.-]+", "", word) for word in re.split(r"[/#;,|:]+", (stated or "").lower())]
    if len(words) == 2 and "/" in (stated or "") and words[0] in _KINDS:
        words.pop()  # of a media type the first part counts: video/ogg
    return {_KINDS[word] for word in words if word in _KINDS}
