"""Rows of an archive's tables, with what a test does not name filled in."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from biovita.archive.archive_tables import ANNOTATIONS, PHOTOGRAPHS, RECORDINGS

_FILE = {"sha256": "0" * 64, "file_size": 1, "file_mtime_ns": 1, "notes": []}


def events_of(*rows: dict[str, Any]) -> pa.Table:
    """Annotations: present taxa in recordings, with ids in the order of the rows."""
    filled = [
        {
            "id": f"e{number:03}",
            "modality": "audio",
            "label": row.get("scientific_name", "?"),
            "kind": "taxon",
            "rank": "species",
            "presence": "present",
            "by": "starter",
            "by_kind": "machine",
            **row,
        }
        for number, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, ANNOTATIONS)


def recordings_of(*rows: dict[str, Any]) -> pa.Table:
    """Recordings of ten seconds."""
    filled = [
        {**_FILE, "path": f"/{row['id']}.wav", "duration_s": 10.0, "sample_rate": 24_000, "channels": 1, **row}
        for row in rows
    ]
    return pa.Table.from_pylist(filled, RECORDINGS)


def photographs_of(*rows: dict[str, Any]) -> pa.Table:
    """Photographs of 80 by 60 pixels."""
    filled = [{**_FILE, "path": f"/{row['id']}.jpg", "width": 80, "height": 60, **row} for row in rows]
    return pa.Table.from_pylist(filled, PHOTOGRAPHS)
