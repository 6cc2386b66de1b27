"""Decoding ahead of the encoder and encoding ahead of the writer, in order, within a bound on what lies in memory."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

import numpy as np

from biovita.errors import BiovitaError, MediaError

__all__ = ["encode_ahead", "load_ahead"]

Row = TypeVar("Row")
Item = TypeVar("Item")
Batch = TypeVar("Batch")
Result = TypeVar("Result")

_MOST_BYTES = 256 << 20  # decoded and waiting, beyond what the workers hold


def load_ahead(
    items: Iterable[tuple[Row, Item]],
    load: Callable[[Item], np.ndarray],
    *,
    workers: int,
    ahead: int,
    processes: bool = False,
) -> Generator[tuple[Row, np.ndarray | MediaError]]:
    """Give each item loaded, or why it cannot be, in the order of ``items`` whatever the number of workers.

    Parameters
    ----------
    load
        Runs in ``workers`` threads; decoders release the interpreter's lock.
    ahead
        How many items at most are loaded before they are asked for. Fewer where they are large: no further one
        is begun while those that wait hold 256 MB.
    processes
        Run ``load`` in processes instead, which do not share a lock with what feeds the encoder. It is sent to them
        with each item, and so has to be small.
    """
    source = iter(items)
    waiting: deque[tuple[Row, Future[np.ndarray | MediaError]]] = deque()
    pool: Executor = (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker)
        if processes
        else ThreadPoolExecutor(workers, thread_name_prefix="decode")
    )

    def fill() -> None:
        while len(waiting) < ahead and (len(waiting) < workers or _bytes_of(waiting) < _MOST_BYTES):
            entry = next(source, None)
            if entry is None:
                return
            waiting.append((entry[0], pool.submit(_load, load, entry[1])))

    try:
        fill()
        while waiting:
            row, future = waiting.popleft()
            result = future.result()
            fill()
            yield row, result
    except BrokenProcessPool as error:
        raise BiovitaError(
            f"one of {workers} decoding processes ended by itself, as happens when memory runs out. What was embedded "
            "is kept; run the same command with fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Leave Ctrl-C to the main process, and the other cores to the other workers."""
    import torch

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


def _load(load: Callable[[Item], np.ndarray], item: Item) -> np.ndarray | MediaError:
    try:
        return load(item)
    except MediaError as error:
        return error


def _bytes_of(waiting: deque[tuple[Row, Future[np.ndarray | MediaError]]]) -> int:
    results = (future.result() for _, future in waiting if future.done())
    return sum(result.nbytes for result in results if isinstance(result, np.ndarray))
