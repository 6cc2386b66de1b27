"""What a run of ``biovita identify`` gives to read, hear and open elsewhere: files, segments, the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from biovita.archive.annotation_formats.annotation_writers import WrittenAnnotations, write_annotations
from biovita.archive.annotation_formats.delimited import COMMA, write_delimited
from biovita.archive.detection_histories import (
    DetectionHistories,
    detection_histories,
    write_detection_histories,
)
from biovita.archive.media_tables import MediaTables
from biovita.archive.pieces import located
from biovita.archive.segments import SegmentsReport, write_segments
from biovita.files import replacing
from biovita.identification.identify_run import Run
from biovita.identification.options import Outputs
from biovita.media.packed_files import MediaPath
from biovita.report.identification_content import EXEMPLARS, IdentificationContent
from biovita.report.identification_page import write_identification_page

__all__ = ["EXPORTS", "HISTORIES", "RunOutputs", "write_outputs"]

EXPORTS = "exports"  # where files in the formats of others go, within a run
HISTORIES = "detection-histories"  # among them
_PLACE = ["path", "dataset"]
_WITH_ALL_COLUMNS = {"csv", "json", "parquet"}  # formats that state ids of exemplars


@dataclass(frozen=True)
class RunOutputs:
    """What was written.

    Attributes
    ----------
    files
        The page, files in the formats that were asked for, and the folder of segments.
    notes
        What a format cannot hold and what could not be cut out, counted.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_outputs(done: Run, outputs: Outputs) -> RunOutputs:
    """Write the page, the files and the segments that are asked for of a run; those that are there are replaced.

    Raises
    ------
    DatasetError
        Where something else is in the way.
    """
    archive, annotations = done.archive, done.answered.annotations
    media = MediaTables(*(archive.table(name) for name in ("recordings", "photographs", "deployments")))
    speech = done.answered.speech
    files: list[Path] = []
    notes: list[str] = []
    if outputs.formats:
        found = write_annotations(
            annotations, media, archive.path / EXPORTS, outputs.formats, split=outputs.split, overwrite=True
        )
        files += found.files
        notes += _not_written(found)
        if len(done.exemplars) and _WITH_ALL_COLUMNS & set(outputs.formats):
            files.append(_write_exemplars(done.exemplars, archive.path / EXPORTS))
    if outputs.histories:
        histories = detection_histories(annotations, media)
        files += write_detection_histories(histories, archive.path / EXPORTS / HISTORIES, overwrite=True)
        notes += _not_counted(histories)
    shown = [media.recordings, media.photographs, done.exemplars]
    find = located(pa.concat_tables([table.select(_PLACE) for table in shown]))

    def locate(path: str, _dataset: str | None) -> MediaPath:
        return find(path)

    if outputs.segments is not None:
        cut = write_segments(
            annotations,
            media.recordings,
            media.photographs,
            outputs.segments,
            per_taxon=outputs.per_taxon,
            speech=speech if outputs.drop_speech else None,
            locate=locate,
        )
        files.append(outputs.segments)
        notes += _not_cut(cut)
    if not outputs.report:
        return RunOutputs(tuple(files), tuple(notes))
    content = IdentificationContent(
        title=_title(media),
        annotations=annotations,
        recordings=media.recordings,
        photographs=media.photographs,
        deployments=media.deployments,
        candidates=done.answered.candidates,
        left_out=archive.table("left_out"),
        settings=_settings(done),
        window_s=done.record["window_s"] or 3.0,
        expand=done.record["perceiving"]["expand"],
        exemplars=done.exemplars.select(EXEMPLARS.names),
        speech=speech,
        drop_speech=outputs.drop_speech,
        locate=locate,
    )
    return RunOutputs((write_identification_page(content, archive.path), *files), tuple(notes))


def _write_exemplars(exemplars: pa.Table, out: Path) -> Path:
    """Write what is known of the exemplars that annotations name, one row each, and return the file."""
    file = out / "exemplars.csv"
    with replacing(file) as scratch, scratch.open("wb") as stream:
        write_delimited(stream, {name: exemplars[name] for name in EXEMPLARS.names}, COMMA)
    return file


def _not_counted(histories: DetectionHistories) -> list[str]:
    notes = [
        f"histories: {count:,} annotations do not count: {reason}"
        for reason, count in histories.not_counted.items()
    ]
    reasons = Counter(histories.left_out["detail"].to_pylist())
    return notes + [f"histories: {count:,} recordings are left out: {reason}" for reason, count in reasons.items()]


def _not_written(found: WrittenAnnotations) -> list[str]:
    notes = []
    for name, rows in found.not_written.items():
        for reason, count in Counter(row.detail for row in rows).items():
            notes.append(f"{name} has no place for {count:,} files: {reason}")
    replaced = ((name, count) for name, count in found.replaced.items() if count)
    return notes + [f"{name}: a tab or line end in {count:,} names became a space" for name, count in replaced]


def _not_cut(cut: SegmentsReport) -> list[str]:
    notes = [f"segments: {cut.written:,} of {cut.taxa:,} taxa, listed in {cut.table}"]
    if cut.spoken_over:
        notes.append(f"segments: {cut.spoken_over:,} events are left out, for a person is heard there")
    if len(cut.left_out):
        first = cut.left_out["detail"][0].as_py()
        notes.append(f"segments: {len(cut.left_out):,} events could not be cut out, such as: {first}")
    return notes


def _title(media: MediaTables) -> str:
    counts = {"recording": len(media.recordings), "photograph": len(media.photographs)}
    return " and ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for name, count in counts.items() if count)


def _settings(done: Run) -> Mapping[str, str]:
    """Return what the run was asked, in words."""
    record, asked, answering = done.record, done.asked, done.answering
    perceiving = record["perceiving"]
    said = {
        "Model": f"{record['model']['name']}, revision {record['model']['revision'][:19]}",
        "Threshold": f"{answering.threshold:g}",
        "Rank": answering.rank.value if answering.rank else "the deepest that is sure enough",
    }
    if record["hop_s"] is not None:
        said["Windows"] = f"{record['window_s']:g} s, a new one every {record['hop_s']:g} s"
        if perceiving["low_hz"] or perceiving["high_hz"]:
            said["Band"] = f"{perceiving['low_hz'] or 0:g} to {perceiving['high_hz'] or 'all'} Hz"
        if perceiving["expand"] != 1:
            said["Time expansion"] = f"{perceiving['expand']:g}"
    if asked.taxa is not None:
        said["List of taxa"] = asked.taxa.name
    if asked.within:
        said["Within"] = ", ".join(asked.within)
    if asked.place is not None:
        when = "any time of the year" if asked.week is None else f"week {asked.week} of 48"
        said["Place"] = f"{asked.place[0]:g}, {asked.place[1]:g}, {when}"
    if record["gallery"]["places"]:
        said["Compared with"] = ", ".join(Path(place).name for place in record["gallery"]["places"])
    if answering.calibration is not None:
        said["Calibration"] = answering.calibration.version
    return said
