"""What recorders write into their files: GUANO, AudioMoth, Wildlife Acoustics, Frontier Labs and Broadcast Wave."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Mapping

from biovita.media.statements import Statement, license_in, plain, position, when
from biovita.values import number

__all__ = ["audiomoth", "broadcast_wave", "guano", "song_meter", "tags"]

_AUDIOMOTH = re.compile(
    r"Recorded at (?P<time>\d{2}:\d{2}:\d{2}(?:\.\d+)?) (?P<day>\d{2})/(?P<month>\d{2})/(?P<year>\d{4})"
    r"(?P<zone> \(UTC(?P<offset>[+-]\d{1,2}(?::?\d{2})?)?\))?",
    re.ASCII,
)
_DEVICE = re.compile(r"AudioMoth ([0-9A-Fa-f]{16})\b")
_DEPLOYMENT = re.compile(r"during deployment ([0-9A-Fa-f]{16})\b")
_GAIN = re.compile(r"at (?:gain setting (\d)|([a-z-]{1,20}) gain)\b")
_SITES = ("site", "site name", "station", "prefix")  # last parts of names of GUANO fields
# Numbers of the records of a ``wamd`` chunk (Wildlife Acoustics, wa_meta.h 1.0).
_VERSION, _MODEL, _SERIAL, _PREFIX, _START, _GPS, _EXPANSION, _LAST_GPS = 0, 1, 2, 4, 5, 6, 15, 20
_OF_1 = b"\x01\x00"
_EXPANSIONS = (1.0, 1000.0)  # factors that are believed, from and to


def guano(text: str) -> Statement:
    """Return what GUANO metadata say, of a ``guan`` chunk or a comment.

    The fields are those of the GUANO specification 1.0 (https://guano-md.org), and of the namespaces of makers what
    ends in ``Gain``, ``Site``, ``Site Name``, ``Station`` or ``Prefix``, and the gain in the audio settings of Song
    Meters. ``Timestamp`` may have a space for its T.
    """
    source = "GUANO"
    fields: dict[str, str] = {}
    for line in text.replace("\0", "").splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            fields.setdefault(key.strip(), value.strip())
    begin, offset, notes = when(source, fields.get("Timestamp"))
    latitude, longitude = position(fields.get("Loc Position"))
    if "Loc Position" in fields and latitude is None:
        notes += (f"{source} states the place {plain(fields['Loc Position'])!r}, which is none: it is not used",)
    parts = {key.rpartition("|")[2].lower(): value for key, value in reversed(fields.items())}
    return Statement(
        source,
        begin,
        offset,
        latitude,
        longitude,
        site=next((plain(parts[name]) for name in _SITES if name in parts), None),
        make=plain(fields.get("Make")),
        model=plain(fields.get("Model")),
        serial=plain(fields.get("Serial")),
        gain=plain(parts.get("gain")) or _song_meter_gain(parts.get("audio settings")),
        time_expansion=_expansion(fields.get("TE")),
        notes=notes,
    )


def _song_meter_gain(settings: str | None) -> str | None:
    """Return the gain in decibels of the first channel: ``[{"rate":24000,"gain":18}]``."""
    if settings is None or len(settings) > 10_000:
        return None
    try:
        read = json.loads(settings)
    except (ValueError, RecursionError):
        return None
    first = read[0] if isinstance(read, list) and read else read
    gain = first.get("gain") if isinstance(first, dict) else None
    return None if number(gain) is None else f"{plain(str(gain))} dB"


def _expansion(value: object) -> float | None:
    low, high = _EXPANSIONS
    found = number(value)
    return found if found is not None and low < found <= high else None


def audiomoth(comment: str | None, artist: str | None = None) -> Statement | None:
    """Return what an AudioMoth says in the comment that it writes; None where another program wrote it.

    ``Recorded at 19:17:30 25/02/2018 (UTC+5:30) by AudioMoth 24A04F085FDF1787 at medium gain while battery was 3.6V``;
    the first firmware states no zone, and none is taken for it.

    Parameters
    ----------
    artist
        Names the recorder where the comment names the deployment in its place.
    """
    found = _AUDIOMOTH.search(comment or "")
    device = _DEVICE.search(comment or "") or _DEVICE.search(artist or "")
    if device is None and (found is None or "battery" not in (comment or "")):
        return None
    source = "the AudioMoth comment"
    stated = None
    if found is not None:
        zone = (found["offset"] or "Z") if found["zone"] else ""
        stated = f"{found['year']}-{found['month']}-{found['day']} {found['time']}{zone}"
    begin, offset, notes = when(source, stated)
    deployment, gain = _DEPLOYMENT.search(comment or ""), _GAIN.search(comment or "")
    return Statement(
        source,
        begin,
        offset,
        site=deployment[1].upper() if deployment else None,
        make="Open Acoustic Devices",
        model="AudioMoth",
        serial=device[1].upper() if device else None,
        gain=(gain[1] or gain[2]) if gain else None,
        notes=notes,
    )


def song_meter(content: bytes) -> Statement:
    """Return what the ``wamd`` chunk of a Song Meter or Echo Meter says.

    It is a row of records, each of a number, a length and a value (Wildlife Acoustics, wa_meta.h 1.0). The prefix of
    the files' names, which people set to the site, is the site.
    """
    source = "the Wildlife Acoustics header"
    records = dict(reversed(list(_records(content))))
    if records.get(_VERSION, b"")[:2] != _OF_1:
        return Statement(source, notes=(f"{source} is not of version 1, and is not read",))
    begin, offset, notes = when(source, plain(records.get(_START)))
    stated = plain(records.get(_GPS)) or plain(records.get(_LAST_GPS))
    latitude, longitude = position(stated)
    if latitude is None and stated:
        notes += (f"{source} states the place {stated!r}, which is none: it is not used",)
    return Statement(
        source,
        begin,
        offset,
        latitude,
        longitude,
        site=plain(records.get(_PREFIX)),
        make="Wildlife Acoustics",
        model=plain(records.get(_MODEL)),
        serial=plain(records.get(_SERIAL)),
        time_expansion=_expansion(int.from_bytes(records.get(_EXPANSION, b"")[:2], "little")),
        notes=notes,
    )


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 6 <= len(content):
        number_, length = struct.unpack_from("<HI", content, at)
        yield number_, content[at + 6 : at + 6 + length]
        at += 6 + length


def broadcast_wave(content: bytes) -> Statement:
    """Return what the ``bext`` chunk of a Broadcast Wave file says (EBU Tech 3285): a local time, and what wrote it."""
    source = "the BWF header"
    originator, day, time = (plain(content[first:last]) for first, last in ((256, 288), (320, 330), (330, 338)))
    begin, _, notes = when(source, f"{day} {time}" if day and time else None)
    return Statement(source, begin, model=originator, notes=notes)


def tags(found: Mapping[str, str]) -> list[Statement]:
    """Return what the tags of a FLAC, Ogg, MP3, MP4 or AIFF file, or the ``INFO`` texts of a WAV, say.

    A comment may be that of an AudioMoth or GUANO, which programs that convert recordings keep. FLAC of Frontier Labs'
    recorders has their own. Other dates in tags are mostly of the writing of the file, and are not used.

    Parameters
    ----------
    found
        Texts by their names in lower case: ``comment``, ``artist``, ``copyright``, ``license`` ...
    """
    comment, artist, owner = (plain(found.get(name)) for name in ("comment", "artist", "copyright"))
    statements = []
    kept = found.get("guano") or found.get("comment") or ""
    if kept.lstrip().startswith("GUANO|"):
        statements.append(guano(kept if "\n" in kept else kept.replace("\\n", "\n")))
        comment = None
    recorder = audiomoth(comment, artist)
    if recorder is not None:
        statements.append(recorder)
        artist = None
    if "recordingstart" in found or "sensorlocation" in found:
        statements.append(_frontier_labs(found))
    license_ = license_in(plain(found.get("license")), owner, comment)
    if license_ or owner or artist:
        statements.append(Statement("its tags", license=license_, attribution=owner or artist))
    return statements


def _frontier_labs(found: Mapping[str, str]) -> Statement:
    source = "the Frontier Labs comment"
    begin, offset, notes = when(source, found.get("recordingstart"))
    latitude, longitude = position(found.get("sensorlocation"))
    return Statement(
        source,
        begin,
        offset,
        latitude,
        longitude,
        make="Frontier Labs",
        serial=plain(found.get("sensoruid")),
        gain=plain(found.get("channelgain")),
        notes=notes,
    )
