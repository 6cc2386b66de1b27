"""What a dataset holds, in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from biovita.dataset.dataset import Dataset
from biovita.dataset.file_rows import value_counts
from biovita.dataset.media_groups import TextNumbers
from biovita.dataset.omitted import count_omitted
from biovita.dataset.schema import MEDIA_TABLES

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
    heard, seconds = _recordings(dataset)
    seen = _tally(dataset, "images", "taxon_id")
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
            seconds=sum(seconds.get(taxon_id, 0.0) for taxon_id in ids),
        )
        for name, ids in members.items()
    ]
    return Summary(
        name=str(dataset.info.get("name", dataset.path.name)),
        version=str(dataset.info.get("version", "")),
        audio=heard.total(),
        images=seen.total(),
        taxa=len(dataset.taxonomy),
        both=len(heard.keys() & seen.keys()),
        families=len({taxon.family for taxon in dataset.taxonomy.values() if taxon.family}),
        seconds=sum(seconds.values()),
        classes=tuple(sorted(classes, key=lambda one: (-one.audio - one.images, one.name))),
        licenses=_by_table(dataset, "license"),
        sources=_by_table(dataset, "source"),
        splits=_by_table(dataset, "split"),
        rejected=dict(sorted(_tally(dataset, "rejected", "reason").items())),
        omitted=count_omitted(dataset),
        not_listed=dataset.info.get("made", {}).get("not_listed", {}),
    )


def _recordings(dataset: Dataset) -> tuple[Counter[str], dict[str, float]]:
    """Return how many recordings each taxon has, and how many seconds they last, added in the order of the table."""
    numbers = TextNumbers()
    heard, seconds = np.zeros(0, np.int64), np.zeros(0)
    for batch in dataset.batches("audio", ["taxon_id", "start_s", "end_s"]):
        taxa = numbers.of(batch.column("taxon_id"))
        more = len(numbers.of_text) - len(heard)
        heard, seconds = np.append(heard, np.zeros(more, np.int64)), np.append(seconds, np.zeros(more))
        lasting = batch.column("end_s").to_numpy() - batch.column("start_s").to_numpy()
        heard += np.bincount(taxa, minlength=len(heard))
        lasts = (lasting > 0) & (lasting < _LONGEST_S)
        np.add.at(seconds, taxa[lasts], lasting[lasts])
    names = [str(name) for name in numbers.of_text]
    return Counter(dict(zip(names, heard.tolist(), strict=True))), dict(zip(names, seconds.tolist(), strict=True))


def _by_table(dataset: Dataset, column: str) -> dict[str, dict[str, int]]:
    """Return how many items of each table of media have each value of a column, most first."""
    counts = {name: _tally(dataset, name, column) for name in MEDIA_TABLES.values()}
    return {
        name: dict(sorted(each.items(), key=lambda pair: (-pair[1], pair[0]))) for name, each in counts.items()
    }


def _tally(dataset: Dataset, name: str, column: str) -> Counter[str]:
    """Return how many rows of a table have each value of a column; what is empty is not given."""
    counts: Counter[str] = Counter()
    for value, number in value_counts(dataset, name, column).items():
        counts[value or UNKNOWN] += number
    return counts
