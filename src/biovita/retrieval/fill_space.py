"""The tables that are searched follow an archive: what is new or was changed is written, what is gone is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.pieces import Pieces, media_items
from biovita.archive.stored_windows import SomeVectors, media_vectors
from biovita.directions import unit
from biovita.embedding.items import Items
from biovita.embedding.lance_table import LanceTable
from biovita.embedding.store import COLUMNS, Snapshot
from biovita.lance_tables import no_panic
from biovita.media.hearing import Hearing
from biovita.modality import Modality
from biovita.retrieval.media_facts import MediaFacts
from biovita.retrieval.search_space import SearchSpace
from biovita.retrieval.searched_rows import SEARCHED, entry_id, searched_schema
from biovita.sql import sql_text
from biovita.storage import for_lance
from biovita.towers.encoder import Windowing

__all__ = ["MediaSource", "TableChange", "fill_media", "fill_taxa", "remove_gone"]

_IDS_AT_ONCE = 1000
_ROWS_A_FILE = 1 << 20

Project = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class TableChange:
    """What was done to a table: rows written and media that left, and the rows that it has."""

    written: int
    gone: int
    rows: int


@dataclass(frozen=True)
class MediaSource:
    """Where the vectors of an archive's media come from.

    Attributes
    ----------
    table
        As the tower gave them.
    windows
        How the tower cuts recordings; None for photographs.
    project
        Takes them to the model's space.
    dim
        Of that space.
    """

    table: LanceTable
    windows: Windowing | None
    hearing: Hearing
    project: Project
    dim: int

    def items(self, media: pa.Table) -> Pieces | Items:
        """Return media as what has vectors."""
        return media_items(media, self.windows, self.hearing)

    def vectors(self, media: pa.Table, snapshot: Snapshot) -> Iterator[SomeVectors]:
        """Yield the windows or photographs of media that have a vector."""
        return media_vectors(self.items(media), media, snapshot)


def fill_media(space: SearchSpace, modality: Modality, facts: MediaFacts, source: MediaSource) -> TableChange:
    """Bring a table up to date with the media and vectors of an archive.

    A medium is written anew where what is known of it is not what its rows state, or it has another number of vectors.
    Its old rows go first: wherever it is stopped, the same again ends as it would have, with no row twice.
    """
    ids = facts.media["id"].combine_chunks()
    snapshot = source.table.snapshot() if source.table.exists else None
    counts = np.zeros(len(ids), np.int64)
    if snapshot is not None:
        for some in source.vectors(facts.media, _NoVectors(snapshot)):
            counts += np.bincount(some.media, minlength=len(ids))
    there = _there(space, modality)
    at = pc.fill_null(pc.index_in(ids, value_set=there["media_id"].combine_chunks()), -1).to_numpy()
    had = np.where(at >= 0, there["rows"].to_numpy()[at] if len(there) else 0, 0)
    states = np.where(at >= 0, there["state"].to_numpy()[at] if len(there) else np.uint64(0), np.uint64(0))
    changed = np.flatnonzero((counts != had) | ((states != facts.states) & (counts > 0)))
    gone = _gone(there, pa.chunked_array([ids]))
    _remove(space, modality, pa.chunked_array([*gone.chunks, ids.take(pa.array(changed[had[changed] > 0]))]))
    fresh = changed[counts[changed] > 0]
    if len(fresh):
        assert snapshot is not None
        some_media = facts.media.take(pa.array(fresh))
        found = source.vectors(some_media, snapshot)
        batches = (_batch(each, fresh, facts, source) for each in found)
        _write(space, modality, source.dim, batches)
    rows = space.table(modality).count_rows() if space.has(modality) else 0
    return TableChange(int(counts[fresh].sum()), len(gone), rows)


def remove_gone(space: SearchSpace, modality: Modality, ids: pa.ChunkedArray) -> None:
    """Remove the rows of media other than those that there are."""
    _remove(space, modality, _gone(_there(space, modality), ids))


def fill_taxa(space: SearchSpace, rows: pa.Table, vectors: np.ndarray) -> TableChange:
    """Write the table of taxa anew where it has others, or other vectors.

    Parameters
    ----------
    rows
        ``id`` and ``taxa``, as `SEARCHED` has them.
    vectors
        ``(rows, dim)``, of length 1.
    """
    states = _vector_states(vectors)
    if space.has(Modality.TEXT):
        there = space.table(Modality.TEXT).to_table(columns=["id", "state"])
        same = dict(zip(there["id"].to_pylist(), there["state"].to_pylist(), strict=True))
        if same == dict(zip(rows["id"].to_pylist(), states.tolist(), strict=True)):
            return TableChange(0, 0, len(there))
    columns: dict[str, pa.Array] = {"id": rows["id"], "media_id": rows["id"], "taxa": rows["taxa"]}
    columns["state"] = pa.array(states)
    _write(space, Modality.TEXT, vectors.shape[1], [_with_vectors(columns, vectors)], anew=True)
    return TableChange(len(rows), 0, len(rows))


class _NoVectors:
    """A table of vectors of which only is asked what it has: nothing is read of the vectors."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def __len__(self) -> int:
        return len(self._snapshot)

    def state(self, columns: Sequence[str] = COLUMNS.names) -> pa.Table:
        return self._snapshot.state(columns)

    def batches(self, columns: Sequence[str] = COLUMNS.names) -> Iterator[pa.RecordBatch]:
        return self._snapshot.batches(columns)

    def take(self, numbers: np.ndarray) -> np.ndarray:
        return np.empty((len(numbers), 0), np.float32)


def _gone(there: pa.Table, ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the media of a table that are not among those that there are."""
    return there["media_id"].filter(pc.invert(pc.is_in(there["media_id"], value_set=ids.combine_chunks())))


def _there(space: SearchSpace, modality: Modality) -> pa.Table:
    """Return by medium how many rows a table has, and the state that they state; where they differ, none."""
    if not space.has(modality):
        none = {"media_id": pa.array([], pa.string()), "rows": np.empty(0, np.int64)}
        return pa.table({**none, "state": np.empty(0, np.uint64)})
    reader = space.table(modality).scanner(columns=["media_id", "state"]).to_reader()
    with duckdb.connect() as database:
        database.register("found", reader)
        return database.sql(
            "SELECT media_id, count(*) AS rows, CASE WHEN min(state) = max(state) THEN min(state) ELSE 0 END AS state "
            "FROM found GROUP BY media_id"
        ).to_arrow_table()


def _remove(space: SearchSpace, modality: Modality, media_ids: pa.ChunkedArray) -> None:
    """Remove the rows of media."""
    ids = media_ids.to_pylist()
    if not ids:
        return
    table = space.table(modality)
    with no_panic():
        for start in range(0, len(ids), _IDS_AT_ONCE):
            named = ", ".join(map(sql_text, ids[start : start + _IDS_AT_ONCE]))
            table.delete(f"media_id IN ({named})")


def _batch(some: SomeVectors, fresh: np.ndarray, facts: MediaFacts, source: MediaSource) -> pa.RecordBatch:
    medium = fresh[some.media]
    media_ids = facts.media["id"].combine_chunks().take(pa.array(medium))
    begins = [None if np.isnan(start) else start for start in some.start_s.tolist()]
    ids = [entry_id(*pair) for pair in zip(media_ids.to_pylist(), begins, strict=True)]
    columns = {
        "id": pa.array(ids, pa.string()),
        "media_id": media_ids,
        "state": pa.array(facts.states[medium]),
        "start_s": pa.array(begins, pa.float64()),
        "end_s": pa.array(some.end_s, mask=np.isnan(some.end_s)),
        **facts.of_rows(medium, some.start_s, some.end_s),
    }
    return _with_vectors(columns, source.project(some.vectors))


def _with_vectors(columns: dict[str, pa.Array], vectors: np.ndarray) -> pa.RecordBatch:
    """Return rows of `SEARCHED`, empty where nothing is given, with their vectors at length 1."""
    rows, dim = vectors.shape
    given = [
        columns[each.name].cast(each.type) if each.name in columns else pa.nulls(rows, each.type)
        for each in SEARCHED
    ]
    given = [each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in given]
    flat = pa.array(unit(vectors).astype(np.float16).ravel())
    return pa.RecordBatch.from_arrays(
        [*given, pa.FixedSizeListArray.from_arrays(flat, dim)], schema=searched_schema(dim)
    )


def _write(
    space: SearchSpace, modality: Modality, dim: int, batches: Iterable[pa.RecordBatch], *, anew: bool = False
) -> None:
    """Add rows to a table, which they begin where there is none."""
    place, _ = for_lance(str(space.place(modality)))
    space.directory.mkdir(parents=True, exist_ok=True)
    there = space.has(modality)
    mode = "overwrite" if anew and there else "append" if there else "create"
    reader = pa.RecordBatchReader.from_batches(searched_schema(dim), iter(batches))
    with no_panic():
        lance.write_dataset(reader, place, mode=mode, max_rows_per_file=_ROWS_A_FILE)


def _vector_states(vectors: np.ndarray) -> np.ndarray:
    """Return a number of 64 bits a vector, which is another one where the vector is."""
    halves = np.ascontiguousarray(vectors, np.float16).view(np.uint16).astype(np.uint64)
    factors = np.random.default_rng(0).integers(1, 1 << 62, halves.shape[1], dtype=np.uint64) | np.uint64(1)
    found: np.ndarray = ((halves + np.uint64(1)) * factors).sum(axis=1, dtype=np.uint64)
    return found
