"""Decoding ahead of the encoder and encoding ahead of the writer, in order, within a bound on what lies in memory."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Generic, TypeVar

from biovita.compute.read_ahead import read_ahead
from biovita.errors import BiovitaError, MediaError
from biovita.limits import MemoryGate, memory_mib, share_memory
from biovita.media.inputs import Clip
from biovita.terminal import guard_output

__all__ = ["encode_ahead", "in_batches", "in_processes", "load_ahead"]

Row = TypeVar("Row")
Item = TypeVar("Item")
Batch = TypeVar("Batch")
Result = TypeVar("Result")

_MOST_BYTES = 128 << 20  # decoded and waiting, beyond what the workers are at; less where --memory is little
_BYTES_A_SECOND = 6 * 4 * 48_000  # read, resampled, cut; and as much again for what waits to be encoded
_LONGEST_S = 350.0  # of what is held, at 48 kHz


def load_ahead(
    items: Iterable[tuple[Row, Item]], load: Callable[[Item], Result], *, workers: int, ahead: int
) -> Generator[tuple[Row, Result | MediaError]]:
    """Give each item loaded, or why it cannot be, in the order of ``items`` whatever the number of workers.

    Packed files among the items are read together, ahead of the workers.

    Parameters
    ----------
    load
        Runs in ``workers`` threads; decoders release the interpreter's lock.
    ahead
        How many items at most are loaded before they are asked for. Fewer where they are large: no further one
        is begun while those that wait hold 128 MB.
    """
    source = read_ahead(items)
    line = _Line(source, load, ahead)
    threads = [threading.Thread(target=line.work, name=f"decode-{n}", daemon=True) for n in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while (entry := line.take()) is not None:
            yield entry
    finally:
        line.stop()
        for thread in threads:
            thread.join()
        source.close()


def in_batches(
    entries: Iterable[tuple[Row, Item]], size: int, group: Callable[[Row], object] | None = None
) -> Iterator[list[tuple[Row, Item]]]:
    """Give what is loaded in lists of ``size``, and in shorter ones where 128 MB or more are together.

    So some hours-long recordings, all of whose windows are read, do not have to be held at once.

    Parameters
    ----------
    group
        What a row belongs to; rows that belong to different things are not in one list.
    """
    batch: list[tuple[Row, Item]] = []
    held = 0
    for entry in entries:
        if batch and group is not None and group(batch[0][0]) != group(entry[0]):
            yield batch
            batch, held = [], 0
        batch.append(entry)
        held += _size(entry[1])
        if len(batch) == size or held >= _most_bytes():
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


@contextmanager
def in_processes(load: Callable[[Item], Result], workers: int) -> Iterator[Callable[[Item], Result]]:
    """Give a function that does what ``load`` does in one of ``workers`` processes, and waits for it.

    Processes do not share the interpreter's lock with what feeds a GPU. ``load`` is sent to them with each item, and
    so has to be small. The processes share the memory that is set.
    """
    share = max(1, memory_mib() // workers)
    pool = ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin_worker, initargs=(share,)
    )

    def load_there(item: Item) -> Result:
        try:
            return pool.submit(load, item).result()
        except BrokenProcessPool as error:
            raise BiovitaError(
                f"one of {workers} decoding processes ended by itself, which happens when memory runs out. What is "
                "embedded is kept. Run the same command with fewer --workers"
            ) from error

    try:
        yield load_there
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker(mib: int) -> None:
    """Leave Ctrl-C to the main process, and the other cores and the other memory to the other workers."""
    import torch

    share_memory(mib)
    guard_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)


def encode_ahead(
    batches: Iterable[Batch], encode: Callable[[Batch], Result], *, depth: int
) -> Generator[tuple[Batch, Result]]:
    """Give each batch and what ``encode`` makes of it, in order, while the next one is gathered and encoded.

    Parameters
    ----------
    depth
        How many are encoded at a time: two keep a device busy, of which one is copied to it while the other computes;
        on the CPU they would take each other's cores.
    """
    waiting: deque[tuple[Batch, Future[Result]]] = deque()
    pool = ThreadPoolExecutor(depth, thread_name_prefix="encode")
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(encode, batch)))
            if len(waiting) > depth:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Line(Generic[Row, Item, Result]):
    """Items between the workers that load them and the one who takes them, in order."""

    def __init__(self, items: Iterable[tuple[Row, Item]], load: Callable[[Item], Result], ahead: int) -> None:
        self._source = iter(items)
        self._load = load
        self._ahead = ahead
        self._changed = threading.Condition()
        self._loaded: dict[int, tuple[Row, Result | MediaError]] = {}
        self._bytes = 0
        self._gate = MemoryGate()  # for what the workers are at
        self._begun = self._taken = 0
        self._over = False  # no further item will be begun
        self._error: BaseException | None = None

    def work(self) -> None:
        """Load items until there is none left, or `stop` is called."""
        try:
            while (begun := self._begin()) is not None:
                place, row, item = begun
                with self._gate.holding(_weight(item)):
                    try:
                        result: Result | MediaError = self._load(item)
                    except MediaError as error:
                        result = error
                with self._changed:
                    self._loaded[place] = row, result
                    self._bytes += _size(result)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the items are taken
            with self._changed:
                self._error, self._over = error, True
                self._changed.notify_all()

    def _begin(self) -> tuple[int, Row, Item] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._has_room())
            entry = None if self._over else next(self._source, None)
            if entry is None:
                self._over = True
                self._changed.notify_all()
                return None
            self._begun += 1
            return self._begun - 1, *entry

    def _has_room(self) -> bool:
        waiting = self._begun - self._taken
        return waiting == 0 or (waiting < self._ahead and self._bytes < _most_bytes())

    def take(self) -> tuple[Row, Result | MediaError] | None:
        """Return the next item in order, once it is loaded; None after the last."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._error or self._taken in self._loaded or (self._over and self._begun == self._taken)
            )
            if self._error:
                raise self._error
            if self._taken not in self._loaded:
                return None
            row, result = self._loaded.pop(self._taken)
            self._taken += 1
            self._bytes -= _size(result)
            self._changed.notify_all()
            return row, result

    def stop(self) -> None:
        """Let the workers end after what they are at."""
        with self._changed:
            self._over = True
            self._changed.notify_all()


def _most_bytes() -> int:
    return min(_MOST_BYTES, memory_mib() << 17)


def _weight(item: object) -> int:
    """Return how many bytes a span counts for while it is loaded."""
    if not isinstance(item, Clip) or item.end_s is None:
        return 0
    seconds = item.end_s - item.start_s
    return int(min(seconds, _LONGEST_S) * _BYTES_A_SECOND) if seconds > 0 else 0


def _size(result: object) -> int:
    if isinstance(result, dict):
        return sum(map(_size, result.values()))
    return int(getattr(result, "nbytes", 0))
