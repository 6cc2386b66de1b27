"""An archive on disk: a directory of ``archive.json``, Parquet tables, and the vectors of its media."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from biovita.archive.archive_tables import (
    ANNOTATIONS,
    CANDIDATES,
    DEPLOYMENTS,
    LEFT_OUT,
    NAMED_TAXA,
    PHOTOGRAPHS,
    RECORDINGS,
    WINDOWS,
)
from biovita.dataset.dataset import write_table
from biovita.errors import DatasetError
from biovita.files import make_directory, open_regular, write_whole
from biovita.jsonfile import read_json
from biovita.modality import Modality
from biovita.one_line import OneLine
from biovita.parquet import read_as_it_is
from biovita.suggestion import suggested

__all__ = ["ARCHIVE", "LOCK", "MEDIA_TABLES", "SCORES", "Archive"]

ARCHIVE = "archive.json"
LOCK = ".archive.lock"
MEDIA_TABLES: Mapping[Modality, str] = {Modality.AUDIO: "recordings", Modality.IMAGE: "photographs"}
SCORES: Mapping[Modality, str] = {Modality.AUDIO: "windows", Modality.IMAGE: "photograph_scores"}
_FORMAT = 1
_ROWS_AT_ONCE = 65_536
_SCHEMAS: Mapping[str, pa.Schema] = {
    "deployments": DEPLOYMENTS,
    "recordings": RECORDINGS,
    "photographs": PHOTOGRAPHS,
    "candidates": CANDIDATES,
    "annotations": ANNOTATIONS,
    "labels": ANNOTATIONS,  # of datasets and runs that were taken in, and of people
    "taxa": NAMED_TAXA,
    "left_out": LEFT_OUT,
    **dict.fromkeys(SCORES.values(), WINDOWS),
}


@dataclass(frozen=True, repr=False)
class Archive(OneLine):
    """An archive directory. Its tables are those of `biovita.archive.archive_tables`, each in a file of its own."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> Archive:
        """Return the archive at ``path``.

        Raises
        ------
        DatasetError
            Where there is none, or a newer biovita wrote it.
        """
        archive = cls(Path(path))
        if not archive.exists:
            what = "is not an archive or a run of biovita identify" if archive.path.exists() else "does not exist"
            raise DatasetError(
                f"{path} {what}: it has no {ARCHIVE}. Make one with: {suggested('identify', 'PATHS --out', path)}"
            )
        found = archive.info.get("format")
        if found != _FORMAT:
            raise DatasetError(
                f"{archive.path / ARCHIVE}: format is {found!r}, and this biovita reads format {_FORMAT}"
            )
        return archive

    @property
    def exists(self) -> bool:
        """Whether there is an archive."""
        return (self.path / ARCHIVE).is_file()

    @property
    def info(self) -> dict[str, Any]:
        """What ``archive.json`` says: how the media were heard and seen, and by which towers."""
        found = read_json(self.path / ARCHIVE, DatasetError)
        if not isinstance(found, dict):
            raise DatasetError(f"{self.path / ARCHIVE} holds no JSON object")
        return found

    def describe(self, info: Mapping[str, Any]) -> None:
        """Write ``archive.json``; with it the directory is an archive."""
        make_directory(self.path)
        write_whole(
            self.path / ARCHIVE, json.dumps({"format": _FORMAT, **info}, indent=2, ensure_ascii=False) + "\n"
        )

    def file(self, name: str) -> Path:
        """Return the file of a table."""
        assert name in _SCHEMAS, name
        return self.path / f"{name}.parquet"

    def table(self, name: str) -> pa.Table:
        """Return a table; one that was never written is empty.

        Raises
        ------
        DatasetError
            Where its file is damaged or has other columns.
        """
        file, schema = self.file(name), _SCHEMAS[name]
        if not file.is_file():
            return schema.empty_table()
        return self._as(file, read_as_it_is(file, schema.names), schema)

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a table that may be too large to be held, some at a time.

        Parameters
        ----------
        columns
            Those that are read; None is all.

        Raises
        ------
        DatasetError
            As `table`.
        """
        file, schema = self.file(name), _SCHEMAS[name]
        if columns is not None:
            schema = pa.schema([schema.field(column) for column in columns])
        if not file.is_file():
            return
        try:
            with open_regular(file) as raw, pq.ParquetFile(raw) as parquet:
                for batch in parquet.iter_batches(_ROWS_AT_ONCE, columns=schema.names, use_threads=False):
                    yield from self._as(file, pa.Table.from_batches([batch]), schema).to_batches()
        except (pa.ArrowException, OSError, LookupError) as error:
            raise DatasetError(f"{file} cannot be read: {error}") from error

    def write(self, name: str, table: pa.Table) -> None:
        """Write a table whole, in the place of the one that was there."""
        schema = _SCHEMAS[name]
        write_table(table.select(schema.names).cast(schema), self.file(name))

    def write_batches(self, name: str, batches: Iterable[pa.RecordBatch]) -> int:
        """Write a table that is too large to be held, and return how many rows it has."""
        return write_table(pa.RecordBatchReader.from_batches(_SCHEMAS[name], batches), self.file(name))

    @property
    def embeddings(self) -> Path:
        """Where the vectors of its media lie, a directory a model."""
        return self.path / "embeddings"

    def _as(self, file: Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
        try:
            cast = table.select(schema.names).cast(schema)
            cast.validate(full=True)
        except (ValueError, LookupError, pa.ArrowException) as error:
            raise DatasetError(f"{file} is not in the expected form: {error}. Remove it and run again") from error
        return cast
