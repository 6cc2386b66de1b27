"""What the names of recordings and photographs say: those that recorders, cameras and downloads give."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePath

from biovita.media.statements import Statement, offset_minutes, plain
from biovita.values import coordinates

__all__ = ["named", "xeno_canto_number"]

_STAMP = re.compile(
    r"(?<![0-9])(?P<year>(?:19|20)\d\d)(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:T|[_$ -]{1,2}|[_ ]at[_ ])"
    r"(?P<hour>\d\d)(?P<colon>[-_.:]?)(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d)(?:\d{3}|\.\d{3,6})?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?(?![0-9])",
    re.ASCII,
)
_DIGITS = re.compile(
    r"(?<![0-9])(?P<year>20\d\d)"
    + r"".join(rf"(?P<{part}>\d\d)" for part in ("month", "day", "hour", "minute", "second"))
    + r"(?P<zone>)(?P<colon>)(?![0-9])",
    re.ASCII,
)
_UNIX = re.compile(r"(?=[0-9A-F]*[A-F])[5-7][0-9A-F]{7}")  # from 2012 to 2038; all digits may be any number
_DEVICE = re.compile(r"24[0-9A-F]{14}")  # of an AudioMoth
_PREFIX_OF_ITS_NUMBER = re.compile(r"(?:S4|SM|2M)[A-Z]\d{5}")  # of a Song Meter, if nobody gave it another
_MICROPHONES = re.compile(r"_(?:0\+1|\+1|0\+|-)$")  # of a Song Meter SM3, after the prefix
_NO_SITES = {
    *("img", "pxl", "mvimg", "dsc", "dscn", "dscf", "pano", "vid", "photo", "image", "picture", "screenshot"),
    *("rec", "recording", "audio", "aud", "sound", "voice", "wav", "zoom"),
    *("noid", "noise"),  # of Echo Meters, where nothing is identified
}
_PLACE = re.compile(r"[\[_]([+-]\d{1,2}(?:\.\d{1,9})?)([+-]\d{1,3}(?:\.\d{1,9})?)(?=\]|_|$)", re.ASCII)
_CATALOGUED = re.compile(r"(XC|ML)\d{1,12}(?![0-9A-Za-z])")
_XENO_CANTO = re.compile(r"(?<![A-Za-z0-9])XC\d{1,12}(?![0-9A-Za-z])", re.IGNORECASE)
_TAXON = re.compile(r"[A-Z][a-z]+(?: [a-z-]{2,}){1,2}")
_INATURALIST = re.compile(
    r"(?:^|/)(photo|sound)s/(\d{1,12})(?:/(?:original|large|medium|small|square|thumb))?\.\w{3,4}$", re.ASCII
)


def named(path: PurePath) -> Statement:
    """Return what a name says.

    ========================================================= =========================================================
    Name                                                      What is read
    ========================================================= =========================================================
    ``SITE_20210503_041000.wav``, also with ``T``, ``-``, a   Site and local time; with ``Z``, ``+0200`` or ``-0500``
    blank, ``$`` or ``_at_`` between, and ``_000`` after it   after the time its zone
    ``2021-05-03_04-10.wav``, ``SITE__2021-05-03__04-10-00``  The same
    ``20210503041000.jpg``                                    Local time
    ``24E144085F256DF6_20210503_041000.WAV``                  The AudioMoth, and local time
    ``S4A03895_20210503_041000.wav``                          Its number, which is the site too, and local time
    ``5A930F4A.WAV``                                          Seconds since 1970, UTC: AudioMoth of the first years
    ``20210621T205706-0300_REC_[-12.3456+78.9012].flac``      Time, zone and place: Frontier Labs
    ``PXL_20210503_041000123.jpg``                            UTC: Google's phones
    ``XC12 - Eurasian Wren - Troglodytes troglodytes.mp3``    Number of xeno-canto, and the name of the taxon
    ``XC12-what its recordist called it.mp3``, ``ML12.mp3``   Number of xeno-canto, or of the Macaulay Library
    ``photos/12/original.jpg``, ``sounds/12.m4a``             Number of a photograph or sound of iNaturalist
    ========================================================= =========================================================

    Words of cameras and phones before a time (``IMG``, ``DSC``, ``REC``) are no sites.

    Parameters
    ----------
    path
        Of the file; only iNaturalist's ids stand in the folder's name.
    """
    stem = path.stem
    number, taxon = _catalogued(path)
    stamp = _STAMP.search(stem) or _DIGITS.search(stem)
    begin = None if stamp is None else _local(stamp)
    unix = _UNIX.fullmatch(stem)
    if begin is None and unix is not None:
        seconds = datetime.fromtimestamp(int(unix[0], 16), UTC)
        return Statement("the file name", seconds.replace(tzinfo=None), 0)
    if begin is None or stamp is None:
        return Statement("the file name", source_id=number, taxon_hint=taxon)
    prefix = _MICROPHONES.sub("", stem[: stamp.start()].rstrip("_- .").partition("__")[0])
    zone = "Z" if prefix == "PXL" else stamp["zone"]
    place = _PLACE.search(stem, stamp.end())
    latitude, longitude = coordinates(place[1], place[2]) if place else (None, None)
    moth, meter = _DEVICE.fullmatch(prefix), _PREFIX_OF_ITS_NUMBER.fullmatch(prefix)
    begins_span = prefix == "S" and stem.startswith("_E", stamp.end())  # Frontier Labs: S begin _E end
    is_site = not (number or moth or begins_span or prefix.lower() in _NO_SITES)
    return Statement(
        "the file name",
        begin,
        offset_minutes(zone) if zone else None,
        latitude,
        longitude,
        site=plain(prefix) if is_site else None,
        make="Open Acoustic Devices" if moth else "Wildlife Acoustics" if meter else None,
        model="AudioMoth" if moth else None,
        serial=prefix if moth or meter else None,
        source_id=number,
        taxon_hint=taxon,
    )


def xeno_canto_number(name: str) -> str | None:
    """Return the number of xeno-canto in the name of a file, wherever it stands; None where there are several, or none.

    Examples
    --------
    >>> xeno_canto_number("Parus major - XC12345.mp3"), xeno_canto_number("XC1 or XC2.mp3")
    ('XC12345', None)
    """
    numbers = {number.upper() for number in _XENO_CANTO.findall(name)}
    return numbers.pop() if len(numbers) == 1 else None


def _local(stamp: re.Match[str]) -> datetime | None:
    """Return the time of a stamp; without seconds only where something stands between hour and minute."""
    if stamp["second"] is None and not stamp["colon"]:
        return None
    parts = (stamp[part] for part in ("year", "month", "day", "hour", "minute", "second"))
    try:
        return datetime(*(int(part or 0) for part in parts))  # type: ignore[arg-type]  # noqa: DTZ001 - of its clock
    except ValueError:
        return None


def _catalogued(path: PurePath) -> tuple[str | None, str | None]:
    """Return the number in a collection, and the scientific name that a name states beside it."""
    if found := _INATURALIST.search(path.as_posix()):
        return f"iNaturalist {found[1]} {found[2]}", None
    number = _CATALOGUED.match(path.stem)
    if number is None:
        return None, None
    parts = path.stem.split(" - ")
    states_taxon = number[1] == "XC" and len(parts) > 2 and _TAXON.fullmatch(parts[-1])
    return number[0], parts[-1] if states_taxon else None
