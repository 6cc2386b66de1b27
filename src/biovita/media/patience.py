"""How long one file may keep a decoder: a crafted one can ask for hours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from biovita.errors import MediaError
from biovita.limits import limit, over

__all__ = ["Patience"]

Item = TypeVar("Item")


class Patience:
    """The seconds that are left for one file; those between two steps, when others work, do not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = float(limit("decoding"))
        self._since: float | None = None

    def check(self) -> None:
        """Count the time since the last call, or since `pause`.

        Raises
        ------
        MediaError
            ``too-slow`` where none is left.
        """
        now = time.monotonic()
        self._left -= 0.0 if self._since is None else now - self._since
        self._since = now
        if self._left < 0:
            raise MediaError("too-slow", f"{self._path}: decoding takes too long; {over('decoding')}")

    def pause(self) -> None:
        """Leave out the time until the next call of `check`."""
        self._since = None

    def over(self, items: Iterator[Item]) -> Iterator[Item]:
        """Yield what an iterator gives, and count the time that it takes, not what is done with it."""
        while True:
            self.check()
            item = next(items, None)
            self.check()
            if item is None:
                return
            self.pause()
            yield item
