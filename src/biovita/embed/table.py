"""One Lance table of vectors, and the record of what made it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita import __version__
from biovita.dataset.store import Dataset
from biovita.errors import DatasetError
from biovita.filenames import file_name
from biovita.jsonfile import parse_json
from biovita.lance_tables import no_panic, open_lance, read_columns
from biovita.modality import Modality
from biovita.storage import for_lance
from biovita.towers.base import EncoderCard

__all__ = ["Made", "VectorTable", "columns_of", "embeddings_directory"]

_METADATA = b"biovita"
_AGAIN = "Remove it and run biovita embed again"
_MANY_FRAGMENTS = 16
# What Lance and Arrow raise for a table whose files or columns are not as they were written.
_DAMAGED = (ValueError, OSError, RuntimeError, LookupError, NotImplementedError, pa.ArrowException)
_MOST_NUMBERS = 65_536  # of a vector
_OLD_VERSIONS_STAY = timedelta(hours=1)  # for those who are reading one

_MEDIA = [
    pa.field("taxon_id", pa.string(), nullable=False),
    pa.field("sha256", pa.string(), nullable=False),  # as the dataset has it
    pa.field("file_size", pa.int64(), nullable=False),  # with the next: whether the file has to be looked at again
    pa.field("file_mtime_ns", pa.int64(), nullable=False),
]
_SPAN = [pa.field("start_s", pa.float64(), nullable=False), pa.field("end_s", pa.float64(), nullable=False)]
_COLUMNS = {Modality.AUDIO: [*_MEDIA, *_SPAN], Modality.IMAGE: _MEDIA, Modality.TEXT: []}


def columns_of(modality: Modality) -> pa.Schema:
    """Return the columns of a modality's table, all but the vector."""
    return pa.schema([pa.field("id", pa.string(), nullable=False), *_COLUMNS[modality]])


def embeddings_directory(dataset: Dataset, model: str) -> Path:
    """Return where a model's tables and its list of failures lie."""
    return dataset.path / "embeddings" / file_name(model)


@dataclass(frozen=True, slots=True)
class Made:
    """What made a table. Vectors of another tower, revision, dimension or preprocessing do not mix with it."""

    tower: str
    revision: str
    dim: int
    preprocessing: str
    biovita: str = __version__

    @classmethod
    def by(cls, info: EncoderCard) -> Made:
        """Return the record of a tower as this biovita has it."""
        return cls(info.name, info.revision, info.dim, info.preprocessing)

    def difference(self, other: Made) -> str | None:
        """Return in words how ``other`` differs in what matters, or None."""
        names = [field.name for field in fields(self) if field.name != "biovita"]
        parts = [
            f"{name} {getattr(self, name)!r}, now {getattr(other, name)!r}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        ]
        return "; ".join(parts) or None


class VectorTable:
    """A modality's vectors on disk. Every write is one commit: readers see it whole or not at all."""

    def __init__(self, directory: Path, modality: Modality) -> None:
        self.path = directory / f"{modality}.lance"
        self.modality = modality

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed."""
        versions = self.path / "_versions"
        return versions.is_dir() and any(versions.iterdir())

    def _open(self) -> Any:
        try:
            return open_lance(*for_lance(str(self.path)))
        except _DAMAGED as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DatasetError:
        reason = str(error).split("\n", maxsplit=1)[0][:300]
        return DatasetError(f"{self.path} cannot be read as a table of vectors: {reason}. {_AGAIN}")

    def made(self) -> Made:
        """Return the record of what made the table.

        Raises
        ------
        DatasetError
            Where it has none, is no Lance table, or has other columns than that says.
        """
        schema = self._open().schema
        text = (schema.metadata or {}).get(_METADATA, b"{}")
        try:
            made = Made(**parse_json(text, str(self.path), DatasetError))
            if type(made.dim) is not int or not 1 <= made.dim <= _MOST_NUMBERS:
                raise ValueError("dim is no length of a vector")
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{self.path} does not say what made it. {_AGAIN}") from error
        wanted = columns_of(self.modality).append(pa.field("vector", pa.list_(pa.float32(), made.dim)))
        found = {field.name: field.type for field in schema}
        if odd := [field.name for field in wanted if found.get(field.name) != field.type]:
            raise DatasetError(
                f"{self.path} has not the column(s) {', '.join(odd)} as {made.tower} gives them. {_AGAIN}"
            )
        return made

    def state(self) -> pa.Table:
        """Return all columns but the vectors."""
        columns = columns_of(self.modality)
        if not self.exists:
            return columns.empty_table()
        try:
            table = read_columns(self._open(), str(self.path), columns)
        except DatasetError:
            raise
        except _DAMAGED as error:
            raise self._damaged(error) from error
        return self._without_gaps(table)

    def _without_gaps(self, table: pa.Table) -> pa.Table:
        if lacking := [name for name in table.column_names if table[name].null_count]:
            raise self._damaged(ValueError(f"values of {', '.join(lacking)} are missing"))
        return table

    def _rows(self, names: list[str], chosen: str | None = None) -> pa.Table:
        """Return columns, of the rows that a filter chooses; none has a missing value."""
        table = self._open()
        try:
            with no_panic():
                found = table.to_table(columns=names, filter=chosen)
            found.validate(full=True)
        except _DAMAGED as error:
            raise self._damaged(error) from error
        return self._without_gaps(found)

    def read(self, ids: Iterable[str] | None = None) -> tuple[pa.Table, np.ndarray]:
        """Return all columns but the vectors, and the vectors, ``(rows, dim)``, float32; of some ids or of all.

        The order is that of the table, not of ``ids``.
        """
        columns = columns_of(self.modality)
        chosen = None if ids is None else _among(ids)
        table = self._rows([*columns.names, "vector"], chosen)
        vectors = table["vector"].combine_chunks()
        if not pa.types.is_fixed_size_list(vectors.type) or not pa.types.is_floating(vectors.type.value_type):
            raise DatasetError(f"{self.path}: its vectors are of {str(vectors.type)[:60]}. {_AGAIN}")
        flat = vectors.flatten().to_numpy(zero_copy_only=False)
        return table.select(columns.names).cast(columns), flat.reshape(len(table), -1)

    def put(self, rows: pa.Table, vectors: np.ndarray, made: Made, *, rebuild: bool = False) -> None:
        """Commit rows: those whose id is there already take its place. ``rebuild`` drops what was there before."""
        import lance

        schema = columns_of(self.modality).append(
            pa.field("vector", pa.list_(pa.float32(), made.dim), nullable=False)
        )
        schema = schema.with_metadata({_METADATA: json.dumps(asdict(made))})
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        columns = [*rows.columns, pa.FixedSizeListArray.from_arrays(flat, made.dim)]
        table = pa.Table.from_arrays(columns, schema=schema)
        with _disk_errors(self.path):
            if self.exists and not rebuild:
                upsert = self._open().merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                upsert.execute(table)
            else:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                lance.write_dataset(
                    table, for_lance(str(self.path))[0], mode="overwrite" if self.exists else "create"
                )

    def remove(self, ids: Iterable[str]) -> None:
        """Commit the removal of rows."""
        ids = list(ids)
        if ids and self.exists:
            with _disk_errors(self.path):
                self._open().delete(_among(ids))

    def tidy(self) -> None:
        """Join the many small pieces that commits leave, and drop versions that nobody reads any more."""
        table = self._open()
        if len(table.get_fragments()) > _MANY_FRAGMENTS:
            with _disk_errors(self.path):
                table.optimize.compact_files()
                table.cleanup_old_versions(older_than=_OLD_VERSIONS_STAY)


def _among(ids: Iterable[str]) -> str:
    quoted = ", ".join("'" + item.replace("'", "''") + "'" for item in ids)
    return f"id IN ({quoted})"


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Give the error number back to a full disk, which Lance reports as text alone; name the table in all else."""
    try:
        yield
    except _DAMAGED as error:
        if "No space left on device" in str(error):
            raise OSError(errno.ENOSPC, "No space left on device", str(path)) from error
        if isinstance(error, DatasetError):
            raise
        reason = str(error).split("\n", maxsplit=1)[0][:300]
        raise DatasetError(
            f"{path} cannot be written: {reason}. Where it is damaged, remove it and run biovita embed again"
        ) from error
