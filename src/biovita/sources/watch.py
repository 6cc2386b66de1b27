"""An eye on what DuckDB takes beside its own limit: rows that do not fit a table are kept in memory without one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from biovita.errors import DatasetError
from biovita.limits import memory_mib

if TYPE_CHECKING:
    import duckdb

__all__ = ["MEMORY_MIB", "watched"]

# Of DuckDB, unless --memory says otherwise; with Python and what DuckDB does not count, planning stays under 2 GB.
MEMORY_MIB = 1144
_BESIDE_MIB = 512  # that it may take beside
_EVERY_S = 0.02


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Stop queries in the block where this process grows by far more than DuckDB may take.

    Raises
    ------
    DatasetError
        Where they were stopped.
    """
    import duckdb

    began, most = _resident_mib(), memory_mib(MEMORY_MIB) + _BESIDE_MIB
    ended, stopped = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_S):
            if _resident_mib() - began > most:
                stopped.set()
                connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except (duckdb.Error, DatasetError):
        if not stopped.is_set():
            raise
        raise DatasetError(
            f"a source takes more than {most:,} MiB of memory to read. A table does where far too many of its rows "
            "do not fit its columns. Look at the tables (--memory MIB sets another amount)"
        ) from None
    finally:
        ended.set()
        watcher.join()


def _resident_mib() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss) >> 20
