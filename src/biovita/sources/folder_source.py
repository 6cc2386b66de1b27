"""A folder of recordings and photographs as one source of a plan among others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from biovita.errors import DatasetError
from biovita.sources.file_statements import from_files
from biovita.sources.folder_rows import read_names
from biovita.sources.folder_tables import TableNotes, folder_tables
from biovita.sources.licenses import normalise_license
from biovita.sources.media_row import NAMES, TABLES, MediaRow, media_rows, open_media_table
from biovita.sources.misnamed import size_of
from biovita.sources.named_media import named_rows
from biovita.sources.rows_read import TableRead
from biovita.sources.source import BATCH_ROWS, Item, RejectedRow, StreamedSource

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
        if not self.path.is_dir():
            raise DatasetError(
                f"{self.path} is not a folder. Give the folder that has the recordings and photographs"
            )
        files = folder_tables(self.path)
        for modality, file in files.items():
            table = open_media_table(file)
            notes = TableNotes(table)
            yield from _items(_noted(media_rows(modality, table), notes))
            yield TableRead(file.name, notes.rows + table.skipped, table.skipped, tuple(notes.lines()))
        if not files:
            names = read_names(self.path)
            for modality in TABLES:
                yield from _items(named_rows(names, modality))
            yield TableRead(NAMES, len(names.files), notes=names.notes())


def _noted(rows: Iterable[MediaRow | RejectedRow], notes: TableNotes) -> Iterator[MediaRow | RejectedRow]:
    for row in rows:
        notes.add(row)
        yield row


def _items(rows: Iterable[MediaRow | RejectedRow]) -> Iterator[Item]:
    """Yield rows as records, with the time and the place that their files state where the rows have none."""
    left = iter(rows)
    while batch := list(islice(left, BATCH_ROWS)):
        usable = [row for row in batch if isinstance(row, MediaRow)]
        stated = iter(from_files(usable, progress=False).rows)
        for row in batch:
            yield row if isinstance(row, RejectedRow) else _item(next(stated))


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
