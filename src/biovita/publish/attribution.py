"""Who made each file, and on what terms it may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from biovita.csv_safe import SafeWriter
from biovita.dataset import Dataset
from biovita.dataset.outgoing import taxon_of
from biovita.files import replacing
from biovita.modality import Modality
from biovita.named_files import is_absolute, last_name
from biovita.redact import redacted

__all__ = ["COLUMNS", "Attribution", "attributions", "license_summary", "shown_path", "write_attribution"]

_TABLES = {Modality.AUDIO: "audio", Modality.IMAGE: "images"}


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who made a file, and on what terms it may be used: a row of ``ATTRIBUTION.csv``.

    Attributes
    ----------
    path
        As `shown_path` has it.
    """

    path: str
    modality: str
    scientific_name: str
    license: str | None
    attribution: str | None
    source: str | None
    source_id: str | None
    url: str | None


COLUMNS = tuple(field.name for field in fields(Attribution))


def shown_path(path: str, sha256: str) -> str:
    """Return the path of a file as it goes out with a dataset.

    A whole path tells of the machine and its user: it becomes ``outside/``, 12 digits of the hash, and the name.
    """
    if not is_absolute(path):
        return path
    return f"outside/{sha256[:12]}/{last_name(path)}"


def attributions(dataset: Dataset) -> Iterator[Attribution]:
    """Yield a row for each file of a dataset, recordings first, in the order of the tables.

    Raises
    ------
    DatasetError
        Where an item is of a taxon that the dataset lacks.
    """
    for modality in _TABLES:
        seen: set[str] = set()
        for batch in dataset.media(modality).to_batches():
            for row in batch.to_pylist():
                if row["path"] in seen:
                    continue
                seen.add(row["path"])
                yield Attribution(
                    path=shown_path(row["path"], row["sha256"]),
                    modality=modality.value,
                    scientific_name=taxon_of(dataset, row).scientific_name,
                    license=row["license"],
                    attribution=_shown(row["attribution"]),
                    source=row["source"],
                    source_id=_shown(row["source_id"]),
                    url=_shown(row["url"]),
                )


def _shown(text: str | None) -> str | None:
    """Return what may be an address, or hold one, without secrets."""
    return redacted(text) if text else text


def write_attribution(dataset: Dataset, file: Path) -> int:
    """Write ``ATTRIBUTION.csv``, a row a file, and return how many files name nobody.

    Raises
    ------
    DatasetError
        Where an item is of a taxon that the dataset lacks; nothing is written then.
    """
    anonymous = 0
    with replacing(file) as scratch, scratch.open("w", encoding="utf-8", newline="") as stream:
        writer = SafeWriter(stream, COLUMNS)
        writer.writeheader()
        for row in attributions(dataset):
            anonymous += not row.attribution
            writer.writerow({name: getattr(row, name) for name in COLUMNS})
    return anonymous


def license_summary(dataset: Dataset) -> Mapping[str, Mapping[str, int]]:
    """Return items by licence and table, the commonest first; ``not stated`` where there is none."""
    counts = {
        name: Counter(license_ or "not stated" for license_ in dataset.media(modality)["license"].to_pylist())
        for modality, name in _TABLES.items()
    }
    totals = sum(counts.values(), Counter[str]())
    ordered = sorted(totals, key=lambda license_: (-totals[license_], license_))
    return {license_: {name: counts[name][license_] for name in counts} for license_ in ordered}
