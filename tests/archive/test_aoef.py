"""AOEF: soundevent, the library behind Whombat, loads what we write, and we read what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.annotation_formats.annotation_writers import write_annotations
from biovita.archive.archive_tables import ANNOTATIONS
from biovita.errors import DatasetError
from support.annotation_cases import events, heard, media, recordings, table


def loaded(file: Path) -> Any:
    return pytest.importorskip("soundevent.io").load(file)


@pytest.mark.slow
def test_a_run_is_loaded_with_its_scores_and_times(tmp_path: Path) -> None:
    (file,) = write_annotations(events(), media(), tmp_path, ["aoef"]).files
    run = loaded(file)
    assert type(run).__name__ == "ModelRun"
    assert (run.model.info.name, run.model.version) == ("BirdNET 2.4", "abc123")
    clips = {clip.clip.recording.path.name: clip for clip in run.clip_predictions}
    assert {name: len(clip.sound_events) for name, clip in clips.items()} == {"a.wav": 2, "b.wav": 0, "c.wav": 1}
    (found,) = clips["c.wav"].sound_events
    assert found.sound_event.geometry.type == "BoundingBox"
    assert found.sound_event.geometry.coordinates == [3.0, 2000.0, 9.5, 8000.0]
    assert found.score == 0.5
    tags = {tag.tag.term.name: (tag.tag.value, tag.score) for tag in found.tags}
    assert tags["dwc:scientificName"] == ("Turdus merula", 0.5)
    first = clips["a.wav"].sound_events[0].sound_event
    assert (first.geometry.type, first.geometry.coordinates) == ("TimeInterval", [0.0, 3.0])
    recording = first.recording
    assert (recording.duration, recording.samplerate, recording.time_expansion) == (60.0, 48000, 1.0)
    assert (str(recording.date), str(recording.time), recording.rights) == ("2026-05-01", "05:00:00", "CC-BY-4.0")


@pytest.mark.slow
def test_what_people_say_is_an_annotation_set(tmp_path: Path) -> None:
    by = {"by": "A. Person", "by_kind": "human", "score": None}
    rows = [heard(1, "a.wav", 1.0, 2.0, **by, note="faint"), heard(2, "b.wav", None, None, **by)]
    (file,) = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["aoef"]).files
    annotations = loaded(file)
    assert type(annotations).__name__ == "AnnotationSet"
    clips = {clip.clip.recording.path.name: clip for clip in annotations.clip_annotations}
    (said,) = clips["a.wav"].sound_events
    assert (said.created_by.name, said.notes[0].message) == ("A. Person", "faint")
    assert "Turdus merula" in [tag.value for tag in clips["b.wav"].tags]
    found = read_annotations(file, "aoef", media=recordings()).annotations
    assert found["media_id"].to_pylist() == ["id-a.wav", "id-b.wav"]
    assert found["start_s"].to_pylist() == [1.0, None]
    assert found["by"].to_pylist() == ["A. Person", None]
    assert found["by_kind"].to_pylist() == ["human", "human"]


@pytest.mark.slow
def test_a_run_leaves_out_what_people_say_and_says_so(tmp_path: Path) -> None:
    rows = [
        heard(1, "a.wav", 1.0, 2.0),
        heard(2, "a.wav", 1.0, 2.0, by_kind="human", score=None),
        heard(3, "b.wav", 1.0, 2.0, score=None),
        heard(4, "b.wav", 1.0, 2.0, presence="absent"),
    ]
    done = write_annotations(table(ANNOTATIONS, rows), media(), tmp_path, ["aoef"])
    assert [(each.reason, each.annotations) for each in done.not_written["aoef"]] == [
        ("absent", 1),
        ("by-people", 1),
        ("no-score", 1),
    ]
    assert sum(len(clip.sound_events) for clip in loaded(done.files[0]).clip_predictions) == 1


@pytest.mark.slow
def test_a_run_without_a_detection_is_loaded(tmp_path: Path) -> None:
    (file,) = write_annotations(ANNOTATIONS.empty_table(), media(), tmp_path, ["aoef"]).files
    assert len(loaded(file).clip_predictions) == 3
    assert len(read_annotations(file, "aoef").annotations) == 0


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (file,) = write_annotations(events(), media(), tmp_path, ["aoef"]).files
    found = read_annotations(file, "aoef", media=recordings())
    assert not found.rejected
    columns = ["media_id", "start_s", "end_s", "low_hz", "scientific_name", "score", "by_kind"]
    assert [tuple(row.values()) for row in found.annotations.select(columns).to_pylist()] == [
        ("id-a.wav", 0.0, 3.0, None, "Troglodytes troglodytes", 0.25, "machine"),
        ("id-a.wav", 1.5, 4.5, None, "Turdus merula", 0.875, "machine"),
        ("id-c.wav", 3.0, 9.5, 2000.0, "Turdus merula", 0.5, "machine"),
    ]


@pytest.mark.slow
def test_the_bats_of_whombat_are_read_as_soundevent_reads_them(shared_data: Path) -> None:
    file = shared_data / "annotated/whombat-bats/example_evaluation_set.json"
    found = read_annotations(file, "aoef")
    assert not found.rejected
    rows = found.annotations.select(["start_s", "low_hz", "end_s", "high_hz", "label"]).to_pylist()
    assert len(rows) == 86
    assert found.annotations["scientific_name"].to_pylist() == [row["label"] for row in rows]
    assert set(found.annotations["by"].to_pylist()) == {"Santiago Martinez Balvanera"}
    clips = loaded(file).clip_annotations
    said = [annotation for clip in clips for annotation in clip.sound_events]
    assert sorted(tuple(row.values()) for row in rows) == sorted(
        (*annotation.sound_event.geometry.coordinates, annotation.tags[0].value) for annotation in said
    )


def content(**parts: Any) -> dict[str, Any]:
    recording = {"uuid": "r", "path": "slow.wav", "duration": 3.0, "time_expansion": 10}
    return {
        "version": "1.1.0",
        "data": {
            "collection_type": "annotation_set",
            "tags": [
                {"id": 0, "key": "event", "value": "Echolocation"},
                {"id": 1, "key": "species", "value": "Aus bus"},
            ],
            "recordings": [recording],
            "sound_events": [{"uuid": "s", "recording": "r", "geometry": parts.pop("geometry", None)}],
            "sound_event_annotations": [{"uuid": "x", "sound_event": "s", "tags": [0, 1]}],
            **parts,
        },
    }


def test_geometries_of_all_kinds_have_bounds_within_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    for kind, coordinates, bounds in (
        ("TimeStamp", 0.2, (2.0, 2.0, None, None)),
        ("Point", [0.2, 40_000], (2.0, 2.0, 4000.0, 4000.0)),
        ("LineString", [[0.1, 50_000], [0.2, 40_000]], (1.0, 2.0, 4000.0, 5000.0)),
        ("Polygon", [[[0.1, 50_000], [0.2, 40_000], [0.1, 50_000]]], (1.0, 2.0, 4000.0, 5000.0)),
    ):
        file.write_text(json.dumps(content(geometry={"type": kind, "coordinates": coordinates})))
        (row,) = read_annotations(file, "aoef").annotations.to_pylist()
        assert (row["start_s"], row["end_s"], row["low_hz"], row["high_hz"]) == bounds, kind
        assert (row["label"], row["scientific_name"]) == ("Aus bus", "Aus bus")
        assert row["path"] == "slow.wav"


def test_the_key_of_the_labels_can_be_chosen(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(content(geometry={"type": "TimeInterval", "coordinates": [0, 1]})))
    assert read_annotations(file, "aoef", label_column="event").annotations["label"].to_pylist() == [
        "Echolocation"
    ]
    assert read_annotations(file, "aoef", label_column="sex").annotations["label"].to_pylist() == [""]


def test_what_does_not_fit_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(content(geometry={"type": "Point", "coordinates": ["now", 1]})))
    assert [row.reason for row in read_annotations(file, "aoef").rejected] == ["no-span"]
    file.write_text(json.dumps(content(recordings=[[]])))
    assert [row.reason for row in read_annotations(file, "aoef").rejected] == ["no-recording"]
    file.write_text('{"data": {"collection_type": "recording_set", "recordings": []}}')
    with pytest.raises(DatasetError, match=r"x\.json: is not AOEF with annotations"):
        read_annotations(file, "aoef")
