"""What mpg123, within libsndfile, writes to standard error: kept with the files that were read at the time.

There is one standard error for all threads. While any MP3 is read it is a temporary file; what others write to it
meanwhile goes on to where it was to go, when the next block of samples is there.
"""

from __future__ import annotations

import atexit
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["DecoderNotes", "decoder_notes"]

_SAID = re.compile(
    rb"(?:\[src/libmpg123/[^\n]*\] (?:error|warning): |Note: (?=Illegal|Trying|Skipped|Hit end)|Warning: (?=Xing))"
    rb"([^\n]*)\n"
)


class DecoderNotes:
    """Keeps what is written to standard error while MP3s are read."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # whoever changes standard error holds it
        self._reading: Counter[Path] = Counter()
        self._said: dict[Path, list[str]] = {}
        self._stderr, self._done = -1, 0
        self._file: Any = None

    @contextmanager
    def of(self, path: Path, said: list[str]) -> Iterator[None]:
        """Add to ``said`` what a decoder says while the block reads a file; none of it is seen on the terminal."""
        with self.lock:
            if not self._reading:
                self._begin()
            self._reading[path] += 1
        try:
            yield
        finally:
            with self.lock:
                self._sort()
                said += self._said.pop(path, ())
                self._reading[path] -= 1
                if not self._reading[path]:
                    del self._reading[path]
                if not self._reading:
                    self._end()

    def _begin(self) -> None:
        if not hasattr(os, "pread"):  # on Windows
            return
        try:
            self._stderr = os.dup(2)
        except OSError:  # there is none
            return
        if self._file is None:  # for good: a thread may still be writing to it when the last one has read
            self._file = tempfile.TemporaryFile("a+b", buffering=0)  # noqa: SIM115
            atexit.register(self._sort)
        os.dup2(self._file.fileno(), 2)

    def _end(self) -> None:
        if self._stderr < 0:
            return
        os.dup2(self._stderr, 2)
        self._sort()
        os.close(self._stderr)
        self._stderr = -1
        self._said.clear()

    def _sort(self) -> None:
        """Give what was written since the last time to those who are reading, or back to standard error."""
        if self._file is None or not hasattr(os, "pread"):  # nothing is redirected on Windows
            return
        # At a place: where the file stands, other threads move it.
        content = os.pread(self._file.fileno(), os.fstat(self._file.fileno()).st_size - self._done, self._done)
        if not content:
            return
        self._done += len(content)
        lines = [line.decode("utf-8", "replace").strip() for line in _SAID.findall(content)]
        note = "" if len(self._reading) < 2 else " (this file, or another that was read meanwhile)"
        for path in self._reading:
            self._said.setdefault(path, []).extend(f"{line}{note}" for line in lines)
        others = _SAID.sub(b"", content)
        if others:
            os.write(2 if self._stderr < 0 else self._stderr, others)


decoder_notes = DecoderNotes()
