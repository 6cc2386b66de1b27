"""Items to vectors in a table: planned, embedded somewhere, and committed shard by shard."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from biovita.compute.executor import Executor, LocalExecutor
from biovita.embedding.failures import Failure
from biovita.embedding.items import Items
from biovita.embedding.known_items import ROW_BYTES
from biovita.embedding.made import Made
from biovita.embedding.pending import LOOKED_AT, plan
from biovita.embedding.shards import Shard, shards
from biovita.embedding.store import Snapshot, VectorTable
from biovita.embedding.work import Result, Work
from biovita.errors import DatasetError, ModelError
from biovita.limits import memory_mib
from biovita.progress import progress_bar
from biovita.towers.encoder import Encoder

__all__ = ["Embedded", "OpenEncoder", "Settings", "embed_items", "run_plan"]

logger = logging.getLogger(__name__)

_COMMIT_ROWS = 4096
_COMMIT_SECONDS = 5.0
_REFRESH_ROWS = 65_536
_WORTH_PROCESSES = 256  # items; a process takes seconds to begin


@dataclass(frozen=True, slots=True)
class Settings:
    """How items are embedded.

    Attributes
    ----------
    batch_size
        Items encoded together; None is the encoder's own choice.
    workers
        Threads that decode, or for a GPU processes; None is one a core.
    progress
        Whether to show a bar on standard error where that is a terminal.
    """

    batch_size: int | None = None
    workers: int | None = None
    progress: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """What was done about items.

    Attributes
    ----------
    new, kept
        Items embedded now, and items that had their vector already.
    failed
        Items without a vector, and why. They are tried again by the next run.
    seconds
        From the first item read to the last vector written; opening the encoder does not count.
    rebuilt
        Why the table that was there was not continued; None where it was, or there was none.
    """

    new: int
    kept: int
    failed: tuple[Failure, ...]
    seconds: float
    rebuilt: str | None = None


def embed_items(
    encoder: Encoder,
    items: Items,
    table: VectorTable,
    executor: Executor | None = None,
    *,
    each_window: bool = False,
    settings: Settings | None = None,
) -> Embedded:
    """Write a vector of each item into a table, as the encoder gives it.

    Items that have a vector of the same content are left alone. A table that another encoder made is replaced.
    Items that fail have no vector.

    Parameters
    ----------
    executor
        Where the work is done; None is this process.
    each_window
        Whether each window of a recording gets a row, beside the recording as a whole.

    Raises
    ------
    ModelError
        Where windows are asked for and the encoder cuts nothing.
    """
    if each_window and encoder.windows is None:
        raise ModelError(f"{encoder.card.name} does not cut recordings into windows")
    made = Made.by(encoder.card, encoder.windows if each_window else None)
    return run_plan(OpenEncoder(encoder), made, items, table, settings or Settings(), executor=executor)


@dataclass(frozen=True)
class OpenEncoder:
    """Gives an encoder that is open, where `run_plan` asks for what opens one."""

    encoder: Encoder

    def __call__(self) -> Encoder:
        """Return the encoder."""
        return self.encoder


def run_plan(
    opening: Callable[[], Encoder],
    made: Made,
    items: Items,
    table: VectorTable,
    settings: Settings,
    *,
    executor: Executor | None = None,
    failed: list[Failure] | None = None,
) -> Embedded:
    """Write a vector of each item into a table; see `embed_items`.

    Parameters
    ----------
    opening
        Gives the encoder; it is asked only where there is something to embed.
    failed
        Gets the failures of what is committed: also where the run is interrupted.
    """
    rebuilt = table.made().difference(made) if table.exists else None
    if rebuilt:
        logger.warning("%s was made by another encoder (%s). All items are embedded again", table.name, rebuilt)
    there = None if rebuilt or not table.exists else table.snapshot()
    if there is not None and made.window_s is None:
        _require_memory(table, len(there))
    todo = plan(items, () if there is None else there.batches(LOOKED_AT))
    for start in range(0, len(todo.refresh), _REFRESH_ROWS):
        table.refresh(todo.refresh.slice(start, _REFRESH_ROWS))
    if not len(todo.new):
        table.tidy()
        return Embedded(0, todo.kept, (), 0.0, rebuilt)
    replaced = set(todo.replaced_ids())
    if made.window_s is not None:
        table.remove(replaced)  # the item may have had more windows
    work = Work(
        opening,
        items.modality,
        items.locate,
        made.window_s is not None,
        settings.batch_size,
        settings.workers,
        len(todo.new) >= _WORTH_PROCESSES,
        items.hearing,
    )
    writer = _Writer(table, made, _shards_of(there), rebuild=bool(rebuilt))
    clock = _Clock()
    try:
        with (
            progress_bar(str(items.modality), len(todo.new), shown=settings.progress) as advance,
            closing((executor or LocalExecutor()).map(work, clock.from_first(shards(todo, made)))) as results,
        ):
            for result in results:
                if writer.add(result):
                    advance(result.items)
    finally:
        writer.commit()
        if failed is not None:
            failed += writer.failed
        table.remove([failure.id for failure in writer.failed if failure.id in replaced])
        table.tidy()
    return Embedded(writer.items, todo.kept, tuple(writer.failed), clock.seconds(), rebuilt)


def _require_memory(table: VectorTable, rows: int) -> None:
    """Raise a DatasetError where what has to be known of the rows takes more than the memory."""
    needed = rows * ROW_BYTES >> 20
    if needed > memory_mib():
        raise DatasetError(
            f"{table.name} has {rows:,} rows, and to find what has to be embedded takes {needed:,} MiB of memory. "
            f"Give --memory {needed + 1}"
        )


def _shards_of(there: Snapshot | None) -> set[str | None]:
    """Return the keys of the shards whose rows a table has."""
    found: set[str | None] = set()
    for batch in () if there is None else there.batches(["shard"]):
        found.update(batch["shard"].unique().to_pylist())
    return found


class _Clock:
    """Seconds since the first shard was asked for."""

    def __init__(self) -> None:
        self._began: float | None = None

    def from_first(self, source: Iterator[Shard]) -> Iterator[Shard]:
        for shard in source:
            self._began = self._began or time.perf_counter()
            yield shard

    def seconds(self) -> float:
        return 0.0 if self._began is None else time.perf_counter() - self._began


class _Writer:
    """Shards on their way to the table, committed every few seconds; each of them once."""

    def __init__(self, table: VectorTable, made: Made, there: set[str | None], *, rebuild: bool) -> None:
        self._table, self._made, self._there, self._rebuild = table, made, there, rebuild
        self._waiting: list[Result] = []
        self._last = time.monotonic()
        self.items = 0
        self.failed: list[Failure] = []

    def add(self, result: Result) -> bool:
        """Take a shard, and return whether it had not come before."""
        if result.key in self._there:
            return False
        self._there.add(result.key)
        self._waiting.append(result)
        rows = sum(len(each.rows) for each in self._waiting)
        if rows >= _COMMIT_ROWS or time.monotonic() - self._last >= _COMMIT_SECONDS:
            self.commit()
        return True

    def commit(self) -> None:
        """Write what has come."""
        rows = pa.concat_tables([each.rows for each in self._waiting]) if self._waiting else []
        if len(rows):
            vectors = np.concatenate([each.vectors for each in self._waiting])
            self._table.commit(rows, vectors, self._made, rebuild=self._rebuild)
            self._rebuild = False
        for each in self._waiting:
            self.items += each.items - len(each.failed)
            self.failed += each.failed
        self._waiting = []
        self._last = time.monotonic()
