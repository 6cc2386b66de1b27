"""The recordings and photographs of a dataset as they enter an archive, and its labels as annotations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from biovita.archive.archive_tables import (
    ANNOTATIONS,
    DEPLOYMENTS,
    LEFT_OUT,
    NAMED_TAXA,
    PHOTOGRAPHS,
    RECORDINGS,
    By,
    Kind,
    Presence,
)
from biovita.archive.register import Registered, id_of
from biovita.dataset.dataset import Dataset
from biovita.embedding.items import file_state
from biovita.media.packed_files import PackedFile
from biovita.modality import MEDIA, Modality
from biovita.taxonomy import RANKS, Rank, Taxon
from biovita.traits.book import book_of

__all__ = ["dataset_labels", "dataset_media", "dataset_taxa", "taxa_rows"]

_SHARED = ("sha256", "license", "attribution", "latitude", "longitude", "group_id")


def dataset_media(dataset: Dataset) -> Registered:
    """Return the items of a dataset; each is listened to within its span, and has the dataset's name as its site."""
    rows: dict[Modality, list[dict[str, Any]]] = {modality: [] for modality in MEDIA}
    left_out, seen = list[dict[str, Any]](), set[str]()
    for modality in MEDIA:
        for batch in dataset.media(modality).to_batches(4096):
            for item in batch.to_pylist():
                row = _row(dataset, modality, item)
                if row["id"] in seen:
                    same = f"{row['path']}: it has the content and the span of {row['id']}"
                    left_out.append({"path": row["path"], "reason": "duplicate", "detail": same})
                else:
                    seen.add(row["id"])
                    rows[modality].append(row)
    name = _name(dataset)
    deployment = [{"id": name, "site": name}]
    return Registered(
        pa.Table.from_pylist(deployment if seen else [], schema=DEPLOYMENTS),
        pa.Table.from_pylist(rows[Modality.AUDIO], schema=RECORDINGS),
        pa.Table.from_pylist(rows[Modality.IMAGE], schema=PHOTOGRAPHS),
        pa.Table.from_pylist(left_out, schema=LEFT_OUT),
    )


def dataset_labels(dataset: Dataset, modality: Modality) -> pa.Table:
    """Return the labels of a dataset's items as annotations, which people made."""
    name, taxa = _name(dataset), dataset.taxonomy
    rows = []
    for batch in dataset.media(modality).to_batches(4096):
        for item in batch.to_pylist():
            media_id, taxon = _id(modality, item), taxa[item["taxon_id"]]
            rows.append(
                {
                    "id": f"{name}:{item['id']}",
                    "media_id": media_id,
                    "path": _path(dataset, item["path"])[0],
                    "modality": str(modality),
                    "start_s": item.get("start_s"),
                    "end_s": item.get("end_s"),
                    "label": taxon.scientific_name,
                    "taxon_id": taxon.id,
                    "scientific_name": taxon.scientific_name,
                    "common_name": taxon.common_name,
                    "rank": str(taxon.rank),
                    "kind": str(Kind.TAXON),
                    "presence": str(Presence.PRESENT),
                    "by": name,
                    "by_kind": str(By.HUMAN),
                }
            )
    return pa.Table.from_pylist(rows, schema=ANNOTATIONS)


def dataset_taxa(dataset: Dataset) -> pa.Table:
    """Return the taxa of a dataset with their lineage and the trait labels that are known, as `NAMED_TAXA`."""
    return taxa_rows(dataset.taxonomy.taxa, book_of(dataset).traits)


def taxa_rows(taxa: Iterable[Taxon], traits: Mapping[str, Mapping[str, bool]]) -> pa.Table:
    """Return taxa as `NAMED_TAXA`.

    Parameters
    ----------
    traits
        By taxon id, the labels that are known.
    """
    columns: dict[str, list[Any]] = {name: [] for name in NAMED_TAXA.names}
    for taxon in taxa:
        values = traits.get(taxon.id, {})
        row: dict[str, Any] = {"taxon_id": taxon.id, "scientific_name": taxon.scientific_name}
        row |= {"common_name": taxon.common_name, "rank": str(taxon.rank)}
        row |= {rank.value: taxon.name_at(rank) for rank in RANKS if rank != Rank.SPECIES}
        row |= {"labels_true": [label for label, value in values.items() if value]}
        row |= {"labels_false": [label for label, value in values.items() if not value]}
        for name, value in row.items():
            columns[name].append(value)
    return pa.table(columns, schema=NAMED_TAXA)


def _name(dataset: Dataset) -> str:
    return str(dataset.info.get("name") or dataset.path.name)


def _id(modality: Modality, item: dict[str, Any]) -> str:
    span = (item["start_s"], item["end_s"]) if modality == Modality.AUDIO else None
    return id_of(item["sha256"], span=span)


def _path(dataset: Dataset, path: str) -> tuple[str, str | None]:
    """Return the path of a file as an archive has it, and the dataset that it is packed in, if it is."""
    found = dataset.locate(path)
    home = dataset.path.absolute()
    return (str(home / path), str(home)) if isinstance(found, PackedFile) else (str(Path(found).absolute()), None)


def _row(dataset: Dataset, modality: Modality, item: dict[str, Any]) -> dict[str, Any]:
    path, home = _path(dataset, item["path"])
    size, time = file_state(Path(path)) if home is None else (-1, -1)
    begin, offset, note = _begin(item["recorded_at"])
    row = {
        "id": _id(modality, item),
        "path": path,
        "dataset": home,
        "file_size": size,
        "file_mtime_ns": time,
        "deployment_id": _name(dataset),
        "begin_local": begin,
        "utc_offset_min": offset,
        "notes": note,
        **{name: item[name] for name in _SHARED},
    }
    if modality == Modality.IMAGE:
        return row | {"width": item["width"], "height": item["height"]}
    return row | {name: item[name] for name in ("start_s", "end_s", "duration_s", "sample_rate")}


def _begin(stated: str | None) -> tuple[datetime | None, int | None, list[str]]:
    """Return the moment that a dataset states, as a local time and its offset; a day alone is no moment."""
    if not stated:
        return None, None, []
    try:
        found = datetime.fromisoformat(stated)
    except ValueError:
        return None, None, [f"the dataset states the time {stated!r}, which is no moment"]
    if len(stated) <= len("2021-05-03"):
        return None, None, [f"the dataset states the day {stated} and no time"]
    offset = found.utcoffset()
    return found.replace(tzinfo=None), None if offset is None else offset // timedelta(minutes=1), []
