"""Who made each file, and on what terms it may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from biovita.csv_safe import SafeWriter
from biovita.dataset import Dataset
from biovita.errors import DatasetError
from biovita.modality import Modality
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
    """Write ``ATTRIBUTION.csv``, a row a file, and return how many files name nobody.

    Raises
    ------
    DatasetError
        Where an item is of a taxon that the dataset lacks.
    """
    _check_taxa(dataset)
    anonymous = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = SafeWriter(stream, COLUMNS)
        writer.writeheader()
        for row in attribution_rows(dataset):
            anonymous += not row["attribution"]
            writer.writerow(row)
    return anonymous


def _check_taxa(dataset: Dataset) -> None:
    for modality in _TABLES:
        table = dataset.media(modality)
        for id_, taxon_id in zip(table["id"].to_pylist(), table["taxon_id"].to_pylist(), strict=True):
            if taxon_id not in dataset.taxonomy:
                raise DatasetError(f"{dataset.path}: {id_} is of the taxon {taxon_id!r}, which taxa.parquet lacks")


def license_summary(dataset: Dataset) -> Mapping[str, Mapping[str, int]]:
    """Return items by licence and table, the commonest first; ``not stated`` where there is none."""
    counts = {
        name: Counter(license_ or "not stated" for license_ in dataset.media(modality)["license"].to_pylist())
        for modality, name in _TABLES.items()
    }
    totals = sum(counts.values(), Counter[str]())
    ordered = sorted(totals, key=lambda license_: (-totals[license_], license_))
    return {license_: {name: counts[name][license_] for name in counts} for license_ in ordered}
