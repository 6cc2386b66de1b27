"""Who made each file, and on what terms it may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from biovita.csv_safe import write_rows
from biovita.dataset import Dataset, Modality
from biovita.redact import redacted

__all__ = ["COLUMNS", "attribution_rows", "license_summary", "write_attribution"]

COLUMNS = ("path", "modality", "scientific_name", "license", "attribution", "source", "source_id", "url")
_ADDRESSES = ("attribution", "source_id", "url")  # may be one, or hold one
_TABLES = {Modality.AUDIO: "audio", Modality.IMAGE: "images"}


def attribution_rows(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Yield a row for each file of a dataset, recordings first, in the order of the tables."""
    names = {taxon.id: taxon.scientific_name for taxon in dataset.taxonomy.values()}
    for modality in _TABLES:
        seen: set[str] = set()
        for batch in dataset.media(modality).to_batches():
            for row in batch.to_pylist():
                if row["path"] in seen:
                    continue
                seen.add(row["path"])
                yield {
                    **{column: row[column] for column in COLUMNS if column in row},
                    **{column: redacted(row[column]) for column in _ADDRESSES if row[column]},
                    "modality": modality.value,
                    "scientific_name": names[row["taxon_id"]],
                }


def write_attribution(dataset: Dataset, file: Path) -> int:
    """Write ``ATTRIBUTION.csv``, a row a file, and return how many files name nobody."""
    rows = list(attribution_rows(dataset))
    with file.open("w", encoding="utf-8", newline="") as stream:
        write_rows(stream, COLUMNS, rows)
    return sum(not row["attribution"] for row in rows)


def license_summary(dataset: Dataset) -> Mapping[str, Mapping[str, int]]:
    """Return items by licence and table, the commonest first; ``not stated`` where there is none."""
    counts = {
        name: Counter(license_ or "not stated" for license_ in dataset.media(modality)["license"].to_pylist())
        for modality, name in _TABLES.items()
    }
    totals = sum(counts.values(), Counter[str]())
    ordered = sorted(totals, key=lambda license_: (-totals[license_], license_))
    return {license_: {name: counts[name][license_] for name in counts} for license_ in ordered}
