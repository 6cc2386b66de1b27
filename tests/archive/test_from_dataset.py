from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from biovita.archive.from_dataset import dataset_labels, dataset_media
from biovita.archive.register import id_of
from biovita.dataset.dataset import Dataset
from biovita.modality import Modality
from support.hostile_data import dataset, media

SPAN = {"start_s": 0.1, "end_s": 0.4, "duration_s": 0.5, "sample_rate": 8000}


@pytest.fixture
def small(tmp_path: Path) -> Dataset:
    sounds, images = media(tmp_path / "files")
    audio = [
        {
            "path": str(sounds[0]),
            **SPAN,
            "latitude": 47.5,
            "longitude": 8.7,
            "recorded_at": "2024-05-17T04:10:00+02:00",
        },
        {"path": str(sounds[1]), **SPAN, "recorded_at": "2024-05-17"},
        {"path": str(sounds[1]), **SPAN, "end_s": 0.5, "recorded_at": "in May"},
        {"path": str(sounds[1]), **SPAN, "end_s": 0.5},
    ]
    return Dataset.open(dataset(tmp_path / "data", audio, [{"path": str(images[0]), "width": 8, "height": 6}]))


def test_items_are_recordings_within_their_spans(small: Dataset) -> None:
    found = dataset_media(small)
    rows = found.recordings.to_pylist()
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(0.1, 0.4), (0.1, 0.4), (0.1, 0.5)]
    assert rows[0]["id"] == id_of(rows[0]["sha256"], span=(0.1, 0.4))
    assert (rows[0]["latitude"], rows[0]["longitude"], rows[0]["group_id"]) == (47.5, 8.7, "audio0")
    assert rows[0]["file_size"] == Path(rows[0]["path"]).stat().st_size
    assert {row["deployment_id"] for row in rows} == set(found.deployments["id"].to_pylist()) == {"foreign"}
    (photograph,) = found.photographs.to_pylist()
    assert (photograph["width"], photograph["height"], photograph["box"]) == (8, 6, None)


def test_a_time_is_taken_where_it_is_a_moment_and_else_noted(small: Dataset) -> None:
    rows = dataset_media(small).recordings.to_pylist()
    assert [row["begin_local"] for row in rows] == [datetime.fromisoformat("2024-05-17T04:10"), None, None]
    assert [row["utc_offset_min"] for row in rows] == [120, None, None]
    assert [row["notes"] for row in rows] == [
        [],
        ["the dataset states the day 2024-05-17 and no time"],
        ["the dataset states the time 'in May', which is no moment"],
    ]


def test_two_items_of_one_span_are_one_recording_with_two_labels(small: Dataset) -> None:
    found = dataset_media(small)
    (left_out,) = found.left_out.to_pylist()
    assert left_out["reason"] == "duplicate"
    assert left_out["detail"].startswith(left_out["path"])
    labels = dataset_labels(small, Modality.AUDIO).to_pylist()
    assert [label["media_id"] for label in labels[2:]] == [found.recordings["id"][2].as_py()] * 2
    assert len({label["id"] for label in labels}) == 4


def test_labels_are_what_people_said(small: Dataset) -> None:
    label = dataset_labels(small, Modality.IMAGE).to_pylist()[0]
    said = ("scientific_name", "taxon_id", "rank", "kind", "presence", "by", "by_kind", "start_s")
    assert [label[name] for name in said] == [
        "Pica pica",
        "pica_pica",
        "species",
        "taxon",
        "present",
        "foreign",
        "human",
        None,
    ]


def test_a_dataset_without_media_has_no_deployment(tmp_path: Path) -> None:
    found = dataset_media(Dataset.open(dataset(tmp_path / "data")))
    assert [len(table) for table in (found.deployments, found.recordings, found.photographs)] == [0, 0, 0]
