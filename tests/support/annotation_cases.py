"""A small archive with annotations: two recordings with events, one without, folders several levels deep."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.archive.archive_tables import ANNOTATIONS, DEPLOYMENTS, PHOTOGRAPHS, RECORDINGS
from biovita.archive.media_tables import MediaTables

ROOT = Path("/data/survey")
DAWN = datetime(2026, 5, 1, 5, 0, 0)  # noqa: DTZ001
DURATIONS = {"a.wav": 60.0, "b.wav": 45.5, "c.wav": 30.25}
FOLDERS = {"a.wav": "north/ridge/2026", "b.wav": "north/ridge/2026", "c.wav": "south"}


def table(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows as a table; what a row does not say is none."""
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **row} for row in rows], schema)


def file_row(name: str, folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "path": str(folder / name),
        "sha256": "0" * 64,
        "file_size": 1,
        "file_mtime_ns": 1,
        "notes": [],
        **more,
    }


def recordings(**more: Any) -> pa.Table:
    rows = [
        file_row(
            name,
            ROOT / FOLDERS[name],
            deployment_id="d1",
            begin_local=DAWN,
            utc_offset_min=120,
            duration_s=duration,
            sample_rate=48000,
            channels=1,
            license="CC-BY-4.0",
            attribution="A. Person",
            **more,
        )
        for name, duration in DURATIONS.items()
    ]
    return table(RECORDINGS, rows)


def photographs() -> pa.Table:
    common = {"deployment_id": "d1", "begin_local": DAWN, "width": 4000, "height": 3000}
    rows = [
        file_row("p1.jpg", ROOT / "cam", utc_offset_min=120, **common),
        file_row("p2.jpg", ROOT / "cam", **common),  # its zone is not known
        file_row("p..3.png", ROOT / "cam", utc_offset_min=-210, **common, box=[0.1, 0.2, 0.3, 0.4]),
    ]
    return table(PHOTOGRAPHS, rows)


def deployments() -> pa.Table:
    row = {"id": "d1", "site": "Ridge", "latitude": 52.5, "longitude": -1.25, "recorder": "SM4 123"}
    return table(DEPLOYMENTS, [row])


def media() -> MediaTables:
    return MediaTables(recordings(), photographs(), deployments())


def heard(number: int, name: str, start: float | None, end: float | None, **more: Any) -> dict[str, Any]:
    """Return an event that a machine found in a recording."""
    return {
        "id": f"e{number}",
        "media_id": f"id-{name}",
        "path": str(ROOT / FOLDERS[name] / name),
        "modality": "audio",
        "start_s": start,
        "end_s": end,
        "begin_local": DAWN,
        "utc_offset_min": 120,
        "latitude": 52.5,
        "longitude": -1.25,
        "site": "Ridge",
        "label": "Turdus merula_Eurasian Blackbird",
        "taxon_id": "turdus_merula",
        "scientific_name": "Turdus merula",
        "common_name": "Eurasian Blackbird",
        "rank": "species",
        "kind": "taxon",
        "presence": "present",
        "score": 0.875,
        "by": "BirdNET 2.4",
        "by_kind": "machine",
        "revision": "abc123",
        "made_at": datetime(2026, 6, 1, 12, tzinfo=UTC),
        **more,
    }


WREN = {
    "label": "Troglodytes troglodytes_Eurasian Wren",
    "taxon_id": "troglodytes_troglodytes",
    "scientific_name": "Troglodytes troglodytes",
    "common_name": "Eurasian Wren",
}


def events() -> pa.Table:
    """Return three events; the second recording has none."""
    rows = [
        heard(3, "c.wav", 3.0, 9.5, score=0.5, low_hz=2000.0, high_hz=8000.0, channel=1),
        heard(1, "a.wav", 1.5, 4.5),
        heard(2, "a.wav", 0.0, 3.0, **WREN, score=0.25),
    ]
    return table(ANNOTATIONS, rows)


def seen(number: int, name: str, **more: Any) -> dict[str, Any]:
    """Return what a machine found in a photograph."""
    fox = {"label": "Vulpes vulpes", "taxon_id": "vulpes_vulpes", "scientific_name": "Vulpes vulpes"}
    return heard(number, "a.wav", None, None) | {
        "media_id": f"id-{name}",
        "path": str(ROOT / "cam" / name),
        "modality": "image",
        "common_name": "Red Fox",
        **fox,
        **more,
    }
