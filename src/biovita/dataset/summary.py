"""What a dataset holds, in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from biovita.dataset.dataset import Dataset
from biovita.dataset.omitted import count_omitted

__all__ = ["UNKNOWN", "ClassCounts", "Summary", "summary"]

UNKNOWN = "(not given)"
_LONGEST_S = 1e9  # of a span: no recording lasts 30 years


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Counts of one taxonomic class; ``both`` counts the taxa with recordings and photographs."""

    name: str
    taxa: int
    both: int
    audio: int
    images: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a dataset.

    Attributes
    ----------
    seconds
        Of the spans that are used, not of whole files.
    classes
        Largest first.
    licenses, sources, splits
        Items by value, most first, ``audio`` and ``images`` apart.
    rejected
        Records that could not be used, by reason.
    omitted, not_listed
        Records that the plan of a build left out, by reason: those that ``omitted.parquet`` lists, and those that are
        only counted, since the plan does not ask for their taxa or modality.
    """

    name: str
    version: str
    audio: int
    images: int
    taxa: int
    both: int
    families: int
    seconds: float
    classes: tuple[ClassCounts, ...]
    licenses: Mapping[str, Mapping[str, int]]
    sources: Mapping[str, Mapping[str, int]]
    splits: Mapping[str, Mapping[str, int]]
    rejected: Mapping[str, int]
    omitted: Mapping[str, int]
    not_listed: Mapping[str, int]


def summary(dataset: Dataset) -> Summary:
    """Count what a dataset holds."""
    audio, images = dataset.audio, dataset.images
    heard, seen = Counter(audio["taxon_id"].to_pylist()), Counter(images["taxon_id"].to_pylist())
    seconds: dict[str, float] = defaultdict(float)
    spans = (audio[column].to_pylist() for column in ("taxon_id", "start_s", "end_s"))
    for taxon_id, start, end in zip(*spans, strict=True):
        if 0 < end - start < _LONGEST_S:
            seconds[taxon_id] += end - start
    members = defaultdict(list)
    for taxon in dataset.taxonomy.values():
        members[taxon.class_ or UNKNOWN].append(taxon.id)
    classes = [
        ClassCounts(
            name=name,
            taxa=len(ids),
            both=sum(taxon_id in heard and taxon_id in seen for taxon_id in ids),
            audio=sum(heard[taxon_id] for taxon_id in ids),
            images=sum(seen[taxon_id] for taxon_id in ids),
            seconds=sum(seconds[taxon_id] for taxon_id in ids),
        )
        for name, ids in members.items()
    ]
    by = {"audio": audio, "images": images}
    return Summary(
        name=str(dataset.info.get("name", dataset.path.name)),
        version=str(dataset.info.get("version", "")),
        audio=audio.num_rows,
        images=images.num_rows,
        taxa=len(dataset.taxonomy),
        both=len(heard.keys() & seen.keys()),
        families=len({taxon.family for taxon in dataset.taxonomy.values() if taxon.family}),
        seconds=sum(seconds.values()),
        classes=tuple(sorted(classes, key=lambda one: (-one.audio - one.images, one.name))),
        licenses={name: _tally(rows, "license") for name, rows in by.items()},
        sources={name: _tally(rows, "source") for name, rows in by.items()},
        splits={name: _tally(rows, "split") for name, rows in by.items()},
        rejected=dict(sorted(Counter(dataset.rejected.column("reason").to_pylist()).items())),
        omitted=count_omitted(dataset),
        not_listed=dataset.info.get("made", {}).get("not_listed", {}),
    )


def _tally(table: pa.Table, column: str) -> dict[str, int]:
    counts = Counter(value or UNKNOWN for value in table[column].to_pylist())
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
