"""Camtrap DP 1.0.2: photographs of camera traps and what is in them, as a data package (https://camtrap-dp.tdwg.org)."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.delimited import (
    COMMA,
    fixed,
    iso_text,
    write_delimited,
    zoned_text,
)
from biovita.archive.annotation_formats.not_written import Kept, LeftUnwritten, kept_and_not
from biovita.archive.archive_tables import By, Kind, Presence
from biovita.archive.media_tables import AnnotatedFiles
from biovita.version import __version__

__all__ = ["FIELDS", "write_camtrap_dp"]

_PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
FIELDS: Mapping[str, tuple[str, ...]] = {
    "deployments": (
        *("deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty"),
        *("deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay"),
        *("cameraHeight", "cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance"),
        *("timestampIssues", "baitUse", "featureType", "habitat", "deploymentGroups", "deploymentTags"),
        "deploymentComments",
    ),
    "media": (
        *("mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName"),
        *("fileMediatype", "exifData", "favorite", "mediaComments"),
    ),
    "observations": (
        *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd"),
        *("observationLevel", "observationType", "cameraSetupType", "scientificName", "count", "lifeStage"),
        *("sex", "behavior", "individualID", "individualPositionRadius", "individualPositionAngle"),
        *("individualSpeed", "bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod"),
        *("classifiedBy", "classificationTimestamp", "classificationProbability", "observationTags"),
        "observationComments",
    ),
}
"""All columns of each table, in the order of its schema."""
_TYPES = {
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "tif": "image/tiff",
    "tiff": "image/tiff",
}
_PEOPLE, _VEHICLES = ("human", "person", "people", "homo sapiens"), ("vehicle", "car")
_REASONS = ("", "no-time", "no-zone", "no-place", "unknown-file")


def write_camtrap_dp(annotated: AnnotatedFiles, place: Path) -> Kept:
    """Write a data package as a ZIP file.

    It holds ``datapackage.json``, ``deployments.csv``, ``media.csv`` and ``observations.csv``. Date-times
    of this format have a zone and its deployments a place: photographs without either are left out, with what is in
    them. A deployment lasts from its first photograph to its last. Photographs of no deployment are one for each place.
    ``classificationProbability`` is the probability, or the score where there is none.

    Returns
    -------
    Kept
        What was written, and the photographs that were not.
    """
    photographs, why_not = _photographs(annotated)
    reason = np.append(why_not, _REASONS.index("unknown-file"))[annotated.rows]
    kept = kept_and_not(
        annotated,
        no_time=reason == 1,
        no_zone=reason == 2,
        no_place=reason == 3,
        unknown_file=reason == 4,
    )
    rows = (np.cumsum(why_not == 0) - 1)[kept.annotated.rows]
    tables = {
        "deployments": _deployments(photographs),
        "media": _media(photographs),
        "observations": _observations(kept.annotated.annotations, photographs.take(pa.array(rows, pa.int64()))),
    }
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, columns in tables.items():
            number = max(map(len, columns.values()))
            empty = pa.nulls(number, pa.string())
            with archive.open(f"{name}.csv", "w", force_zip64=True) as stream:
                all_columns = {field: columns.get(field, empty) for field in FIELDS[name]}
                write_delimited(stream, all_columns, COMMA)
        content = _package(kept.annotated.annotations, photographs)
        archive.writestr("datapackage.json", json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    left = zip(annotated.files["path"].to_pylist(), why_not.tolist(), range(len(why_not)), strict=True)
    seen = set(annotated.rows.tolist())
    unseen = [LeftUnwritten(path, 0, _REASONS[why]) for path, why, row in left if why and row not in seen]
    return Kept(kept.annotated, (*kept.not_written, *unseen))


def _photographs(annotated: AnnotatedFiles) -> tuple[pa.Table, np.ndarray]:
    """Return the photographs that can be written, and for all of them the number of the reason why not."""
    files, deployments = annotated.files, annotated.deployments
    at = pc.index_in(files["deployment_id"], deployments["id"].combine_chunks()).combine_chunks()
    of = {
        name: deployments[name].combine_chunks().take(at) for name in ("site", "latitude", "longitude", "recorder")
    }
    placed = pc.and_(pc.is_valid(of["latitude"]), pc.is_valid(of["longitude"]))
    latitude = pc.if_else(placed, of["latitude"], files["latitude"].combine_chunks())
    longitude = pc.if_else(placed, of["longitude"], files["longitude"].combine_chunks())
    where = pc.binary_join_element_wise(
        pc.fill_null(files["deployment_id"].combine_chunks(), "photographs"),
        fixed(latitude),
        fixed(longitude),
        " ",
    )
    why_not = np.zeros(len(files), np.int64)
    for reason, missing in (
        ("no-place", pc.or_(pc.is_null(latitude), pc.is_null(longitude))),
        ("no-zone", pc.is_null(files["utc_offset_min"])),
        ("no-time", pc.is_null(files["begin_local"])),
    ):
        why_not[np.asarray(missing, bool)] = _REASONS.index(reason)
    table = pa.table(
        {
            "id": files["id"],
            "path": files["path"],
            "deployment": pc.if_else(placed, files["deployment_id"].combine_chunks(), where),
            "site": of["site"],
            "recorder": of["recorder"],
            "latitude": latitude,
            "longitude": longitude,
            "time": zoned_text(pc.floor_temporal(files["begin_local"], unit="second"), files["utc_offset_min"]),
            "utc": _utc(files["begin_local"], files["utc_offset_min"]),
        }
    )
    return table.filter(pa.array(why_not == 0)), why_not


def _utc(local: pa.ChunkedArray, offsets: pa.ChunkedArray) -> pa.ChunkedArray:
    ahead = pc.multiply(pc.cast(offsets, pa.int64()), 60_000_000).cast(pa.duration("us"))
    return pc.floor_temporal(pc.subtract(local, ahead), unit="second").cast(pa.timestamp("us", tz="UTC"))


def _deployments(photographs: pa.Table) -> dict[str, pa.ChunkedArray]:
    keys = ["deployment", "site", "recorder", "latitude", "longitude"]
    grouped = photographs.group_by(keys, use_threads=False).aggregate([("utc", "min"), ("utc", "max")])
    return {
        "deploymentID": grouped["deployment"],
        "locationName": grouped["site"],
        "latitude": grouped["latitude"],
        "longitude": grouped["longitude"],
        "deploymentStart": iso_text(grouped["utc_min"]),
        "deploymentEnd": iso_text(grouped["utc_max"]),
        "cameraModel": grouped["recorder"],
    }


def _media(photographs: pa.Table) -> dict[str, pa.ChunkedArray]:
    paths = photographs["path"].to_pylist()
    endings = [path.rpartition(".")[2].lower() for path in paths]
    return {
        "mediaID": photographs["id"],
        "deploymentID": photographs["deployment"],
        "timestamp": photographs["time"],
        "filePath": pa.array([_address(path) for path in paths], pa.string()),
        "filePublic": pa.repeat("false", len(paths)),
        "fileName": pa.array([PureWindowsPath(path).name for path in paths], pa.string()),
        "fileMediatype": pa.array([_TYPES.get(ending, "image/jpeg") for ending in endings], pa.string()),
    }


def _address(path: str) -> str:
    """Return a path as the format has it: with a scheme where it is absolute, never with two dots in a row."""
    local = Path(path)
    return (local.as_uri() if local.is_absolute() else path.lstrip("./~")).replace("..", "%2E%2E")


def _observations(rows: pa.Table, of: pa.Table) -> dict[str, pa.ChunkedArray]:
    uncertain = pc.equal(rows["presence"], Presence.UNCERTAIN.value)
    by_person = pc.equal(rows["by_kind"], By.HUMAN.value)
    method = pc.if_else(by_person, "human", "machine")
    by = pc.binary_join_element_wise(rows["by"], pc.fill_null(rows["revision"], ""), " ")
    taxon = pc.equal(rows["kind"], Kind.TAXON.value)
    return {
        "observationID": rows["id"],
        "deploymentID": of["deployment"],
        "mediaID": of["id"],
        "eventStart": of["time"],
        "eventEnd": of["time"],
        "observationLevel": pa.repeat("media", len(rows)),
        "observationType": _types(rows),
        "scientificName": pc.if_else(taxon, rows["scientific_name"], pa.scalar(None, pa.string())),
        **{
            field: fixed(pc.list_element(rows["box"], at))
            for at, field in enumerate(("bboxX", "bboxY", "bboxWidth", "bboxHeight"))
        },
        "classificationMethod": method,
        "classifiedBy": pc.utf8_rtrim_whitespace(by),
        "classificationTimestamp": iso_text(pc.floor_temporal(rows["made_at"], unit="second")),
        "classificationProbability": fixed(pc.coalesce(rows["probability"], rows["score"])),
        "observationTags": pc.if_else(uncertain, "uncertain", pa.scalar(None, pa.string())),
        "observationComments": rows["note"],
    }


def _types(rows: pa.Table) -> pa.ChunkedArray:
    names = pc.utf8_lower(pc.coalesce(rows["scientific_name"], rows["label"]))
    taxon = pc.and_(pc.equal(rows["kind"], Kind.TAXON.value), pc.is_valid(rows["scientific_name"]))
    conditions = [
        pc.is_in(names, pa.array(_PEOPLE)),
        pc.is_in(names, pa.array(_VEHICLES)),
        pc.equal(rows["kind"], Kind.BACKGROUND.value),
        taxon,
    ]
    cases = pa.StructArray.from_arrays([each.combine_chunks() for each in conditions], ["0", "1", "2", "3"])
    return pc.case_when(cases, "human", "vehicle", "blank", "animal", "unknown")


class _Spread(NamedTuple):
    """Between which degrees and dates the photographs lie."""

    west: float
    south: float
    east: float
    north: float
    first: str
    last: str


def _spread(photographs: pa.Table) -> _Spread | None:
    if not len(photographs):
        return None
    east, north, moments = (pc.min_max(photographs[name]) for name in ("longitude", "latitude", "utc"))
    return _Spread(
        *(east["min"].as_py(), north["min"].as_py(), east["max"].as_py(), north["max"].as_py()),
        *(moments["min"].as_py().date().isoformat(), moments["max"].as_py().date().isoformat()),
    )


def _package(rows: pa.Table, photographs: pa.Table) -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0)
    spread = _spread(photographs) or _Spread(-180.0, -90.0, 180.0, 90.0, *2 * (now.date().isoformat(),))
    west, south, east, north, first, last = spread
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    named = rows.filter(pc.equal(rows["kind"], Kind.TAXON.value)).group_by(["scientific_name", "rank"])
    taxa = [
        {"scientificName": row["scientific_name"], **({"taxonRank": row["rank"]} if row["rank"] else {})}
        for row in named.aggregate([]).sort_by("scientific_name").to_pylist()
        if row["scientific_name"]
    ]
    return {
        "profile": f"{_PROFILE}/camtrap-dp-profile.json",
        "name": "biovita-identification",
        "created": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "contributors": [{"title": f"biovita {__version__}", "path": "https://github.com/biovita/biovita"}],
        "project": {
            "title": "Photographs identified with biovita",
            "samplingDesign": "opportunistic",
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": ["media"],
        },
        "spatial": {"type": "Polygon", "coordinates": [corners]},
        "temporal": {"start": first, "end": last},
        "taxonomic": taxa,
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{_PROFILE}/{name}-table-schema.json",
            }
            for name in FIELDS
        ],
    }
