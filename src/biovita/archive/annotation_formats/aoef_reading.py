"""What an AOEF file says: annotation sets and projects, evaluation sets, prediction sets and model runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biovita.archive.annotation_formats.annotation_rows import AnnotationRow, Reading
from biovita.archive.archive_tables import By
from biovita.csv_records import BrokenRow
from biovita.errors import DatasetError
from biovita.jsonfile import read_json
from biovita.taxonomy.taxon import RANKS
from biovita.values import number

__all__ = ["aoef_rows"]

_KEYS = (
    *("scientific_name", "scientificName", *(rank.value for rank in reversed(RANKS))),
    *("label", "event", "common_name", "vernacularName"),
)
_SCIENTIFIC = {"species", "scientific_name", "scientificName"}
_SAID = ("sound_event_annotations", "sound_event_predictions")
_CLIPS = ("clip_annotations", "clip_predictions")
Item = Mapping[str, Any]


def aoef_rows(path: Path, reading: Reading) -> Iterator[AnnotationRow | BrokenRow]:
    """Yield what is said of sound events, then what is said of whole clips.

    The label is the tag whose key is ``label_column``; where none is named, the scientific name, the narrowest rank, or
    the first tag. A recording that is slowed down has times and frequencies as they are in its file.

    Raises
    ------
    DatasetError
        Where it is no JSON, or no collection of AOEF that holds annotations.
    """
    content = read_json(path, DatasetError, finite=False)
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict) or not {*_SAID, *_CLIPS, "sound_events"} & set(data):
        raise DatasetError(f"{path}: is not AOEF with annotations or predictions: it has no data.sound_events")
    parts = _parts(data, reading.label_column)
    line = 0
    for name in _SAID:
        for item in _items(data, name):
            line += 1
            yield _said(line, item, parts)
    for name in _CLIPS:
        for item in _items(data, name):
            if item.get("tags"):
                line += 1
                yield _clip(line, item, parts)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Between which seconds and hertz something lies."""

    begin: float | None = None
    end: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class _Parts:
    """What items refer to, by its id."""

    tags: Mapping[Any, Item]
    recordings: Mapping[Any, Item]
    events: Mapping[Any, Item]
    clips: Mapping[Any, Item]
    users: Mapping[Any, Item]
    keys: Sequence[str]


def _parts(data: Item, key: str | None) -> _Parts:
    return _Parts(
        tags=_by(data, "tags", "id"),
        recordings=_by(data, "recordings", "uuid"),
        events=_by(data, "sound_events", "uuid"),
        clips=_by(data, "clips", "uuid"),
        users=_by(data, "users", "uuid"),
        keys=_KEYS if key is None else (key,),
    )


def _by(data: Item, name: str, key: str) -> dict[object, Item]:
    return {_key(item.get(key)): item for item in _items(data, name)}


def _key(value: object) -> object:
    return value if isinstance(value, str | int) else None


def _items(data: Item, name: str) -> list[Item]:
    found = data.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _said(line: int, item: Item, parts: _Parts) -> AnnotationRow | BrokenRow:
    event = parts.events.get(_key(item.get("sound_event")), {})
    recording = parts.recordings.get(_key(event.get("recording")))
    if recording is None:
        return BrokenRow(
            line, "no-recording", f"{item.get('uuid')} is of a sound event or recording that is not there"
        )
    bounds = _bounds(event.get("geometry"))
    if bounds is None:
        return BrokenRow(line, "no-span", f"{item.get('uuid')} has no geometry with times")
    return _row(line, item, parts, recording, bounds)


def _clip(line: int, item: Item, parts: _Parts) -> AnnotationRow | BrokenRow:
    clip = parts.clips.get(_key(item.get("clip")), {})
    recording = parts.recordings.get(_key(clip.get("recording")))
    if recording is None:
        return BrokenRow(line, "no-recording", f"{item.get('uuid')} is of a clip or recording that is not there")
    bounds = _Bounds(number(clip.get("start_time")), number(clip.get("end_time")))
    whole = bounds == _Bounds(0.0, number(recording.get("duration")))
    return _row(line, item, parts, recording, _Bounds() if whole else bounds)


def _row(line: int, item: Item, parts: _Parts, recording: Item, bounds: _Bounds) -> AnnotationRow:
    slowed = number(recording.get("time_expansion")) or 1.0
    tags = [tag if isinstance(tag, list) and len(tag) == 2 else (tag, None) for tag in _list(item.get("tags"))]
    scores = {_key(tag): number(score) for tag, score in tags}
    label, chosen = _label([(each, parts.tags[each]) for each in scores if each in parts.tags], parts.keys)
    user = parts.users.get(_key(item.get("created_by")), {})
    score = number(item.get("score"))
    score = scores.get(chosen) if score is None else score
    path, name = recording.get("path"), user.get("name") or user.get("username")
    key = parts.tags[chosen].get("key") if chosen in parts.tags else None
    return AnnotationRow(
        line,
        label,
        label if _SCIENTIFIC & set(_spellings(key)) else None,
        start_s=bounds.begin and bounds.begin * slowed,
        end_s=bounds.end and bounds.end * slowed,
        low_hz=bounds.low and bounds.low / slowed,
        high_hz=bounds.high and bounds.high / slowed,
        path=path if isinstance(path, str) else None,
        score=score,
        id=item["uuid"] if isinstance(item.get("uuid"), str) else None,
        by=name if isinstance(name, str) else None,
        by_kind=By.HUMAN if score is None else By.MACHINE,
        made_at=_moment(item.get("created_on")),
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _label(tags: Sequence[tuple[Any, Item]], keys: Sequence[str]) -> tuple[str, Any]:
    """Return the value and the number of the tag that names what it is; nothing where there is none."""
    for key in keys:
        for at, tag in tags:
            if key in _spellings(tag.get("key")) and isinstance(tag.get("value"), str):
                return tag["value"].strip(), at
    if keys == _KEYS and tags and isinstance(tags[0][1].get("value"), str):
        return tags[0][1]["value"].strip(), tags[0][0]
    return "", None


def _spellings(key: object) -> tuple[str, ...]:
    """Return a key of soundevent, as it is and without the name of its vocabulary."""
    return (key, key.rpartition(":")[2]) if isinstance(key, str) else ()


def _moment(text: object) -> datetime | None:
    """Return a moment; AOEF writes those without a zone by the clock of whoever made them, and they are none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None


def _bounds(geometry: object) -> _Bounds | None:
    """Return between what a geometry lies; None where it has no times."""
    if not isinstance(geometry, dict):
        return None
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    points: list[tuple[float | None, float | None]]
    if kind in {"TimeStamp", "TimeInterval"}:
        points = [(number(each), None) for each in (_list(coordinates) or [coordinates])]
    elif kind == "BoundingBox":
        numbers = [number(each) for each in _list(coordinates)]
        points = list(zip(numbers[::2], numbers[1::2], strict=False))
    else:
        points = list(_points(coordinates))
    times = [time for time, _ in points if time is not None]
    hertz = [each for _, each in points if each is not None]
    if not times or len(times) < len(points):
        return None
    return _Bounds(min(times), max(times), min(hertz, default=None), max(hertz, default=None))


def _points(coordinates: object) -> Iterator[tuple[float | None, float | None]]:
    """Yield the (time, frequency) of a point, a line, a polygon, or several."""
    if not isinstance(coordinates, list):
        return
    if len(coordinates) == 2 and not isinstance(coordinates[0], list):
        yield number(coordinates[0]), number(coordinates[1])
    else:
        for each in coordinates:
            yield from _points(each)
