"""What a photograph says of itself by EXIF: when, where and with which camera it was taken, and whose it is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biovita.errors import MediaError
from biovita.media.bombs import TimedFile, check_header, pillow_limit
from biovita.media.clocks import offset_between, offset_text
from biovita.media.image import DAMAGED
from biovita.media.openers import open_picture
from biovita.media.patience import Patience
from biovita.media.sniff import brands_of, read_head
from biovita.media.statements import Statement, license_in, plain, when
from biovita.values import coordinates, number

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["exif"]

_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "TIFF",
)  # that hold EXIF, of those that are read; AVIF and HEIF are told by brands
_TIFF = (b"II*\x00", b"MM\x00*")
# Fields by their numbers (Exif 2.32, CIPA DC-008).
_MAKE, _MODEL, _ARTIST, _COPYRIGHT = 271, 272, 315, 33432
_TAKEN = ((36867, 36881, 37521), (36868, 36882, 37522))  # time, offset, part of a second: taken, else digitised
_SERIAL = 42033
_NORTH, _LATITUDE, _EAST, _LONGITUDE, _GPS_TIME, _GPS_DATE = 1, 2, 3, 4, 7, 29


def exif(path: Path) -> Statement:
    """Return what the EXIF data of a picture say; of a picture without any, or a damaged one, nothing and a note.

    Where the camera states no zone, and the satellites' time stands beside its own, the difference of the two is how
    far its clock is ahead of UTC. It is taken, with a note, where it is within a minute of an offset that is in use. It
    is measured and not guessed, and the moment that follows is that of the satellites.
    """
    source = "EXIF"
    try:
        general, detailed, place = _fields(path)
    except MediaError as error:
        return Statement(source, notes=(f"EXIF data were not looked for: {error}",))
    except DAMAGED as error:
        return Statement(source, notes=(f"EXIF data cannot be read: {plain(str(error)) or type(error).__name__}",))
    begin, offset, notes = _taken(source, detailed)
    if begin is not None and offset is None and (satellites := _satellite_time(place)) is not None:
        offset = offset_between(begin.replace(microsecond=0), satellites)
        if offset is None:
            both = (
                f"{begin.isoformat(sep=' ')} by the camera, and {satellites.isoformat(sep=' ')} UTC by satellites"
            )
            notes += (f"EXIF says {both}: they are not of one moment, and no zone follows",)
        else:
            notes += (
                f"The zone {offset_text(offset)} is the camera's time less that of satellites, both of EXIF",
            )
    latitude, longitude = _position(place)
    make, model = (_text(general.get(field)) for field in (_MAKE, _MODEL))
    owner, artist = _text(general.get(_COPYRIGHT)), _text(general.get(_ARTIST))
    return Statement(
        source,
        begin,
        offset,
        latitude,
        longitude,
        make=make,
        model=model,
        serial=_text(detailed.get(_SERIAL)),
        license=license_in(owner),
        attribution=owner or artist,
        notes=notes,
    )


def _fields(path: Path) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    """Return the fields of a picture: general ones, those of the exposure, and those of satellites."""
    from PIL import Image, UnidentifiedImageError

    head = read_head(path)
    check_header(path, head)
    with io.BufferedReader(TimedFile(path, Patience(path))) as file, pillow_limit.lifted():
        try:
            image = open_picture(path, file, head) if brands_of(head) else Image.open(file, formats=_FORMATS)
        except UnidentifiedImageError:
            if head[:4] not in _TIFF:
                return {}, {}, {}
            found = Image.Exif()  # of a camera's raw file, whose first picture Pillow does not know
            file.seek(0)
            found.load_from_fp(file)
            return _parts(found)
        with image:
            # A PNG may have them after its pixels: asked for, Pillow would decode it.
            if image.format == "PNG" and "exif" not in image.info:
                return {}, {}, {}
            return _parts(image.getexif())


def _parts(found: Image.Exif) -> tuple[Mapping[int, Any], Mapping[int, Any], Mapping[int, Any]]:
    from PIL import ExifTags

    return dict(found), found.get_ifd(ExifTags.IFD.Exif), found.get_ifd(ExifTags.IFD.GPSInfo)


def _text(value: object) -> str | None:
    return plain(value) if isinstance(value, (str, bytes)) else None


def _taken(source: str, fields: Mapping[int, Any]) -> tuple[datetime | None, int | None, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    for time, zone, part in _TAKEN:
        stated = _text(fields.get(time))
        fraction = _text(fields.get(part)) or ""
        offset = (_text(fields.get(zone)) or "").replace(" ", "")
        begin, ahead, found = when(source, stated)
        if begin is None:
            notes += found
            continue
        if fraction.isdecimal() and fraction.isascii():
            begin += timedelta(microseconds=int(fraction[:6].ljust(6, "0")))
        if offset:
            _, ahead, found = when(source, f"{stated}{offset}")
        return begin, ahead, notes + found
    return None, None, notes


def _satellite_time(place: Mapping[int, Any]) -> datetime | None:
    time = place.get(_GPS_TIME)
    if not isinstance(time, tuple) or len(time) != 3:
        return None
    parts = [number(_float(part)) for part in time]
    begin, _, _ = when("EXIF", f"{_text(place.get(_GPS_DATE))} 00:00:00")
    if begin is None or None in parts:
        return None
    hours, minutes, seconds = (part or 0.0 for part in parts)
    return begin + timedelta(hours=hours, minutes=minutes, seconds=round(seconds)) if 0 <= hours < 24 else None


def _position(place: Mapping[int, Any]) -> tuple[float | None, float | None]:
    north, east = (_degrees(place.get(field)) for field in (_LATITUDE, _LONGITUDE))
    south, west = (
        (_text(place.get(field)) or "") in letters for field, letters in ((_NORTH, "Ss"), (_EAST, "Ww"))
    )
    if north is None or east is None or not _text(place.get(_NORTH)) or not _text(place.get(_EAST)):
        return None, None
    return coordinates(-north if south else north, -east if west else east)


def _degrees(value: object) -> float | None:
    """Return degrees of three parts: degrees, minutes and seconds."""
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    parts = [number(_float(part)) for part in value]
    return None if None in parts else sum(part / 60**power for power, part in enumerate(p or 0.0 for p in parts))


def _float(value: Any) -> float | None:
    """Return a part of a field; None where it is none, or a fraction of nothing."""
    try:
        return float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
