"""What an import found out about files, kept in the dataset, so that the next one looks at what has changed alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.dataset import write_table
from biovita.dataset.media_paths import MediaPaths
from biovita.errors import DatasetError
from biovita.limits import limit
from biovita.media import AudioProbe, ImageProbe
from biovita.modality import Modality
from biovita.parquet import read_parquet
from biovita.sources.inspect import Content, Inspected, Known, Probe, content_of
from biovita.version import __version__

__all__ = ["NAME", "read_inspected", "write_inspected"]

NAME = ".inspected.parquet"
_FILES = pa.schema(
    [
        pa.field("by", pa.string(), nullable=False),  # what decides whether a file can be used
        pa.field("modality", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # as the tables have it of media that are not copied
        pa.field("file_size", pa.int64(), nullable=False),
        pa.field("file_mtime_ns", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("format", pa.string(), nullable=False),
        pa.field("duration_s", pa.float64()),
        pa.field("sample_rate", pa.int32()),
        pa.field("channels", pa.int32()),
        pa.field("warnings", pa.string()),  # a line each
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
    ]
)
_AUDIO = ("duration_s", "sample_rate", "channels", "format")
_IMAGE = ("width", "height", "format")
_SETTLED_NS = 2 * 10**9  # FAT keeps times to two seconds


def read_inspected(dataset: Path, files: Iterable[tuple[Modality, Path]]) -> Known:
    """Return what the last import into a dataset found out about files that could be used.

    Nothing is known where there is no dataset, its list cannot be read, or another biovita or other limits judged the
    files. A file that had just been written then may have been written to once more within the same moment: only its
    bytes are known.
    """
    place, by, paths = dataset / NAME, _judged_by(), MediaPaths.of(dataset)
    try:
        settled = place.stat().st_mtime_ns - _SETTLED_NS
        table = read_parquet(place, _FILES)
    except (DatasetError, OSError):
        return Known()
    asked = {(modality.value, paths.stored(path)): (modality, path) for modality, path in files}
    found: dict[tuple[Modality, Path], Inspected] = {}
    contents: dict[Content, Probe] = {}
    for row in (row for batch in table.to_batches() for row in batch.to_pylist() if row["by"] == by):
        if (probe := _probe(row)) is None:
            continue
        contents[content_of(row["modality"], row["path"], row["sha256"])] = probe
        file, state = asked.get((row["modality"], row["path"])), (row["file_size"], row["file_mtime_ns"])
        if file is not None and state[1] < settled:
            found[file] = Inspected(probe, row["sha256"], state)
    return Known(found, contents)


def write_inspected(directory: Path, dataset: Path, inspected: Mapping[tuple[Modality, Path], Inspected]) -> None:
    """Write what was found out about files that can be used into a directory that becomes the dataset."""
    by, paths = _judged_by(), MediaPaths.of(dataset)
    rows: list[dict[str, Any]] = []
    for (modality, path), each in inspected.items():
        if each.state is not None:
            size, changed = each.state
            file = {"by": by, "modality": modality.value, "path": paths.stored(path), "sha256": each.sha256}
            rows.append({**file, "file_size": size, "file_mtime_ns": changed, **_columns(each.probe)})
    write_table(pa.Table.from_pylist(rows, schema=_FILES), directory / NAME)


def _judged_by() -> str:
    limits = ", ".join(f"{name} {limit(name)}" for name in ("pixels", "decoding", "shortest"))
    return f"biovita {__version__}, {limits}"


def _columns(probe: Probe) -> dict[str, Any]:
    columns = {name: getattr(probe, name) for name in (_IMAGE if isinstance(probe, ImageProbe) else _AUDIO)}
    warnings = "\n".join(probe.warnings) if isinstance(probe, AudioProbe) else ""
    return {**columns, "warnings": warnings or None}


def _probe(row: Mapping[str, Any]) -> Probe | None:
    """Return what a row says that a file holds; None where it lacks something."""
    is_image = row["modality"] == Modality.IMAGE
    held: dict[str, Any] = {name: row[name] for name in (_IMAGE if is_image else _AUDIO)}
    if None in held.values():
        return None
    return (
        ImageProbe(**held)
        if is_image
        else AudioProbe(**held, warnings=tuple((row["warnings"] or "").splitlines()))
    )
