"""Hits as rows of a table, with what the archive knows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.modality import MEDIA, Modality
from biovita.retrieval.hits import Grouping, Hit
from biovita.retrieval.labels_there import LabelsThere
from biovita.retrieval.lineage_names import archive_taxa
from biovita.taxonomy import Taxon

__all__ = ["HITS", "hit_rows"]

HITS = pa.schema(
    [
        pa.field("place", pa.int32(), nullable=False),  # from 1
        pa.field("id", pa.string(), nullable=False),  # what `like` and `unlike` take
        pa.field("modality", pa.string(), nullable=False),  # of a taxon text
        pa.field("score", pa.float64(), nullable=False),  # above the mean of its modality, in the query's spread
        pa.field("similarity", pa.float64(), nullable=False),  # the cosine between query and row
        pa.field("path", pa.string()),
        pa.field("start_s", pa.float64()),  # within the file
        pa.field("end_s", pa.float64()),
        pa.field("site", pa.string()),
        pa.field("begin_local", pa.timestamp("us")),  # of the window, by the clock of the recorder
        pa.field("utc_offset_min", pa.int16()),
        pa.field("latitude", pa.float64()),
        pa.field("longitude", pa.float64()),
        pa.field("scientific_names", pa.list_(pa.string()), nullable=False),  # what labels say is there
        pa.field("labelled_by", pa.list_(pa.string()), nullable=False),  # of each: human or machine
        pa.field("common_name", pa.string()),  # of the first of them
        pa.field("license", pa.string()),
        pa.field("attribution", pa.string()),
        pa.field("media_id", pa.string()),
        pa.field("group", pa.string()),  # the recording, site or taxon that it is the best of
    ]
)
"""What a search answers, the best first."""

_OF_MEDIA = (
    "path",
    "deployment_id",
    "begin_local",
    "utc_offset_min",
    "latitude",
    "longitude",
    "license",
    "attribution",
)


def hit_rows(archive: Archive, hits: Sequence[Hit], first: int, group: Grouping, labels: LabelsThere) -> pa.Table:
    """Return hits as `HITS`.

    Parameters
    ----------
    first
        How many come before them.
    """
    taxa = {taxon.id: taxon for taxon in archive_taxa(archive.table("taxa"))}
    common = {taxon.scientific_name: taxon.common_name for taxon in taxa.values()}
    media = {modality: _media_of(archive, modality, hits) for modality in MEDIA}
    sites = _sites(archive)
    asked = [{"media_id": hit.media_id, "start_s": hit.start_s, "end_s": hit.end_s} for hit in hits]
    columns = {"media_id": pa.string(), "start_s": pa.float64(), "end_s": pa.float64()}
    named = labels.names_and_kinds(pa.Table.from_pylist(asked, schema=pa.schema(columns)))
    rows = []
    for place, (hit, there) in enumerate(zip(hits, named, strict=True), first + 1):
        row: dict[str, Any] = {"place": place, "id": hit.id, "modality": hit.modality.value}
        row |= {"score": hit.score, "similarity": hit.similarity, "start_s": hit.start_s, "end_s": hit.end_s}
        if hit.modality == Modality.TEXT:
            row |= _of_taxon(taxa.get(hit.id), hit)
        else:
            row |= _of_medium(media[hit.modality].get(hit.media_id, {}), hit, sites)
            row |= {"scientific_names": [name for name, _ in there], "labelled_by": [kind for _, kind in there]}
            row |= {"common_name": common.get(there[0][0]) if there else None}
        rows.append(row | {"group": None if group == "none" else hit.group.removeprefix("\0")})
    return pa.Table.from_pylist(rows, schema=HITS)


def _media_of(archive: Archive, modality: Modality, hits: Sequence[Hit]) -> Mapping[str, Mapping[str, Any]]:
    wanted = pa.array({hit.media_id for hit in hits if hit.modality == modality}, pa.string())
    if not len(wanted):
        return {}
    table = archive.table(MEDIA_TABLES[modality]).select(["id", *_OF_MEDIA])
    found = table.filter(pc.is_in(table["id"], value_set=wanted)).to_pylist()
    return {row["id"]: row for row in found}


def _sites(archive: Archive) -> Mapping[str, Mapping[str, Any]]:
    return {row["id"]: row for row in archive.table("deployments").to_pylist()}


def _of_medium(medium: Mapping[str, Any], hit: Hit, sites: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    site = sites.get(medium.get("deployment_id") or "", {})
    begin: datetime | None = medium.get("begin_local")
    if begin is not None and hit.start_s is not None:
        begin += timedelta(seconds=hit.start_s)
    place = medium if medium.get("latitude") is not None else site
    return {
        "media_id": hit.media_id,
        "path": medium.get("path"),
        "site": site.get("site"),
        "begin_local": begin,
        "utc_offset_min": medium.get("utc_offset_min"),
        "latitude": place.get("latitude"),
        "longitude": place.get("longitude"),
        "license": medium.get("license"),
        "attribution": medium.get("attribution"),
    }


def _of_taxon(taxon: Taxon | None, hit: Hit) -> Mapping[str, Any]:
    name = hit.id if taxon is None else taxon.scientific_name
    common = None if taxon is None else taxon.common_name
    return {"scientific_names": [name], "labelled_by": [], "common_name": common}
