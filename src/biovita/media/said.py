"""What recordings and photographs say of themselves: when, where and with what they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path, PurePath
from typing import Any

from biovita.errors import MediaError
from biovita.media.agreement import checked, clock_offset, other_places, other_sites, other_times, recorder_of
from biovita.media.clocks import zone_of
from biovita.media.exif import exif
from biovita.media.name_patterns import named
from biovita.media.packed_files import MediaPath, PackedFile, on_disk
from biovita.media.recorder_headers import broadcast_wave, guano, song_meter, tags
from biovita.media.sniff import kind_of, read_head
from biovita.media.statements import Statement, plain
from biovita.media.wave_chunks import read_chunks

__all__ = ["Said", "begin_of", "said_of_picture", "said_of_sound"]

_INFO = {"ICMT": "comment", "IART": "artist", "ICOP": "copyright"}
_TAGGED = "mp3,flac,ogg,aiff,mov,mp4,m4a,3gp,3g2,mj2,aac"  # FFmpeg's formats; none of them names further files
_FIELDS = ("site", "gain", "time_expansion", "source_id", "taxon_hint", "license", "attribution")


@dataclass(frozen=True, slots=True)
class Said:
    """What a recording or photograph says of itself; what it does not say is None.

    Attributes
    ----------
    begin_local
        Begin of the recording, or moment of the photograph, by the clock of the recorder or camera; naive.
    utc_offset_min
        How far that clock is ahead of UTC, in minutes.
    latitude, longitude
        WGS 84, degrees.
    site
        As the recorder or the file name calls it.
    recorder
        Make, model and serial number of the recorder or camera, as far as they are known.
    gain
        As the recorder states it: ``medium``, ``18 dB``.
    time_expansion
        By how much the sound in the file is slower than it was; it counts in `begin_of`.
    source_id
        In the collection that the file was downloaded from: ``XC123456``, ``ML123456``, ``iNaturalist photo 123``.
    taxon_hint
        The scientific name in a file name of xeno-canto.
    license, attribution
        In the words of the file.
    notes
        Sentences: where sources disagree and which one is taken, and what was not used.
    sources
        Which source gave a field, by the names of the fields.
    """

    begin_local: datetime | None = None
    utc_offset_min: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    site: str | None = None
    recorder: str | None = None
    gain: str | None = None
    time_expansion: float | None = None
    source_id: str | None = None
    taxon_hint: str | None = None
    license: str | None = None
    attribution: str | None = None
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def said_of_sound(path: MediaPath, *, timezone: str | None = None) -> Said:
    """Return what a sound file says of itself, in its headers and its name; no sound is decoded.

    Where sources disagree, the first of this order is taken, and a note says so:

    1. GUANO: made to be read by others, so it states what it means, mostly with the zone.
    2. The comment of an AudioMoth, the headers of Wildlife Acoustics and Frontier Labs: of the recorder itself.
    3. Broadcast Wave: of any program, also of one that cut the file later, and without a zone.
    4. The tags of the file, for licence and attribution.
    5. The file name, which anybody can change.

    A zone is never guessed. If the first source has none, it is that of another source which states the same moment.

    Parameters
    ----------
    timezone
        Of clocks that state none: an IANA name, or an offset such as ``+02:00``. Where a file states its own, that is
        kept, and a note tells the difference.

    Raises
    ------
    BiovitaError
        Where ``timezone`` is not known.
    MediaError
        ``missing``, ``empty`` or ``unreadable``. A damaged header is a note and no error.
    """
    zone = None if timezone is None else (timezone, zone_of(timezone))
    with on_disk(path) as file:
        head = read_head(file)
        statements, notes = _in_wave(file) if head[8:12] == b"WAVE" else _in_tags(file, head)
    return _merged([*statements, named(_name(path))], notes, zone)


def said_of_picture(path: MediaPath, *, timezone: str | None = None) -> Said:
    """Return what a picture says of itself, by EXIF and by its name; EXIF comes first, for files are renamed.

    Parameters
    ----------
    timezone
        As in `said_of_sound`.

    Raises
    ------
    BiovitaError
        Where ``timezone`` is not known.
    MediaError
        ``missing``, ``empty`` or ``unreadable``. Damaged EXIF data are a note and no error.
    """
    zone = None if timezone is None else (timezone, zone_of(timezone))
    with on_disk(path) as file:
        read_head(file)
        statement = exif(file)
    return _merged([statement, named(_name(path))], (), zone)


def begin_of(said: Said, offset_s: float) -> tuple[datetime, int | None] | None:
    """Return the local time at a place within a recording, and the minutes its clock is ahead of UTC.

    None where the begin of the recording is not known. A recorder's clock keeps its offset while it records.

    Parameters
    ----------
    offset_s
        Seconds within the file; in one of expanded time they are longer than those of the clock.
    """
    if said.begin_local is None:
        return None
    return said.begin_local + timedelta(seconds=offset_s / (said.time_expansion or 1.0)), said.utc_offset_min


def _name(path: MediaPath) -> PurePath:
    return PurePath(path.path) if isinstance(path, PackedFile) else path


def _in_wave(path: Path) -> tuple[list[Statement], tuple[str, ...]]:
    try:
        found = read_chunks(path)
    except OSError as error:
        raise MediaError("unreadable", f"{path}: the file cannot be read: {error.strerror}") from None
    statements = []
    if "guan" in found.chunks:
        statements.append(guano(found.chunks["guan"].decode("utf-8", "replace")))
    by_tags = tags({_INFO[name]: text for name, text in found.info.items() if name in _INFO})
    recorders = [statement for statement in by_tags if statement.begin_local or statement.make]
    statements += recorders
    if "wamd" in found.chunks:
        statements.append(song_meter(found.chunks["wamd"]))
    if "bext" in found.chunks:
        statements.append(broadcast_wave(found.chunks["bext"]))
    return statements + [statement for statement in by_tags if statement not in recorders], found.notes


def _in_tags(path: Path, head: bytes) -> tuple[list[Statement], tuple[str, ...]]:
    """Return what the tags of a sound file other than WAV say."""
    if kind_of(head).family not in {"audio", "unknown"}:  # what MP3 without tags begins with is unknown
        return [], ()
    import av

    options = {"format_whitelist": _TAGGED, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            found = dict(container.metadata)
            for stream in container.streams.audio:  # Ogg has them with the stream
                found |= stream.metadata
    except (av.FFmpegError, UnicodeError) as error:
        return [], (f"The tags of the file cannot be read: {plain(str(error)) or 'they are damaged'}",)
    return tags({name.lower(): text for name, text in found.items()}), ()


def _merged(statements: Sequence[Statement], notes: Sequence[str], zone: tuple[str, tzinfo] | None) -> Said:
    """Return what statements say together, the first of them first."""
    believed = [checked(statement) for statement in statements]
    said: dict[str, Any] = {}
    sources: dict[str, str] = {}
    kept = [*notes, *(note for statement in believed for note in statement.notes)]
    timed = [statement for statement in believed if statement.begin_local is not None]
    if timed:
        said["begin_local"], sources["begin_local"] = timed[0].begin_local, timed[0].source
        offset, by, found = clock_offset(timed, zone)
        if offset is not None:
            said["utc_offset_min"], sources["utc_offset_min"] = offset, by
        kept += [*found, *other_times(timed, offset)]
    placed = [statement for statement in believed if statement.latitude is not None]
    if placed:
        said |= {"latitude": placed[0].latitude, "longitude": placed[0].longitude}
        sources |= dict.fromkeys(("latitude", "longitude"), placed[0].source)
        kept += other_places(placed)
    recorder = recorder_of(believed)
    if recorder is not None:
        said["recorder"], sources["recorder"] = recorder
    for name in _FIELDS:
        stating = [each for each in believed if getattr(each, name) is not None]
        if stating:
            said[name], sources[name] = getattr(stating[0], name), stating[0].source
    kept += other_sites([each for each in believed if each.site is not None])
    return Said(**said, notes=tuple(dict.fromkeys(kept)), sources=sources)
