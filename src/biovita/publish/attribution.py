"""Who made each file, and on what terms it may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from biovita.csv_safe import SafeWriter
from biovita.dataset import Dataset
from biovita.dataset.file_rows import file_rows, value_counts
from biovita.dataset.outgoing import taxon_of
from biovita.dataset.schema import MEDIA_TABLES
from biovita.files import replacing
from biovita.modality import Modality
from biovita.named_files import is_absolute, last_name
from biovita.redact import redacted_column

__all__ = ["COLUMNS", "WHOLE_PATH", "license_summary", "shown_path", "write_attribution"]

WHOLE_PATH = r"^(/|\\|[A-Za-z]:)"
"""What a path begins with that holds on one machine only."""
_READ = ("id", "taxon_id", "path", "sha256", "license", "attribution", "source", "source_id", "url")


COLUMNS = ("path", "modality", "scientific_name", "license", "attribution", "source", "source_id", "url")


def shown_path(path: str, sha256: str) -> str:
    """Return the path of a file as it goes out with a dataset.

    A whole path tells of the machine and its user: it becomes ``outside/``, 12 digits of the hash, and the name.
    """
    if not is_absolute(path):
        return path
    return f"outside/{sha256[:12]}/{last_name(path)}"


def write_attribution(dataset: Dataset, file: Path) -> int:
    """Write ``ATTRIBUTION.csv``, a row a file, recordings first, and return how many files name nobody.

    Raises
    ------
    DatasetError
        Where an item is of a taxon that the dataset lacks; nothing is written then.
    """
    anonymous = 0
    taxa = list(dataset.taxonomy.values())
    ids = pa.array([taxon.id for taxon in taxa], pa.string())
    names = pa.array([taxon.scientific_name for taxon in taxa], pa.string())
    with replacing(file) as scratch, scratch.open("w", encoding="utf-8", newline="") as stream:
        writer = SafeWriter(stream, COLUMNS)
        writer.writeheader()
        for modality, name in MEDIA_TABLES.items():
            for batch in file_rows(dataset, name, _READ):
                species = pc.index_in(batch.column("taxon_id"), value_set=ids)
                if species.null_count:
                    taxon_of(dataset, batch.filter(species.is_null()).slice(0, 1).to_pylist()[0])
                shown = _shown(batch, modality, names.take(species))
                anonymous += pc.sum(pc.equal(pc.fill_null(shown["attribution"], ""), "")).as_py() or 0
                writer.writetable(shown)
    return anonymous


def _shown(batch: pa.RecordBatch, modality: Modality, names: pa.Array) -> pa.Table:
    """Return rows as they go out: without places of this machine, and without secrets in what may be an address."""
    columns = {name: batch.column(name) for name in batch.schema.names}
    whole = pc.match_substring_regex(columns["path"], WHOLE_PATH)
    places = batch.filter(whole).select(["path", "sha256"]).to_pylist()
    outside = pa.array([shown_path(row["path"], row["sha256"]) for row in places], pa.string())
    columns |= {
        "path": pc.replace_with_mask(columns["path"], whole, outside),
        "modality": pa.repeat(modality.value, batch.num_rows),
        "scientific_name": names,
        **{name: redacted_column(columns[name]) for name in ("attribution", "source_id", "url")},
    }
    return pa.table({name: columns[name] for name in COLUMNS})


def license_summary(dataset: Dataset) -> Mapping[str, Mapping[str, int]]:
    """Return items by licence and table, the commonest first; ``not stated`` where there is none."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in MEDIA_TABLES.values()}
    for name, licenses in counts.items():
        for license_, number in value_counts(dataset, name, "license").items():
            licenses[license_ or "not stated"] += number
    totals = sum(counts.values(), Counter[str]())
    ordered = sorted(totals, key=lambda license_: (-totals[license_], license_))
    return {license_: {name: counts[name][license_] for name in counts} for license_ in ordered}
