"""A file seen through a window: a header of our own, then a part of another file."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["FileWindow"]


class FileWindow(io.RawIOBase):
    """A read-only file: ``prefix``, then the bytes ``start`` to ``end`` of another file."""

    def __init__(self, file: io.BufferedReader, prefix: bytes, start: int, end: int) -> None:
        self._file, self._prefix, self._start = file, prefix, start
        self._size = len(prefix) + end - start
        self._position = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def tell(self) -> int:  # noqa: D102
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:  # noqa: D102
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self._size - self._position))
        from_prefix = self._prefix[self._position : self._position + wanted]
        view[: len(from_prefix)] = from_prefix
        rest = wanted - len(from_prefix)
        if rest:
            self._file.seek(self._start + self._position + len(from_prefix) - len(self._prefix))
            rest = self._file.readinto(view[len(from_prefix) : wanted])
        done = len(from_prefix) + rest
        self._position += done
        return done
