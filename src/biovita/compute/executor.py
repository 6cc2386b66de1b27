"""Where work is done that is cut into shards."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol, TypeVar

__all__ = ["Executor", "LocalExecutor"]

Shard = TypeVar("Shard")
Result = TypeVar("Result")


class Executor(Protocol):
    """Does the same work on many shards: here, in other processes, or on other machines."""

    def map(
        self, work: Callable[[Iterable[Shard]], Iterator[Result]], shards: Iterable[Shard]
    ) -> Generator[Result]:
        """Give the results, a shard each, in any order; a shard may be worked on more than once.

        Parameters
        ----------
        work
            Takes shards and gives their results one by one, so that it can prepare one shard while it is at another.
            It can be pickled where it is to be sent elsewhere, and so can shards and results.
        """
        ...


class LocalExecutor:
    """Works in this process, one shard after the other."""

    def map(
        self, work: Callable[[Iterable[Shard]], Iterator[Result]], shards: Iterable[Shard]
    ) -> Generator[Result]:
        """Give the results in the order of the shards."""
        yield from work(shards)
