"""A folder with ``audio.csv`` and ``images.csv`` as one source of a plan among others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from biovita.errors import DatasetError, MediaError
from biovita.modality import Modality
from biovita.sources.csv_table import BrokenRow, open_csv
from biovita.sources.licenses import normalise_license
from biovita.sources.media_row import FIELDS, REQUIRED, MediaRow, parse_record
from biovita.sources.misnamed import size_of
from biovita.sources.source import Rejected, StreamedSource

__all__ = ["Folder"]

_TABLES = {Modality.AUDIO: "audio.csv", Modality.IMAGE: "images.csv"}
_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")


class Folder(StreamedSource):
    """A folder as ``biovita data import folder`` reads it; its files stay where they are.

    A row that means a span of a file (``begin_s``, ``end_s``) is rejected: a plan chooses the spans itself.
    """

    kind: Literal["folder"] = "folder"
    path: Path
    name: str = "folder"

    @property
    def label(self) -> str:
        """What the ``source`` column of its records says."""
        return self.name

    def items(self) -> Iterator[Mapping[str, Any] | Rejected]:
        """Yield the recordings, then the photographs."""
        tables = {modality: self.path / name for modality, name in _TABLES.items() if (self.path / name).is_file()}
        if not tables:
            raise DatasetError(f"{self.path}: has neither audio.csv nor images.csv")
        root = self.path.resolve()
        for modality, file in tables.items():
            for row in open_csv(file, FIELDS, REQUIRED, {}):
                if isinstance(row, BrokenRow):
                    yield Rejected(modality.value, file.name, row.line, row.reason, row.detail)
                    continue
                try:
                    record = parse_record(root, modality, file.name, row.line, row.values)
                except MediaError as error:
                    name, path = row.values.get("scientific_name"), row.values.get("file")
                    yield Rejected(modality.value, file.name, row.line, error.reason, str(error), name, path)
                    continue
                yield _item(record)


def _item(record: MediaRow) -> Mapping[str, Any] | Rejected:
    values = record.values
    if record.span != (None, None):
        detail = "the row means a span of the file; import the folder by itself to keep it"
        return Rejected(record.modality.value, record.table, record.line, "span", detail, record.name, record.file)
    return {
        "modality": record.modality.value,
        "name": record.name,
        "vernacular": values.get("common_name"),
        "rank": None,
        **{rank: values.get(rank) for rank in _RANKS},
        "source_id": record.file,
        "group": record.columns()["group_id"],
        "url": values.get("url"),
        "path": record.path.as_posix(),
        "license": normalise_license(values.get("license")),
        "license_given": values.get("license"),
        "attribution": values.get("attribution"),
        "recorded_at": values.get("recorded_at"),
        "latitude": record.numbers.get("latitude"),
        "longitude": record.numbers.get("longitude"),
        "bytes": size_of(record.path),
        "file": record.table,
        "row": record.line,
    }
