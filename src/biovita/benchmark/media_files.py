"""The media of a benchmark: where each file really lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from biovita.benchmark.task import Benchmark
from biovita.modality import Modality
from biovita.sources.misnamed import find_metadata, locate_recordings

__all__ = ["Renamed", "resolve_media"]


@dataclass(frozen=True)
class Renamed:
    """A file that an index names differently than it is called."""

    modality: Modality
    said: str
    found: str


def resolve_media(benchmark: Benchmark, metadata: Path | None = None) -> tuple[Benchmark, list[Renamed]]:
    """Return the benchmark with its files as they are called on disk, and those that are called differently.

    Recordings that are not where the index says are found as `biovita.sources.misnamed.locate_recordings` tells; one
    that is not found stays as the index names it.

    Parameters
    ----------
    metadata
        ``metadata.csv``; by default it is looked for near the media.
    """
    root = benchmark.root
    if root is None:
        return benchmark, []
    table = benchmark.items[Modality.AUDIO]
    paths, species, parts = (table[name].to_pylist() for name in ("path", "species", "part"))
    named = [at for at, path in enumerate(paths) if path]
    found = locate_recordings(
        root,
        [(paths[at], species[at] or "") for at in named],
        metadata or find_metadata(root),
        [parts[at] for at in named],
        lambda path: benchmark.locate(path).is_file(),
    )
    renamed = []
    for at, path in zip(named, found, strict=True):
        if path is not None and path != paths[at]:
            renamed.append(Renamed(Modality.AUDIO, paths[at], path))
            paths[at] = path
    if not renamed:
        return benchmark, []
    column = table.schema.get_field_index("path")
    items = {**benchmark.items, Modality.AUDIO: table.set_column(column, "path", pa.array(paths, pa.string()))}
    return replace(benchmark, items=items), renamed
