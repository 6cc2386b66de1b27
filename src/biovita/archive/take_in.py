"""What was named enters an archive: files and datasets become its recordings, photographs and deployments."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import Archive
from biovita.archive.archive_tables import ANNOTATIONS, LEFT_OUT, NAMED_TAXA
from biovita.archive.find_media import FoundMedia, MediaFile
from biovita.archive.from_dataset import dataset_labels, dataset_media, dataset_taxa
from biovita.archive.register import Registration, register
from biovita.compute.cores import cpu_count
from biovita.errors import MediaError
from biovita.media.decode import open_sound
from biovita.modality import MEDIA, Modality

__all__ = ["Extent", "NamedTables", "extent_of", "look_into", "take_in"]

_TABLES = ("deployments", "recordings", "photographs", "left_out")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much was named, as headers state it.

    Attributes
    ----------
    hours
        Of the recordings together.
    unreadable
        Files whose headers cannot be read.
    """

    recordings: int
    hours: float
    photographs: int
    unreadable: int


def extent_of(found: FoundMedia) -> Extent:
    """Return how much was named; nothing is decoded."""

    def length(file: MediaFile) -> float | None:
        try:
            with open_sound(file.path) as reader:
                return reader.frames / reader.sample_rate
        except (MediaError, OSError):
            return None

    sounds = [file for file in found.files if file.modality == Modality.AUDIO]
    with ThreadPoolExecutor(cpu_count()) as pool:
        lengths = list(pool.map(length, sounds))
    seconds = sum(each for each in lengths if each is not None)
    recordings, photographs = len(sounds), len(found.files) - len(sounds)
    for dataset in found.datasets:
        spans = pc.sum(pc.subtract(dataset.audio["end_s"], dataset.audio["start_s"])).as_py()
        seconds += spans or 0.0
        recordings += len(dataset.audio)
        photographs += len(dataset.images)
    return Extent(recordings, seconds / 3600, photographs, lengths.count(None))


@dataclass(frozen=True, eq=False)
class NamedTables:
    """What was named, as `biovita.archive.archive_tables` has it; labels and taxa are those of datasets and runs."""

    deployments: pa.Table
    recordings: pa.Table
    photographs: pa.Table
    left_out: pa.Table
    labels: pa.Table
    taxa: pa.Table


def look_into(
    archive: Archive, found: FoundMedia, how: Registration, advance: Callable[[int], None] = lambda _: None
) -> NamedTables:
    """Return what was named; files that an archive knows and that are as they were are not hashed again.

    Of one content the first is kept, and the others are left out.
    """
    known = ["path", "file_size", "file_mtime_ns", "sha256"]
    before = pa.concat_tables([archive.table(name).select(known) for name in ("recordings", "photographs")])
    parts = [register(found.files, how, before, advance), *(dataset_media(each) for each in found.datasets)]
    seen: set[str] = set()
    joined = {name: pa.concat_tables([getattr(part, name) for part in parts]) for name in _TABLES}
    closed = [
        {"path": str(path), "reason": "unreadable", "detail": f"{path}: the folder cannot be looked into: {why}"}
        for path, why in found.closed
    ]
    joined["left_out"] = pa.concat_tables([joined["left_out"], pa.Table.from_pylist(closed, schema=LEFT_OUT)])
    for name in ("recordings", "photographs"):
        joined[name], twice = _once(joined[name], seen)
        joined["left_out"] = pa.concat_tables([joined["left_out"], twice])
    joined["deployments"], _ = _once(joined["deployments"], set(), path="id")
    labels = [dataset_labels(dataset, modality) for dataset in found.datasets for modality in MEDIA]
    taxa = [dataset_taxa(dataset) for dataset in found.datasets]
    return NamedTables(
        **joined,
        labels=pa.concat_tables([ANNOTATIONS.empty_table(), *labels]),
        taxa=pa.concat_tables([NAMED_TAXA.empty_table(), *taxa]),
    )


def take_in(
    archive: Archive, found: FoundMedia, how: Registration, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write the tables of an archive for what was named; files that it knew and that are as they were stay as they are.

    What it knew and is not named now leaves its tables; its vectors stay.
    """
    named = look_into(archive, found, how, advance)
    for name in _TABLES:
        archive.write(name, getattr(named, name))
    if found.datasets:
        archive.write("labels", named.labels)


def _once(media: pa.Table, seen: set[str], path: str = "path") -> tuple[pa.Table, pa.Table]:
    """Return the rows whose ids were not seen before, and what is said of the others."""
    keep = []
    for name in media["id"].to_pylist():
        keep.append(name not in seen)
        seen.add(name)
    twice = media.filter(pa.array([not each for each in keep], pa.bool_()))[path].to_pylist()
    said = [f"{path}: the same content was named before" for path in twice]
    rows = pa.Table.from_pylist(
        [
            {"path": path, "reason": "duplicate", "detail": detail}
            for path, detail in zip(twice, said, strict=True)
        ],
        schema=LEFT_OUT,
    )
    return media.filter(pa.array(keep, pa.bool_())), rows
