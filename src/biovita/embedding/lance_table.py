"""Tables of vectors on disk, in Lance."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from biovita.embedding.keys import Keys
from biovita.embedding.made import Made, parse_made
from biovita.embedding.store import COLUMNS, WHOLE, schema_of
from biovita.errors import DatasetError
from biovita.files import full_disk, locked, make_directory
from biovita.foreign_tables import Held
from biovita.lance_tables import column_batches, no_panic, open_lance, take_vectors
from biovita.storage import for_lance

if TYPE_CHECKING:
    import lance

__all__ = ["LanceStore", "LanceTable"]

logger = logging.getLogger(__name__)

_AGAIN = "Remove it and run biovita embed again"
# What Lance and Arrow raise for a table whose files or columns are not as they were written.
_DAMAGED = (ValueError, OSError, RuntimeError, LookupError, NotImplementedError, pa.ArrowException)
_PIECES = 50  # that commits leave are joined
_PIECE_ROWS = 4096  # what has as many is no piece
_FRAGMENTS = 256  # at the end of a run; more are joined to larger ones
_MOST_DELETED = 0.05  # as a share of the rows
_IDS_AT_ONCE = 1000
_WAIT_S = 600.0
_NOW = timedelta(0)
_NEW_VALUES = {  # of a column that a table lacks; the one of int32 is the window
    pa.int32(): f"CAST({WHOLE} AS INT)",
    pa.string(): "CAST(NULL AS STRING)",
    pa.int64(): "CAST(NULL AS BIGINT)",
    pa.float64(): "CAST(NULL AS DOUBLE)",
}


class LanceTable:
    """A table in a directory; see `VectorTable`.

    Tables of earlier releases, which lack some columns, are read as they are and get them with the first write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self._writing: _Writing | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed."""
        versions = self.path / "_versions"
        return versions.is_dir() and any(versions.iterdir())

    def made(self) -> Made:
        """Return the record of what made the table; see `VectorTable`."""
        return self._made(self._open())

    def snapshot(self) -> _Snapshot:
        """Return the table as it is now."""
        dataset = self._open()
        return _Snapshot(self, dataset, self._made(dataset).dim)

    def commit(self, rows: pa.Table, vectors: np.ndarray, made: Made, *, rebuild: bool = False) -> None:
        """Write rows with their vectors; see `VectorTable`."""
        import lance

        assert vectors.shape == (len(rows), made.dim)
        rows = rows.select(COLUMNS.names).cast(COLUMNS)
        with self._locked():
            if not self.exists or (rebuild and self.made().difference(made)):
                place, _ = for_lance(self.name)
                mode = "overwrite" if self.exists else "create"
                dataset = lance.write_dataset(_with_vectors(rows, vectors, made), place, mode=mode)
                writing = _Writing(dataset)
            else:
                writing = self._at_newest()
                kept = self._made(writing.dataset)
                if difference := kept.difference(made):
                    raise DatasetError(f"{self.path} was made by another encoder ({difference}). {_AGAIN}")
                table = _with_vectors(rows, vectors, kept).select(writing.dataset.schema.names)
                if writing.keys.may_have(rows):
                    merge = writing.dataset.merge_insert(["id", "window"])
                    merge.when_matched_update_all().when_not_matched_insert_all().execute(table)
                    writing.dataset.checkout_latest()
                else:
                    writing.dataset = lance.write_dataset(table, writing.dataset, mode="append")
                writing.commits += 1
                if writing.commits % _PIECES == 0:
                    _join(writing.dataset)
                    _remove_old_versions(writing.dataset)
            writing.keys.add(rows)
            self._writing = writing

    def refresh(self, rows: pa.Table) -> None:
        """Write columns beside the vectors; see `VectorTable`."""
        with self._locked():
            writing = self._at_newest()
            writing.dataset.merge_insert("id").when_matched_update_all().execute(rows)
            writing.dataset.checkout_latest()

    def remove(self, ids: Iterable[str]) -> None:
        """Remove all rows of items."""
        gone = list(ids)
        if not gone or not self.exists:
            return
        with self._locked():
            writing = self._at_newest()
            for start in range(0, len(gone), _IDS_AT_ONCE):
                writing.dataset.delete(_among(gone[start : start + _IDS_AT_ONCE]))

    def tidy(self) -> None:
        """Join the pieces that commits leave, and remove what no reader of the newest version needs."""
        if not self.exists or len(list((self.path / "_versions").glob("*.manifest"))) == 1:
            return
        with self._locked():
            dataset = self._open()
            _join(dataset)
            rows = sum(each.physical_rows for each in dataset.get_fragments())
            if len(dataset.get_fragments()) > _FRAGMENTS or rows - dataset.count_rows() > _MOST_DELETED * rows:
                dataset.optimize.compact_files(materialize_deletions_threshold=_MOST_DELETED)
            _remove_old_versions(dataset, unfinished=True)
            self._writing = None

    def _open(self) -> lance.LanceDataset:
        try:
            return open_lance(*for_lance(self.name))
        except _DAMAGED as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> DatasetError:
        reason = str(error).split("\n", maxsplit=1)[0][:300]
        return DatasetError(f"{self.path} cannot be read as a table of vectors: {reason}. {_AGAIN}")

    def _made(self, dataset: lance.LanceDataset) -> Made:
        found = {field.name: field.type for field in dataset.schema}
        if odd := [field.name for field in COLUMNS if found.get(field.name, field.type) != field.type]:
            raise DatasetError(
                f"{self.path}: the column(s) {', '.join(odd)} are of another type than they should be. {_AGAIN}"
            )
        vector = found.get("vector", pa.null())
        item = vector.value_type if pa.types.is_fixed_size_list(vector) else pa.null()
        numbers = "float16" if pa.types.is_float16(item) else "float32"
        try:
            made = parse_made((dataset.schema.metadata or {}).get(b"biovita", b"{}"), numbers)
        except ValueError as error:
            raise DatasetError(f"{self.path} does not say what made it. {_AGAIN}") from error
        if "id" not in found or vector != schema_of(made).field("vector").type:
            raise DatasetError(
                f"{self.path} lacks the column id, or a column vector as {made.tower} gives it. {_AGAIN}"
            )
        return made

    def _at_newest(self) -> _Writing:
        """Return the table for writing, as whoever wrote to it last left it."""
        if self._writing is None or self._writing.dataset.latest_version != self._writing.dataset.version:
            dataset = self._open()
            self._migrate(dataset)
            self._writing = _Writing(dataset)
            for batch in column_batches(dataset, _KEY):
                self._writing.keys.add(batch)
        return self._writing

    def _migrate(self, dataset: lance.LanceDataset) -> None:
        """Give a table of an earlier release the columns that it lacks."""
        self._made(dataset)
        there = dataset.schema.names
        closed = [
            f.name for f in COLUMNS if f.nullable and f.name in there and not dataset.schema.field(f.name).nullable
        ]
        if closed:
            dataset.alter_columns(*({"path": name, "nullable": True} for name in closed))
        if lacking := [field for field in COLUMNS if field.name not in there]:
            logger.warning("%s is a table of an earlier release. It gets %d new columns", self.path, len(lacking))
            dataset.add_columns({field.name: _NEW_VALUES[field.type] for field in lacking})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out, and name the table in what goes wrong.

        The error number is given back to a full disk, which Lance reports as text alone.
        """
        make_directory(self.path.parent)
        busy = f"{self.path}: another process has been writing there for {_WAIT_S:.0f} s"
        try:
            with locked(self.path.with_name(f".{self.path.stem}.lock"), busy, wait_s=_WAIT_S), no_panic():
                yield
        except _DAMAGED as error:
            self._writing = None
            if (number := full_disk(error)) is not None:
                raise OSError(number, os.strerror(number), str(self.path)) from error
            if isinstance(error, DatasetError):
                raise
            reason = str(error).split("\n", maxsplit=1)[0][:300]
            raise DatasetError(
                f"{self.path} cannot be written: {reason}. Where it is damaged, remove it and run biovita embed again"
            ) from error


_KEY = pa.schema([COLUMNS.field("id"), COLUMNS.field("window")])


class _Writing:
    """A table that is being written to, and what it holds.

    Attributes
    ----------
    commits
        How many this process has made since it opened the table.
    """

    def __init__(self, dataset: lance.LanceDataset) -> None:
        self.dataset = dataset
        self.keys = Keys()
        self.commits = 0


def _join(dataset: lance.LanceDataset) -> None:
    """Join the pieces of a table to one. What has become large is left alone, so that no row is written often."""
    fragments = dataset.get_fragments()
    whole = [each.fragment_id for each in fragments if each.physical_rows >= _PIECE_ROWS]
    if len(fragments) - len(whole) > 1:
        rows = sum(each.physical_rows for each in fragments)
        dataset.optimize.compact_files(target_rows_per_fragment=rows, excluded_fragment_ids=whole)


def _remove_old_versions(dataset: lance.LanceDataset, *, unfinished: bool = False) -> None:
    """Remove all versions but the newest, those that somebody gave a tag excepted; what reads them reads that one.

    Parameters
    ----------
    unfinished
        Remove files of writes that were killed, too.
    """
    dataset.cleanup_old_versions(older_than=_NOW, delete_unverified=unfinished, error_if_tagged_old_versions=False)


class _Snapshot:
    """A version of a table."""

    def __init__(self, table: LanceTable, dataset: lance.LanceDataset, dim: int) -> None:
        self._table, self._dataset, self._dim = table, dataset, dim
        with self._reading():
            self._rows = dataset.count_rows()

    def __len__(self) -> int:
        return self._rows

    def state(self, columns: Sequence[str] = COLUMNS.names) -> pa.Table:
        held, kept = Held(self._table.name), []
        for batch in self.batches(columns):
            held.add(batch.nbytes)
            kept.append(batch)
        return pa.Table.from_batches(kept, pa.schema([COLUMNS.field(name) for name in columns]))

    def batches(self, columns: Sequence[str] = COLUMNS.names) -> Iterator[pa.RecordBatch]:
        wanted = pa.schema([COLUMNS.field(name) for name in columns])
        there = pa.schema([field for field in wanted if field.name in self._dataset.schema.names])
        with self._reading():
            if not len(there):
                yield _full(wanted, {}, self._rows)
            for found in column_batches(self._dataset, there) if len(there) else ():
                yield _full(wanted, dict(zip(there.names, found.columns, strict=True)), len(found))

    def take(self, numbers: np.ndarray) -> np.ndarray:
        with self._reading():
            return take_vectors(self._dataset, numbers, rows=self._rows, dim=self._dim)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with no_panic():
                yield
        except DatasetError:
            raise
        except _DAMAGED as error:
            if self._table.exists and self._table._open().version != self._dataset.version:
                raise LookupError(f"{self._table.path} has been written to meanwhile") from error
            raise self._table._damaged(error) from error


class LanceStore:
    """Tables in a directory, ``<name>.lance`` each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def table(self, name: str) -> LanceTable:
        """Return a table; it need not exist yet."""
        return LanceTable(self.directory / f"{name}.lance")


def _with_vectors(rows: pa.Table, vectors: np.ndarray, made: Made) -> pa.Table:
    schema = schema_of(made)
    kind = np.float16 if made.numbers == "float16" else np.float32
    flat = pa.array(np.ascontiguousarray(vectors, dtype=kind).ravel())
    return pa.Table.from_arrays([*rows.columns, pa.FixedSizeListArray.from_arrays(flat, made.dim)], schema=schema)


def _full(wanted: pa.Schema, there: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    """Return rows with all columns that are wanted, those too that a table of an earlier release has not."""
    columns = [
        there[field.name]
        if field.name in there
        else pa.repeat(pa.scalar(WHOLE if field.name == "window" else None, field.type), rows)
        for field in wanted
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


def _among(ids: Iterable[str]) -> str:
    quoted = ", ".join("'" + item.replace("'", "''") + "'" for item in ids)
    return f"id IN ({quoted})"
