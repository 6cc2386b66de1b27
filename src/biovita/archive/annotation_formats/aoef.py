"""AOEF 1.1.0, the JSON of Whombat and soundevent: a model run of what machines say, a set of what people say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID, uuid5

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.delimited import iso_text
from biovita.archive.annotation_formats.not_written import Kept, kept_and_not
from biovita.archive.archive_tables import By, Kind
from biovita.archive.media_tables import AnnotatedFiles

__all__ = ["write_aoef"]

_SPACE = UUID("6d1cf2ae-2e43-5b4b-9a3c-3f0d7a2b9f4e")  # of the ids that are made from ours
_ROWS = 1 << 14
_COLUMNS = (
    *("uuid", "start_s", "end_s", "low_hz", "high_hz", "label", "scientific_name", "common_name", "rank", "kind"),
    *("score", "probability", "by", "made_at", "note"),
)
Row = Mapping[str, Any]


def write_aoef(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write a model run, or an annotation set where people made all of the annotations.

    A taxon is a tag whose key is its rank. Each recording is one clip, with an annotation of a whole recording as its
    tag. Scores are probabilities where there are any.

    Returns
    -------
    Kept
        What was written. A model run holds no annotations by people, and none without a score.
    """
    rows = annotated.annotations
    by_person = np.asarray(pc.fill_null(pc.equal(rows["by_kind"], By.HUMAN.value), fill_value=False), bool)
    people = len(rows) > 0 and bool(by_person.all())
    no_score = pc.is_null(pc.coalesce(rows["probability"], rows["score"]))
    kept = kept_and_not(
        annotated,
        unknown_file=annotated.rows == len(annotated.files),
        by_people=by_person & (not people),
        no_score=np.asarray(no_score, bool) & (not people),
    )
    with place.open("w", encoding="utf-8", newline="") as stream:
        _write(stream, _with_uuids(kept.annotated), _PEOPLE if people else _MACHINE)
    return kept


def _with_uuids(annotated: AnnotatedFiles) -> AnnotatedFiles:
    """Return the annotations with the ids that AOEF wants."""
    rows = annotated.annotations
    uuids = pa.array([_id("annotation", each) for each in rows["id"].to_pylist()], pa.string())
    return replace(annotated, annotations=rows.append_column("uuid", uuids))


@dataclass(frozen=True, slots=True)
class _Form:
    """What the parts of a collection are called."""

    collection: str
    events: str
    clips: str
    scored: bool


_MACHINE = _Form("model_run", "sound_event_predictions", "clip_predictions", scored=True)
_PEOPLE = _Form("annotation_set", "sound_event_annotations", "clip_annotations", scored=False)


def _write(stream: TextIO, annotated: AnnotatedFiles, form: _Form) -> None:
    tags = _tags(annotated.annotations)
    head: dict[str, Any] = {
        "uuid": _id("collection", *_models(annotated.annotations)),
        "collection_type": form.collection,
    }
    if form.scored:
        head |= {"name": "biovita identify", "model": _model(annotated.annotations)}
    else:
        head |= {"name": "annotations"}
    stream.write('{"version": "1.1.0", "data": ')
    stream.write(json.dumps(head, ensure_ascii=False)[:-1])
    people = [] if form.scored else pc.unique(annotated.annotations["by"]).drop_null().to_pylist()
    _part(stream, "users", ({"uuid": _id("user", name), "name": name} for name in people))
    _part(stream, "tags", ({"id": at, "key": key, "value": value} for at, (key, value) in enumerate(tags)))
    _part(stream, "recordings", _recordings(annotated.files))
    _part(stream, "clips", _clips(annotated.files))
    _part(stream, "sound_events", (_sound_event(row, file) for row, file in _events(annotated)))
    _part(stream, form.events, (_said(row, tags, form) for row, _ in _events(annotated)))
    _part(stream, form.clips, _clip_contents(annotated, tags, form))
    stream.write("}}\n")


def _part(stream: TextIO, name: str, items: Iterable[Mapping[str, Any]]) -> None:
    stream.write(f', "{name}": [')
    before = "\n"
    for item in items:
        given = {key: value for key, value in item.items() if value is not None}
        stream.write(before + json.dumps(given, ensure_ascii=False))
        before = ",\n"
    stream.write("]")


@lru_cache(1 << 12)
def _file_id(kind: str, path: str) -> str:
    return _id(kind, path)


def _id(kind: str, *of: str) -> str:
    """Return an id that is the same each time; an annotation that has one of this form keeps it."""
    if kind == "annotation":
        with suppress(ValueError):
            return str(UUID(of[0]))
    return str(uuid5(_SPACE, "\n".join((kind, *of))))


def _models(rows: pa.Table) -> list[str]:
    names = pc.binary_join_element_wise(rows["by"], rows["revision"], " ", null_handling="replace")
    return sorted({name.strip() for name in pc.unique(names).to_pylist()})


def _model(rows: pa.Table) -> dict[str, str]:
    names = pc.unique(rows["by"]).drop_null().to_pylist()
    versions = pc.unique(rows["revision"]).drop_null().to_pylist()
    return {
        "name": ", ".join(sorted(names)) or "not stated",
        "version": ", ".join(sorted(versions)) or "not stated",
    }


def _tags(rows: pa.Table) -> dict[tuple[str, str], int]:
    """Return the tags that annotations need: (key, value), and the number of each."""
    named = rows.select(["scientific_name", "common_name", "rank", "kind", "label"]).group_by(
        ["scientific_name", "common_name", "rank", "kind", "label"], use_threads=False
    )
    tags: dict[tuple[str, str], int] = {}
    for row in named.aggregate([]).to_pylist():
        for tag in _tags_of(row):
            tags.setdefault(tag, len(tags))
    return tags


def _tags_of(row: Row) -> Iterator[tuple[str, str]]:
    if row["scientific_name"] and row["kind"] == Kind.TAXON.value:
        yield row["rank"] or "species", row["scientific_name"]
        if row["common_name"]:
            yield "common_name", row["common_name"]
    elif row["label"]:
        yield "label", row["label"]


def _recordings(files: pa.Table) -> Iterator[dict[str, Any]]:
    names = (
        "id",
        "path",
        "duration_s",
        "channels",
        "sample_rate",
        "begin_local",
        "latitude",
        "longitude",
        "license",
    )
    for batch in files.select(names).to_batches(_ROWS):
        for row in batch.to_pylist():
            begin = row["begin_local"]
            yield {
                "uuid": _file_id("recording", row["path"]),
                "path": row["path"],
                "duration": row["duration_s"],
                "channels": row["channels"],
                "samplerate": row["sample_rate"],
                "time_expansion": 1.0,
                "date": begin and begin.date().isoformat(),
                "time": begin and begin.time().isoformat(),
                "latitude": row["latitude"],
                "longitude": row["longitude"],
                "rights": row["license"],
            }


def _clips(files: pa.Table) -> Iterator[dict[str, Any]]:
    for path, duration in zip(files["path"].to_pylist(), files["duration_s"].to_pylist(), strict=True):
        yield {
            "uuid": _file_id("clip", path),
            "recording": _file_id("recording", path),
            "start_time": 0.0,
            "end_time": duration,
        }


def _rows(annotated: AnnotatedFiles) -> Iterator[tuple[Row, str]]:
    """Yield annotations, each with the path of its file."""
    table = annotated.annotations.select([*_COLUMNS, "path"])
    at = table.schema.get_field_index("made_at")
    for batch in table.set_column(at, "made_at", iso_text(table["made_at"])).to_batches(_ROWS):
        for row in batch.to_pylist():
            yield row, row["path"]


def _events(annotated: AnnotatedFiles) -> Iterator[tuple[Row, str]]:
    return ((row, path) for row, path in _rows(annotated) if _is_span(row))


def _is_span(row: Row) -> bool:
    return row["start_s"] is not None and row["end_s"] is not None


def _sound_event(row: Row, path: str) -> dict[str, Any]:
    begin, end, low, high = row["start_s"], row["end_s"], row["low_hz"], row["high_hz"]
    if low is None or high is None:
        geometry = {"type": "TimeInterval", "coordinates": [begin, end]}
    else:
        geometry = {"type": "BoundingBox", "coordinates": [begin, low, end, high]}
    return {
        "uuid": row["uuid"],
        "recording": _file_id("recording", path),
        "geometry": geometry,
    }


def _score(row: Row) -> float:
    given = row["probability"] if row["probability"] is not None else row["score"]
    return round(float(given), 7)


def _said(row: Row, tags: Mapping[tuple[str, str], int], form: _Form) -> dict[str, Any]:
    numbers = [tags[tag] for tag in _tags_of(row)]
    said: dict[str, Any] = {"uuid": row["uuid"], "sound_event": row["uuid"]}
    if form.scored:
        score = _score(row)
        return said | {"score": score, "tags": [[number, score] for number in numbers]}
    note = [{"uuid": _id("note", row["uuid"]), "message": row["note"]}] if row["note"] else None
    by = _id("user", row["by"]) if row["by"] else None
    return said | {"tags": numbers, "created_by": by, "created_on": row["made_at"], "notes": note}


def _clip_contents(
    annotated: AnnotatedFiles, tags: Mapping[tuple[str, str], int], form: _Form
) -> Iterator[dict[str, Any]]:
    """Yield what is in each recording: its events, and as tags what is said of all of it."""
    events: dict[str, list[str]] = defaultdict(list)
    whole: dict[str, dict[int, float]] = defaultdict(dict)
    for row, path in _rows(annotated):
        if _is_span(row):
            events[path].append(row["uuid"])
            continue
        for tag in _tags_of(row):
            score = _score(row) if form.scored else 1.0
            whole[path][tags[tag]] = max(score, whole[path].get(tags[tag], 0.0))
    for path in annotated.files["path"].to_pylist():
        said = whole[path]
        yield {
            "uuid": _id("clip contents", path),
            "clip": _file_id("clip", path),
            "sound_events": events[path],
            "tags": [[number, score] for number, score in said.items()] if form.scored else list(said),
        }
