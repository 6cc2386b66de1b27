"""Tables of vectors in memory, for vectors that are not to be kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.embedding.made import Made
from biovita.embedding.store import COLUMNS
from biovita.errors import DatasetError

__all__ = ["MemoryTable"]


@dataclass(frozen=True, eq=False)
class _MemorySnapshot:
    """Rows and their vectors; see `Snapshot`."""

    rows: pa.Table
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def state(self, columns: Sequence[str] = COLUMNS.names) -> pa.Table:
        return self.rows.select(columns)

    def batches(self, columns: Sequence[str] = COLUMNS.names) -> Iterator[pa.RecordBatch]:
        yield from self.rows.select(columns).to_batches()

    def take(self, numbers: np.ndarray) -> np.ndarray:
        return self.vectors[numbers].astype(np.float32, copy=False)

    def where(self, kept: np.ndarray) -> _MemorySnapshot:
        return _MemorySnapshot(self.rows.filter(pa.array(kept)), self.vectors[kept])


class MemoryTable:
    """A table in memory; see `VectorTable`."""

    def __init__(self, name: str = "vectors in memory") -> None:
        self.name = name
        self._made: Made | None = None
        self._parts: list[_MemorySnapshot] = []

    @property
    def exists(self) -> bool:
        """Whether anything was ever committed."""
        return self._made is not None

    def made(self) -> Made:
        """Return the record of what made the table."""
        if self._made is None:
            raise DatasetError(f"{self.name} has no vectors yet")
        return self._made

    def snapshot(self) -> _MemorySnapshot:
        """Return the table as it is now."""
        dim = self.made().dim
        if not self._parts:
            return _MemorySnapshot(COLUMNS.empty_table(), np.zeros((0, dim), np.float32))
        if len(self._parts) > 1:
            rows = pa.concat_tables([part.rows for part in self._parts]).combine_chunks()
            joined = _MemorySnapshot(rows, np.concatenate([part.vectors for part in self._parts]))
            latest = {key: number for number, key in enumerate(_keys(rows))}
            kept = np.zeros(len(rows), bool)
            kept[list(latest.values())] = True
            self._parts = [joined if kept.all() else joined.where(kept)]
        return self._parts[0]

    def commit(self, rows: pa.Table, vectors: np.ndarray, made: Made, *, rebuild: bool = False) -> None:
        """Write rows with their vectors; see `VectorTable`."""
        if rebuild and self._made is not None and self._made.difference(made):
            self._made, self._parts = None, []
        if self._made is not None and (difference := self._made.difference(made)):
            raise DatasetError(f"{self.name} was made by another encoder: {difference}")
        self._made = self._made or made
        kept = np.array(vectors, np.float16 if self._made.numbers == "float16" else np.float32)
        assert kept.shape == (len(rows), made.dim)
        self._parts.append(_MemorySnapshot(rows.select(COLUMNS.names).cast(COLUMNS), kept))

    def refresh(self, rows: pa.Table) -> None:
        """Write columns beside the vectors; see `VectorTable`."""
        there = self.snapshot()
        at = pc.index_in(there.rows["id"].combine_chunks(), value_set=rows["id"].combine_chunks())
        changed, columns = pc.is_valid(at), {}
        for name in COLUMNS.names:
            columns[name] = there.rows[name].combine_chunks()
            if name in rows.column_names:
                new = rows[name].combine_chunks().cast(COLUMNS.field(name).type).take(at)
                columns[name] = pc.if_else(changed, new, columns[name])
        self._parts = [_MemorySnapshot(pa.table(columns, schema=COLUMNS), there.vectors)]

    def remove(self, ids: Iterable[str]) -> None:
        """Remove all rows of items."""
        if self.exists:
            there = self.snapshot()
            gone = pc.is_in(there.rows["id"], value_set=pa.array(list(ids), pa.string())).to_numpy()
            self._parts = [there.where(~gone)]

    def tidy(self) -> None:
        """Do nothing: there are no pieces."""


def _keys(rows: pa.Table) -> zip[tuple[str, int]]:
    return zip(rows["id"].to_pylist(), rows["window"].to_pylist(), strict=True)
