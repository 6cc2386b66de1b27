from __future__ import annotations

import json
from pathlib import Path

import pytest

from biovita.archive.detector_boxes import read_boxes
from biovita.errors import DatasetError

CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}


def write(folder: Path, content: object) -> Path:
    file = folder / "boxes.json"
    file.write_text(json.dumps(content))
    return file


def test_boxes_of_animals_are_read_surest_first(tmp_path: Path) -> None:
    photographs = [tmp_path / "cam1" / "a.jpg", tmp_path / "cam2" / "a.jpg", tmp_path / "cam2" / "b.jpg"]
    detections = [
        {"category": "1", "conf": 0.4, "bbox": [0.1, 0.2, 0.3, 0.4]},
        {"category": "1", "conf": 0.9, "bbox": [0.5, 0.5, 0.6, 0.5]},
        {"category": "2", "conf": 0.95, "bbox": [0, 0, 1, 1]},
        {"category": "1", "conf": 0.1, "bbox": [0, 0, 1, 1]},
        {"category": "1", "conf": 0.9, "bbox": [0, 0, 1]},
    ]
    images = [
        {"file": "cam1/a.jpg", "detections": detections},
        {"file": "cam2\\a.jpg", "detections": []},
        {"file": "cam9/c.jpg", "detections": detections},
        {"file": "b.jpg", "failure": "Image could not be read", "detections": None},
    ]
    info = {"detector": "md_v5a.0.0"}
    file = write(tmp_path, {"images": images, "detection_categories": CATEGORIES, "info": info})
    found = read_boxes(file, photographs)
    assert found.boxes == {
        photographs[0]: [
            ((0.5, 0.5, 0.5, 0.5), "md_v5a.0.0: animal 0.90"),
            ((0.1, 0.2, 0.3, 0.4), "md_v5a.0.0: animal 0.40"),
        ]
    }
    said = " ".join(found.notes)
    for each in (
        "1 boxes are of a person",
        "1 boxes have a confidence under 0.2",
        "1 entries are about other files",
    ):
        assert each in said
    assert "1 boxes have no four numbers" in said
    assert "2 photographs without a box of an animal are looked at as a whole" in said


def test_speciesnet_is_read_too(tmp_path: Path) -> None:
    prediction = {
        "filepath": "/data/elsewhere/cam1/a.jpg",
        "detections": [{"category": "1", "label": "animal", "conf": 0.8, "bbox": [0, 0, 0.5, 0.5]}],
        "prediction": "x;mammalia;;;;;mammal",
    }
    found = read_boxes(write(tmp_path, {"predictions": [prediction]}), [tmp_path / "cam1" / "a.jpg"])
    assert list(found.boxes.values()) == [[((0, 0, 0.5, 0.5), "SpeciesNet: animal 0.80")]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "is in no known format"),
        ({"images": 3}, "is in no known format"),
        ({"images": [{"detections": []}]}, "entry 0 names no file"),
        ({"images": [{"file": "x.jpg", "detections": []}]}, "is about none of the 1 photographs"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read_boxes(write(tmp_path, content), [tmp_path / "a.jpg"])
