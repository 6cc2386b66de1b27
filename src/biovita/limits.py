"""What foreign files and answers may ask of this machine: one memory setting, and limits with defaults.

A setting is an environment variable, so that the processes that a command starts have it too. ``biovita --memory MIB``
and ``biovita --limit NAME=VALUE``, before or after any command, set them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from biovita.errors import BiovitaError, unknown_name

__all__ = [
    "LIMITS",
    "MEMORY_MIB",
    "Limit",
    "MemoryGate",
    "gate",
    "limit",
    "memory_mib",
    "over",
    "set_limit",
    "set_memory",
    "share_memory",
]

MEMORY_MIB = 1024
_MEMORY = "BIOVITA_MEMORY"
_LEAST_MIB = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit: its name, what it is where nobody sets it, in which unit, and of what."""

    name: str
    default: int
    unit: str
    about: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"BIOVITA_LIMIT_{self.name.upper()}"


LIMITS: dict[str, Limit] = {
    each.name: each
    for each in (
        Limit("rows", 200_000_000, "rows", "rows of one table that is read"),
        Limit("cell", 1 << 20, "characters", "one cell of a table"),
        Limit("archive", 64 << 30, "bytes", "all that is read of one archive, unpacked"),
        Limit("answer", 64 << 20, "bytes", "one answer of a web API, unpacked, or one JSON file"),
        Limit("pages", 10_000, "pages", "pages of one question to a web API"),
        Limit("request", 3_600, "seconds", "one request to a server, from connecting to the last byte"),
        Limit("pixels", 200_000_000, "pixels", "one picture"),
        Limit("decoding", 600, "seconds", "decoding one recording or picture"),
        Limit("published", 16 << 30, "bytes", "a benchmark that is written in the published layout"),
        Limit("shortest", 100, "milliseconds", "one recording or clip, at least"),
    )
}


def limit(name: str) -> int:
    """Return a limit as it is set now.

    Raises
    ------
    BiovitaError
        Where its environment variable is no whole number from 1 on.
    """
    known = LIMITS[name]
    return _number(known.variable, known.default)


def set_limit(name: str, value: str) -> None:
    """Set a limit for this process and those that it starts.

    Raises
    ------
    BiovitaError
        Where there is no limit of this name, or the value is no whole number from 1 on.
    """
    if name not in LIMITS:
        raise BiovitaError(f"--limit {name}={value}: {unknown_name('limit', name, LIMITS)}")
    _set(LIMITS[name].variable, value, f"--limit {name}={value}", 1)


def over(name: str) -> str:
    """Return what an error says of a limit that is passed: how much is accepted, and how to accept more.

    Examples
    --------
    >>> over("pixels")
    'at most 200,000,000 pixels are accepted (--limit pixels=N sets another limit)'
    """
    return f"at most {limit(name):,} {LIMITS[name].unit} are accepted (--limit {name}=N sets another limit)"


def memory_mib(default: int = MEMORY_MIB) -> int:
    """Return how many MiB a command may work with, all its workers together; ``default`` where nobody set it."""
    return _number(_MEMORY, default)


def set_memory(value: str) -> None:
    """Set the memory for this process and those that it starts, in MiB.

    Raises
    ------
    BiovitaError
        Where it is no whole number from 64 on.
    """
    _set(_MEMORY, value, f"--memory {value}", _LEAST_MIB)


def share_memory(mib: int) -> None:
    """Let this process, one of several at the same work, work with so many MiB."""
    os.environ[_MEMORY] = str(mib)


def _set(variable: str, value: str, given: str, least: int) -> None:
    if not _is_number(value) or int(value) < least:
        raise BiovitaError(f"{given}: give a whole number of at least {least}")
    os.environ[variable] = value


def _number(variable: str, default: int) -> int:
    value = os.environ.get(variable)
    if value is None:
        return default
    if not _is_number(value) or int(value) < 1:
        raise BiovitaError(
            f"the environment variable {variable} is {value!r}. Set it to a whole number of at least 1"
        )
    return int(value)


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 18


class MemoryGate:
    """Lets work begin while what all of it holds fits into `memory_mib`; the rest waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held = 0

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Wait until ``size`` bytes are free, and hold them for the block. Blocks must not be nested in a thread.

        More than all there is waits until it is alone; a caller that refuses such work does so before.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._held == 0 or self._held + size <= memory_mib() << 20)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


gate = MemoryGate()
