"""A file seen through a window: a header of our own, then parts of another file."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import Any

__all__ = ["FileWindow"]


class FileWindow(io.RawIOBase):
    """A read-only file: ``prefix``, then spans of another file, each from a byte up to, not including, another."""

    def __init__(self, file: io.BufferedReader, prefix: bytes, *spans: tuple[int, int]) -> None:
        self._file, self._prefix, self._spans = file, prefix, spans
        self._edges = list(accumulate((end - start for start, end in spans), initial=len(prefix)))
        self._position = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:  # noqa: D102
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._edges[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self._edges[-1]:
            count = self._read_some(view[done:])
            if not count:
                break
            done += count
            self._position += count
        return done

    def _read_some(self, view: memoryview) -> int:
        """Read what lies in the prefix, or in one span."""
        if self._position < len(self._prefix):
            part = self._prefix[self._position : self._position + len(view)]
            view[: len(part)] = part
            return len(part)
        place = bisect_right(self._edges, self._position) - 1
        self._file.seek(self._spans[place][0] + self._position - self._edges[place])
        return self._file.readinto(view[: self._edges[place + 1] - self._position])
