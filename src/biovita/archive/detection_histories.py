"""Detection histories: on which days a taxon was heard at which sites, and how many hours were recorded there.

They are what occupancy models ask for (MacKenzie et al. 2002, doi 10.1890/0012-9658(2002)083[2248:ESORWD]2.0.CO;2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.delimited import COMMA, write_delimited
from biovita.archive.archive_tables import LEFT_OUT, Kind, Presence
from biovita.archive.media_tables import AnnotatedFiles, MediaTables, annotated_files
from biovita.filenames import FileNames
from biovita.files import new_directory
from biovita.modality import Modality

__all__ = ["DetectionHistories", "detection_histories", "write_detection_histories"]

_DAY_US = 86_400_000_000
_REASONS = {
    "no-time": "the recording does not say when it begins",
    "no-site": "the recording is of no deployment, so its site is not known",
    "no-length": "the recording is empty",
}
_EFFORT = pa.schema([pa.field("site", pa.string()), pa.field("day", pa.date32()), pa.field("hours", pa.float64())])


@dataclass(frozen=True, eq=False)
class DetectionHistories:
    """Which taxa were heard where and when, and where and when someone listened.

    Attributes
    ----------
    effort
        Columns ``site``, ``day`` (by the local clock) and ``hours`` recorded, in their order; hours of several
        recorders at one site add up. Days without a recording are not there.
    taxa
        Scientific names, sorted.
    detected
        ``(taxa, rows of effort)`` bool.
    left_out
        Recordings that are of no site or day, as `LEFT_OUT`.
    not_counted
        How many annotations say nothing here, by reason.
    """

    effort: pa.Table
    taxa: tuple[str, ...]
    detected: np.ndarray
    left_out: pa.Table
    not_counted: Mapping[str, int]

    @property
    def table(self) -> pa.Table:
        """One row a taxon, site and day: ``scientific_name``, ``site``, ``day``, ``detected`` (0 or 1), ``hours``."""
        number = len(self.effort)
        rows = pa.array(np.tile(np.arange(number), len(self.taxa)))
        names = pa.array(self.taxa, pa.string()).take(pa.array(np.repeat(np.arange(len(self.taxa)), number)))
        table = self.effort.take(rows).add_column(0, "scientific_name", names)
        return table.add_column(3, "detected", pa.array(self.detected.ravel().astype(np.int8)))


def detection_histories(annotations: pa.Table, media: MediaTables) -> DetectionHistories:
    """Return detection histories by site and day.

    The site of a recording is that of its deployment, or the deployment's id where it has no site. A recording that
    goes on over midnight counts for both days, and a detection for the day that it begins on. Only what is said to be
    present counts.

    Parameters
    ----------
    annotations
        As `ANNOTATIONS`.
    media
        Recordings and deployments; also recordings without an annotation, which are what makes a zero.
    """
    effort, left_out = _effort(media)
    sites = _sites(media.recordings, media.deployments)
    heard = annotations.filter(pc.equal(annotations["modality"], Modality.AUDIO.value))
    recordings = media.recordings.append_column("where", sites)
    of = annotated_files(heard, MediaTables(recordings, media.photographs, media.deployments), [Modality.AUDIO])
    rows = _effort_rows(of, effort)
    table = of.annotations
    present = np.asarray(pc.equal(table["presence"], Presence.PRESENT.value), bool)
    named = np.asarray(pc.equal(table["kind"], Kind.TAXON.value), bool)
    named &= np.asarray(pc.is_valid(table["scientific_name"]), bool)
    not_counted = {
        "of a photograph": len(annotations) - len(heard),
        "not said to be present": int(np.sum(~present)),
        "of no taxon": int(np.sum(present & ~named)),
        "of no site or day": int(np.sum(present & named & (rows < 0))),
    }
    counted = present & named & (rows >= 0)
    names = table["scientific_name"].filter(pa.array(counted)).combine_chunks()
    taxa = sorted(pc.unique(names).to_pylist())
    detected = np.zeros((len(taxa), len(effort)), bool)
    detected[pc.index_in(names, pa.array(taxa, pa.string())).to_numpy(), rows[counted]] = True
    return DetectionHistories(
        effort,
        tuple(taxa),
        detected,
        left_out,
        {reason: number for reason, number in not_counted.items() if number},
    )


def write_detection_histories(
    histories: DetectionHistories, out: Path, *, overwrite: bool = False
) -> tuple[Path, ...]:
    """Write detection histories as CSV, for `unmarked`, `camtrapR` and the like.

    ``detections.csv`` has a row a taxon, site and day; ``effort.csv`` a row a site, with the hours of each day; and
    ``taxa/`` a file a taxon, a row a site and a column a day: 1, 0, and empty where nothing was recorded. Recordings
    that are of no site or day are in ``left-out.csv``.

    Raises
    ------
    DatasetError
        Where ``out`` is there and is not to be replaced.
    """
    effort = histories.effort
    sites, days = (pc.unique(effort[name].combine_chunks()).sort() for name in ("site", "day"))
    at = pc.index_in(effort["site"], sites).to_numpy(), pc.index_in(effort["day"], days).to_numpy()
    names, files = FileNames(), []
    with new_directory(out, replace=overwrite, marker="effort.csv") as folder:
        tables = {"detections.csv": dict(zip(histories.table.column_names, histories.table.columns, strict=True))}
        tables["effort.csv"] = _wide(sites, days, at, effort["hours"].to_numpy())
        if len(histories.left_out):
            tables["left-out.csv"] = {name: histories.left_out[name] for name in ("path", "reason", "detail")}
        (folder / "taxa").mkdir()
        for row, taxon in enumerate(histories.taxa):
            name = names.new(taxon.replace(" ", "_"), suffix=".csv")
            tables[f"taxa/{name}"] = _wide(sites, days, at, histories.detected[row].astype(np.int8))
        for name, columns in tables.items():
            with (folder / name).open("wb") as stream:
                write_delimited(stream, columns, COMMA)
            files.append(out / name)
    return tuple(files)


def _wide(
    sites: pa.Array, days: pa.Array, at: tuple[np.ndarray, np.ndarray], values: np.ndarray
) -> dict[str, pa.Array]:
    """Return a column of sites, and one for each day."""
    cells, known = np.zeros((len(sites), len(days)), values.dtype), np.zeros((len(sites), len(days)), bool)
    cells[at], known[at] = values, True
    columns = {str(day): pa.array(cells[:, row], mask=~known[:, row]) for row, day in enumerate(days.to_pylist())}
    return {"site": sites, **columns}


def _sites(recordings: pa.Table, deployments: pa.Table) -> pa.Array:
    of = recordings["deployment_id"].combine_chunks()
    names = pc.coalesce(deployments["site"], deployments["id"]).combine_chunks()
    return pc.coalesce(names.take(pc.index_in(of, deployments["id"].combine_chunks())), of)


def _effort(media: MediaTables) -> tuple[pa.Table, pa.Table]:
    """Return the hours by site and day, and the recordings that are of none."""
    recordings = media.recordings
    spans = pa.table(
        {
            "path": recordings["path"],
            "site": _sites(recordings, media.deployments),
            "begin": recordings["begin_local"].cast(pa.int64()),
            "from": pc.fill_null(recordings["start_s"], 0.0),
            "to": pc.coalesce(recordings["end_s"], recordings["duration_s"]),
        }
    )
    spans = spans.group_by(spans.column_names, use_threads=False).aggregate([])  # channels of one are one
    missing = {
        "no-time": pc.is_null(spans["begin"]),
        "no-site": pc.is_null(spans["site"]),
        "no-length": pc.less_equal(spans["to"], spans["from"]),
    }
    usable, left_out = np.ones(len(spans), bool), []
    for reason, mask in missing.items():
        now = usable & np.asarray(mask, bool)
        paths = spans["path"].filter(pa.array(now)).to_pylist()
        left_out += [{"path": path, "reason": reason, "detail": _REASONS[reason]} for path in paths]
        usable &= ~now
    hours = _by_day(spans.filter(pa.array(usable)))
    effort = hours.group_by(["site", "day"], use_threads=False).aggregate([("hours", "sum")])
    effort = effort.rename_columns(["site", "day", "hours"]).sort_by([("site", "ascending"), ("day", "ascending")])
    return effort.cast(_EFFORT), pa.Table.from_pylist(left_out, LEFT_OUT)


def _by_day(spans: pa.Table) -> pa.Table:
    """Return a row for each day that a span touches, with the hours of it."""
    clock = spans["begin"].to_numpy()
    begin = clock + np.round(spans["from"].to_numpy() * 1e6).astype(np.int64)
    end = clock + np.round(spans["to"].to_numpy() * 1e6).astype(np.int64)
    first = begin // _DAY_US
    number = (end - 1) // _DAY_US - first + 1
    rows = np.repeat(np.arange(len(spans)), number)
    day = first[rows] + np.arange(len(rows)) - np.repeat(np.cumsum(number) - number, number)
    lasting = np.minimum(end[rows], (day + 1) * _DAY_US) - np.maximum(begin[rows], day * _DAY_US)
    days = pa.array(day.astype(np.int32)).cast(pa.date32())
    return pa.table({"site": spans["site"].take(pa.array(rows)), "day": days, "hours": lasting / 3.6e9})


def _effort_rows(of: AnnotatedFiles, effort: pa.Table) -> np.ndarray:
    """Return the row of the effort for each annotation; -1 where there is none."""
    start = pc.cast(pc.round(pc.multiply(pc.fill_null(of.annotations["start_s"], 0.0), 1e6)), pa.int64())
    moment = pc.add(of.column("begin_local").cast(pa.int64()), start)
    day = pc.cast(pc.floor(pc.divide(pc.cast(moment, pa.float64()), float(_DAY_US))), pa.int32())
    keys = pc.binary_join_element_wise(_text(day), of.column("where"), " ")
    known = pc.binary_join_element_wise(_text(effort["day"].cast(pa.int32())), effort["site"], " ")
    return pc.fill_null(pc.index_in(keys, known.combine_chunks(), skip_nulls=True), -1).to_numpy()


def _text(numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(numbers, pa.string())
