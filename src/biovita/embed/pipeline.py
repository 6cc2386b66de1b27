"""Decoding in threads, ahead of the encoder and in order, within a bound on what lies in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from biovita.errors import MediaError

__all__ = ["load_ahead"]

Row = TypeVar("Row")
Item = TypeVar("Item")

_MOST_BYTES = 256 << 20  # decoded and waiting, beyond what the workers hold


def load_ahead(
    items: Iterable[tuple[Row, Item]], load: Callable[[Item], np.ndarray], *, workers: int, ahead: int
) -> Generator[tuple[Row, np.ndarray | MediaError]]:
    """Give each item loaded, or why it cannot be, in the order of ``items`` whatever the number of workers.

    Parameters
    ----------
    load
        Runs in ``workers`` threads; decoders release the interpreter's lock.
    ahead
        How many items at most are loaded before they are asked for. Fewer where they are large: no further one
        is begun while those that wait hold 256 MB.
    """
    source = iter(items)
    waiting: deque[tuple[Row, Future[np.ndarray | MediaError]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")

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
