"""A folder with ``audio.csv`` and ``images.csv`` as one source of a plan among others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from biovita.errors import DatasetError
from biovita.sources.folder_tables import TableNotes, folder_tables
from biovita.sources.licenses import normalise_license
from biovita.sources.media_row import MediaRow, media_rows, open_media_table
from biovita.sources.misnamed import size_of
from biovita.sources.rows_read import TableRead
from biovita.sources.source import Item, RejectedRow, StreamedSource

__all__ = ["Folder"]

_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")


class Folder(StreamedSource):
    """A folder as ``biovita data import folder`` reads it; its files stay where they are.

    Its records keep the ``source`` and ``source_id`` of their rows; where a row has neither, they are ``name`` and the
    path of the file. A row that means a span of a file (``begin_s``, ``end_s``) is rejected: a plan chooses the spans
    itself.
    """

    kind: Literal["folder"] = "folder"
    path: Path
    name: str = "folder"

    @property
    def label(self) -> str:
        """What it is called among the sources of a plan."""
        return self.name

    def items(self) -> Iterator[Item]:
        """Yield the recordings, then the photographs."""
        files = folder_tables(self.path) if self.path.is_dir() else {}
        if not files:
            raise DatasetError(f"{self.path} has neither audio.csv nor images.csv")
        for modality, file in files.items():
            table = open_media_table(file)
            notes = TableNotes(table)
            for row in media_rows(modality, table):
                notes.add(row)
                yield row if isinstance(row, RejectedRow) else _item(row)
            yield TableRead(file.name, notes.rows + table.skipped, table.skipped, tuple(notes.lines()))


def _item(row: MediaRow) -> Mapping[str, Any] | RejectedRow:
    if (row.begin_s, row.end_s) != (None, None):
        return row.rejected(
            "span", "the row means a span of the file. Import the folder by itself to keep such spans"
        )
    return {
        "modality": row.modality.value,
        "name": row.given_name,
        "vernacular": row.lineage.get("common_name"),
        "rank": None,
        **{rank: row.lineage.get(rank) for rank in _RANKS},
        "source_id": row.file,
        "group": row.group_id,
        "credited_source": row.source,
        "credited_id": row.source_id,
        "url": row.url,
        "path": row.path.as_posix(),
        "license": normalise_license(row.license),
        "license_given": row.license,
        "attribution": row.attribution,
        "recorded_at": row.recorded_at,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "bytes": size_of(row.path),
        "file": row.table,
        "row": row.line,
    }
