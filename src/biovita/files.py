"""Writing files that readers see whole, or not at all, and keeping a second writer out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from biovita.errors import DatasetError

__all__ = ["locked", "share", "write_whole"]


def write_whole(file: Path, text: str) -> None:
    """Write a text file in UTF-8 through a temporary one beside it."""
    scratch = file.with_name(f".{file.name}.part")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def share(file: Path) -> None:
    """Give a file the mode that the umask wants: safetensors writes for the owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    file.chmod(0o666 & ~umask)


@contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Hold a lock, or raise a DatasetError that says ``busy`` where another process does; a killed one holds none."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(busy) from None
        yield
