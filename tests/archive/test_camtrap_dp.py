"""Camtrap DP: frictionless accepts the package by the rules of its schemas."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from biovita.archive.annotation_formats.annotation_writers import WrittenAnnotations, write_annotations
from biovita.archive.annotation_formats.camtrap_dp import FIELDS
from biovita.archive.archive_tables import ANNOTATIONS, PHOTOGRAPHS
from biovita.archive.media_tables import MediaTables
from support.annotation_cases import DAWN, file_row, media, photographs, seen, table

TIME = {"type": "datetime", "format": "%Y-%m-%dT%H:%M:%S%z"}
SHARE = {"type": "number", "constraints": {"minimum": 0, "maximum": 1}}
KINDS = ["animal", "human", "vehicle", "blank", "unknown", "unclassified"]
RULES: dict[str, dict[str, Any]] = {
    "deploymentID": {"constraints": {"required": True}},
    "latitude": {"type": "number", "constraints": {"required": True, "minimum": -90, "maximum": 90}},
    "longitude": {"type": "number", "constraints": {"required": True, "minimum": -180, "maximum": 180}},
    "deploymentStart": {**TIME, "constraints": {"required": True}},
    "deploymentEnd": {**TIME, "constraints": {"required": True}},
    "timestamp": {**TIME, "constraints": {"required": True}},
    "filePath": {"constraints": {"required": True, "pattern": r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"}},
    "filePublic": {"type": "boolean", "constraints": {"required": True}},
    "fileMediatype": {"constraints": {"required": True, "pattern": "^(image|video|audio)/.*$"}},
    "eventStart": {**TIME, "constraints": {"required": True}},
    "eventEnd": {**TIME, "constraints": {"required": True}},
    "observationLevel": {"constraints": {"required": True, "enum": ["media", "event"]}},
    "observationType": {"constraints": {"required": True, "enum": KINDS}},
    "count": {"type": "integer"},
    "classificationMethod": {"constraints": {"enum": ["human", "machine"]}},
    "classificationTimestamp": TIME,
    "classificationProbability": SHARE,
    "bboxX": SHARE,
    "bboxY": SHARE,
    "bboxWidth": {"type": "number", "constraints": {"minimum": 1e-15, "maximum": 1}},
    "bboxHeight": {"type": "number", "constraints": {"minimum": 1e-15, "maximum": 1}},
}
KEYS = {"deployments": "deploymentID", "media": "mediaID", "observations": "observationID"}


def written(rows: list[dict[str, Any]], out: Path, of: MediaTables | None = None) -> WrittenAnnotations:
    return write_annotations(table(ANNOTATIONS, rows), of or media(), out, ["camtrap-dp"])


def frame(done: WrittenAnnotations, name: str) -> pd.DataFrame:
    with zipfile.ZipFile(done.files[0]) as archive, archive.open(f"{name}.csv") as stream:
        return pd.read_csv(stream, keep_default_na=False)


def problems(done: WrittenAnnotations, folder: Path) -> list[Any]:
    """Return what frictionless finds, with the rules of the profile's schemas in the place of their addresses."""
    frictionless = pytest.importorskip("frictionless")
    with zipfile.ZipFile(done.files[0]) as archive:
        archive.extractall(folder)
    package = json.loads((folder / "datapackage.json").read_text())
    del package["profile"]
    for resource in package["resources"]:
        name = resource["name"]
        assert resource["schema"].endswith(f"1.0.2/{name}-table-schema.json")
        fields = [{"name": field, "type": "string", **RULES.get(field, {})} for field in FIELDS[name]]
        of = [("deploymentID", "deployments"), ("mediaID", "media")][: list(KEYS).index(name)]
        keys = [{"fields": key, "reference": {"resource": other, "fields": key}} for key, other in of]
        resource["schema"] = {"fields": fields, "primaryKey": KEYS[name], "foreignKeys": keys}
    (folder / "datapackage.json").write_text(json.dumps(package))
    report = frictionless.Package(str(folder / "datapackage.json")).validate()
    return report.flatten(["resourceName", "type", "message"]) + [error.message for error in report.errors]


@pytest.mark.slow
def test_frictionless_accepts_it(tmp_path: Path) -> None:
    box = [0.5, 0.25, 0.125, 0.5]
    rows = [seen(1, "p1.jpg", box=box), seen(2, "p..3.png"), seen(3, "p1.jpg", by_kind="human", score=None)]
    done = written(rows, tmp_path / "out")
    assert problems(done, tmp_path / "package") == []
    read = frame(done, "observations")
    assert read["mediaID"].tolist() == ["id-p1.jpg", "id-p1.jpg", "id-p..3.png"]
    assert read["classificationMethod"].tolist() == ["machine", "human", "machine"]
    assert read.loc[0, ["bboxX", "bboxY", "bboxWidth", "bboxHeight"]].astype(float).tolist() == box
    assert read.loc[2, ["bboxX", "bboxY"]].astype(float).tolist() == [0.1, 0.2]  # the photograph's own
    assert frame(done, "media")["filePath"].tolist() == [
        "file:///data/survey/cam/p1.jpg",
        "file:///data/survey/cam/p%2E%2E3.png",
    ]


@pytest.mark.slow
def test_the_rules_can_be_broken(tmp_path: Path) -> None:
    done = written([seen(1, "p1.jpg", box=[0.5, 0.25, 0.0, 1.5])], tmp_path / "out")
    assert len(problems(done, tmp_path / "package")) == 2


def test_a_photograph_without_a_zone_is_left_out_and_listed(tmp_path: Path) -> None:
    done = written([seen(1, "p1.jpg"), seen(2, "p2.jpg"), seen(3, "p2.jpg")], tmp_path)
    (left,) = done.not_written["camtrap-dp"]
    assert (left.path, left.annotations, left.reason) == ("/data/survey/cam/p2.jpg", 2, "no-zone")
    assert "--timezone" in left.detail
    assert frame(done, "media")["timestamp"].tolist() == ["2026-05-01T05:00:00+02:00", "2026-05-01T05:00:00-03:30"]
    deployment = frame(done, "deployments").iloc[0]
    assert (deployment["deploymentStart"], deployment["deploymentEnd"]) == (
        "2026-05-01T03:00:00Z",
        "2026-05-01T08:30:00Z",
    )
    empty = written([], tmp_path / "empty")
    assert [(each.path, each.annotations) for each in empty.not_written["camtrap-dp"]] == [
        ("/data/survey/cam/p2.jpg", 0)
    ]


@pytest.mark.slow
def test_photographs_of_no_deployment_are_one_for_each_place(tmp_path: Path) -> None:
    shared = {"begin_local": DAWN, "utc_offset_min": 0, "width": 1, "height": 1}
    places = [(1.0, 2.0), (1.0, 2.0), (3.0, 4.0), (None, None)]
    rows = [
        file_row(f"{at}.jpg", Path("/x"), latitude=north, longitude=east, **shared)
        for at, (north, east) in enumerate(places)
    ]
    done = written([], tmp_path / "out", MediaTables(photographs=table(PHOTOGRAPHS, rows)))
    assert frame(done, "deployments")["latitude"].tolist() == [1.0, 3.0]
    assert frame(done, "media")["deploymentID"].nunique() == 2
    assert [(each.path, each.reason) for each in done.not_written["camtrap-dp"]] == [("/x/3.jpg", "no-place")]
    assert problems(done, tmp_path / "package") == []


def test_people_vehicles_and_background_are_no_animals(tmp_path: Path) -> None:
    no_taxon = {"scientific_name": None, "taxon_id": None}
    rows = [
        seen(1, "p1.jpg"),
        seen(2, "p1.jpg", label="human", kind="class", **no_taxon),
        seen(3, "p1.jpg", label="vehicle", kind="class", **no_taxon),
        seen(4, "p1.jpg", label="empty", kind="background", **no_taxon),
        seen(5, "p1.jpg", label="nest", kind="class", **no_taxon),
        seen(6, "p1.jpg", label="Canidae", scientific_name="Canidae", rank="family"),
    ]
    read = frame(written(rows, tmp_path), "observations").set_index("observationID")
    assert read["observationType"].to_dict() == {
        "e1": "animal",
        "e2": "human",
        "e3": "vehicle",
        "e4": "blank",
        "e5": "unknown",
        "e6": "animal",
    }
    assert read["scientificName"].to_dict() == dict.fromkeys(("e2", "e3", "e4", "e5"), "") | {
        "e1": "Vulpes vulpes",
        "e6": "Canidae",
    }


@pytest.mark.slow
def test_a_run_without_photographs_is_a_package(tmp_path: Path) -> None:
    assert pa.Table.equals(photographs().slice(0, 0), PHOTOGRAPHS.empty_table())
    done = written([], tmp_path / "out", MediaTables())
    assert problems(done, tmp_path / "package") == []
