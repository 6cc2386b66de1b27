"""What is to be heard in a soundscape, as annotations and as tables that Raven and spreadsheets open."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.archive.annotation_formats.raven import write_raven
from biovita.archive.archive_tables import ANNOTATIONS, RECORDINGS, Kind, Presence
from biovita.archive.media_tables import MediaTables, annotated_files
from biovita.csv_safe import write_rows
from biovita.dataset import Dataset, write_table
from biovita.files import write_whole
from biovita.modality import Modality
from biovita.simulation.soundscape_plan import PlacedCall

__all__ = ["HeardCall", "write_truth"]

_BY = "biovita simulate soundscape"


@dataclass(frozen=True, slots=True)
class HeardCall:
    """A call as it was mixed: the recording's file name and begin, and the ratio that was reached."""

    call: PlacedCall
    file: str
    file_begin: datetime
    rate: int
    snr_db: float

    @property
    def start_s(self) -> float:
        """In the recording."""
        return self.call.start / self.rate

    @property
    def end_s(self) -> float:
        """In the recording."""
        return self.call.stop / self.rate


def write_truth(out: Path, dataset: Dataset, heard: Sequence[HeardCall], durations: Mapping[str, float]) -> None:
    """Write the calls of recordings beside them.

    ``truth.parquet`` has rows of `ANNOTATIONS`, ``events.csv`` says of which clip each call is, whose, and on what
    terms, and each recording has ``NAME.Table.1.selections.txt``, as Raven names the tables of a sound.

    Parameters
    ----------
    durations
        In seconds, of all recordings by name.
    """
    annotations = pa.Table.from_pylist([_annotation(each, dataset) for each in heard], schema=ANNOTATIONS)
    write_table(annotations, out / "truth.parquet")
    _write_tables(out, annotations, durations, heard[0].rate)
    sources = _sources(dataset, {each.call.item for each in heard})
    rows = [
        {
            "file": each.file,
            "start_s": round(each.start_s, 4),
            "end_s": round(each.end_s, 4),
            "scientific_name": dataset.taxonomy[each.call.taxon_id].scientific_name,
            "snr_db": round(each.snr_db, 2),
            **sources[each.call.item],
        }
        for each in heard
    ]
    text = io.StringIO()
    write_rows(text, list(rows[0]), rows)
    write_whole(out / "events.csv", text.getvalue())


def _write_tables(out: Path, annotations: pa.Table, durations: Mapping[str, float], rate: int) -> None:
    """Write a table for Raven beside each recording, which it names without a folder."""
    rows = [
        {"id": name, "path": name, "duration_s": duration, "sample_rate": rate}
        | {"sha256": "", "file_size": 0, "file_mtime_ns": 0, "notes": []}
        for name, duration in durations.items()
    ]
    recordings = pa.Table.from_pylist(rows, schema=RECORDINGS)
    annotated = annotated_files(annotations, MediaTables(recordings), (Modality.AUDIO,))
    for row, name in enumerate(annotated.files["path"].to_pylist()):
        write_raven(annotated.of_file(row), out / f"{Path(name).stem}.Table.1.selections.txt")


def _sources(dataset: Dataset, items: set[str]) -> Mapping[str, Mapping[str, Any]]:
    columns = ["source", "source_id", "group_id", "license", "attribution", "url"]
    table = dataset.audio.select(["id", *columns])
    return {row.pop("id"): {"item": key, **row} for row in table.to_pylist() if (key := row["id"]) in items}


def _annotation(each: HeardCall, dataset: Dataset) -> dict[str, Any]:
    taxon = dataset.taxonomy[each.call.taxon_id]
    return {
        "id": f"{each.file}:{each.call.start}:{each.call.item}",
        "path": each.file,
        "modality": Modality.AUDIO.value,
        "start_s": each.start_s,
        "end_s": each.end_s,
        "low_hz": each.call.part.low_hz,
        "high_hz": each.call.part.high_hz,
        "begin_local": each.file_begin + timedelta(seconds=each.start_s),
        "label": taxon.scientific_name,
        "taxon_id": taxon.id,
        "scientific_name": taxon.scientific_name,
        "common_name": taxon.common_name,
        "rank": taxon.rank.value,
        "kind": Kind.TAXON.value,
        "presence": Presence.PRESENT.value,
        "by": _BY,
        "note": f"the call of {each.call.item} at {each.snr_db:.1f} dB over the background",
    }
