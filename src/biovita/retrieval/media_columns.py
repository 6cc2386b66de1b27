"""The columns of an archive's media that a condition of a user's own may name."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.archive.extra_columns import extra_columns
from biovita.modality import Modality

__all__ = ["media_columns"]

_HIDDEN = {"file_mtime_ns", "notes", "box"}
_OF_SITES = ("site", "recorder")


def media_columns(archive: Archive, modality: Modality) -> pa.Table:
    """Return an archive's recordings or photographs with their sites and the columns that were added to them.

    Columns of the other modality are there, too, and empty, so that one condition may be asked of both.
    """
    media = archive.table(MEDIA_TABLES[modality])
    others = [archive.table(name) for each, name in MEDIA_TABLES.items() if each != modality]
    columns = {name: media[name].combine_chunks() for name in media.column_names if name not in _HIDDEN}
    for other in others:
        for field in other.schema:
            if field.name not in _HIDDEN:
                columns.setdefault(field.name, pa.nulls(len(media), field.type))
    deployments = archive.table("deployments")
    at = pc.index_in(media["deployment_id"], value_set=deployments["id"].combine_chunks()).combine_chunks()
    columns |= {name: deployments[name].combine_chunks().take(at) for name in _OF_SITES}
    columns["modality"] = pa.array([modality.value] * len(media), pa.string())
    added = extra_columns(archive)
    at = pc.index_in(media["id"], value_set=added["media_id"].combine_chunks()).combine_chunks()
    for name in added.column_names:
        if name != "media_id":
            columns.setdefault(name, added[name].combine_chunks().take(at))
    return pa.table(columns)
