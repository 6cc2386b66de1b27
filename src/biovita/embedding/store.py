"""Tables of vectors: what each of them can do, whatever keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.dataset.dataset import Dataset
from biovita.embedding.made import Made
from biovita.errors import DatasetError
from biovita.filenames import file_name

__all__ = [
    "COLUMNS",
    "WHOLE",
    "Snapshot",
    "VectorTable",
    "embeddings_directory",
    "read",
    "schema_of",
]

WHOLE = -1  # as window: the item as a whole

COLUMNS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of a text it is the text
        pa.field("window", pa.int32(), nullable=False),  # the n-th, from 0: it begins n * hop_s into the item
        pa.field("taxon_id", pa.string()),
        pa.field("sha256", pa.string()),  # as the dataset has it, or of the file where nothing states it
        pa.field("file_size", pa.int64()),  # with the next: whether the file has to be looked at again
        pa.field("file_mtime_ns", pa.int64()),
        pa.field("start_s", pa.float64()),  # of the item in its file
        pa.field("end_s", pa.float64()),
        pa.field("shard", pa.string()),  # of the work that made the row
    ]
)
"""All that a table holds beside the vectors. No two rows have the same id and window."""


def schema_of(made: Made) -> pa.Schema:
    """Return the columns of a table with the vector, and the record of what made it as metadata."""
    numbers = pa.float16() if made.numbers == "float16" else pa.float32()
    vector = pa.field("vector", pa.list_(numbers, made.dim), nullable=False)
    return COLUMNS.append(vector).with_metadata({b"biovita": made.as_json().encode()})


class Snapshot(Protocol):
    """A table as it is at one moment. Its rows have numbers from 0, in the table's order."""

    def __len__(self) -> int: ...

    def state(self, columns: Sequence[str] = COLUMNS.names) -> pa.Table:
        """Return columns of `COLUMNS`, a row a vector.

        Raises
        ------
        DatasetError
            Where they take more than the memory.
        """
        ...

    def batches(self, columns: Sequence[str] = COLUMNS.names) -> Iterator[pa.RecordBatch]:
        """Yield the same some rows at a time, of a table that may be too large to be held."""
        ...

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Return the vectors of rows, ``(len(numbers), dim)``, float32, in the order asked for.

        Raises
        ------
        LookupError
            Where the moment is past: the table was written to, and what it was is removed.
        """
        ...


class VectorTable(Protocol):
    """The vectors of one modality. Each write is one commit: readers see it whole or not at all.

    Attributes
    ----------
    name
        For errors.
    """

    name: str

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed."""
        ...

    def made(self) -> Made:
        """Return the record of what made the table.

        Raises
        ------
        DatasetError
            Where there is no table, or it has no record or other columns than that says.
        """
        ...

    def snapshot(self) -> Snapshot:
        """Return the table as it is now."""
        ...

    def commit(self, rows: pa.Table, vectors: np.ndarray, made: Made, *, rebuild: bool = False) -> None:
        """Write rows, as `COLUMNS` has them, with their vectors, ``(rows, dim)``.

        One whose id and window are there takes the place of the row there. ``rebuild`` drops what another encoder made.

        Raises
        ------
        DatasetError
            Where the table was made by another encoder, and ``rebuild`` is not set.
        """
        ...

    def refresh(self, rows: pa.Table) -> None:
        """Write columns beside the vectors, of items that are there: ``rows`` has their ids and the new values."""
        ...

    def remove(self, ids: Iterable[str]) -> None:
        """Remove all rows of items."""
        ...

    def tidy(self) -> None:
        """Join the pieces that commits leave, and free what nothing needs any more."""
        ...


def read(
    table: VectorTable,
    *,
    ids: Iterable[str] | None = None,
    where: pc.Expression | None = None,
    columns: Sequence[str] = COLUMNS.names,
) -> tuple[pa.Table, np.ndarray]:
    """Return columns of a table and the vectors, ``(rows, dim)``, float32, in the table's order.

    Parameters
    ----------
    ids
        Of the items that are wanted; None is all.
    where
        What holds for the columns of the rows that are wanted.
    """
    for last in (False, True):
        try:
            return _read(table.snapshot(), ids, where, columns)
        except LookupError as error:
            if last:
                raise DatasetError(
                    f"{table.name} is written to while it is read. Try again when the writing is done"
                ) from error
    raise AssertionError


def _read(
    found: Snapshot, ids: Iterable[str] | None, where: pc.Expression | None, columns: Sequence[str]
) -> tuple[pa.Table, np.ndarray]:
    rows = found.state(columns if ids is None and where is None else COLUMNS.names)
    rows = rows.append_column("_number", pa.array(np.arange(len(rows))))
    if where is not None:
        rows = rows.filter(where)
    if ids is not None:
        rows = rows.filter(pc.is_in(rows["id"], value_set=pa.array(list(ids), pa.string())))
    return rows.select(columns), found.take(rows["_number"].to_numpy())


def embeddings_directory(dataset: Dataset, model: str) -> Path:
    """Return where a model's tables and its list of failures lie."""
    return dataset.path / "embeddings" / file_name(model)
