"""Writing files that readers see whole, or not at all, keeping a second writer out, and opening nothing but files."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from biovita.errors import DatasetError

__all__ = ["cleared", "locked", "make_directory", "open_regular", "refuse_links", "share", "write_whole"]

_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_LOOK_AGAIN_S = 0.02


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading.

    Raises
    ------
    DatasetError
        Where it is something else: a device, a pipe, a socket or a directory is refused before it is opened.
    OSError
        Where it is not there, or may not be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DatasetError(f"{path}: is not a regular file, and is not opened")
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
    except ValueError as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{str(path)!r} cannot be the path of a file: {error}") from None
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # it was changed meanwhile
        file.close()
        raise DatasetError(f"{path}: is not a regular file, and is not read")
    return file


def cleared(scratch: Path) -> Path:
    """Return a place for a temporary file, with nothing there: a link would lead what is written to another place."""
    scratch.unlink(missing_ok=True)
    return scratch


def write_whole(file: Path, text: str) -> None:
    """Write a text file in UTF-8 through a temporary one beside it."""
    scratch = cleared(file.with_name(f".{file.name}.part"))
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


def make_directory(place: Path) -> None:
    """Make a directory where there is none, or raise a DatasetError where something else is in the way."""
    try:
        place.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise DatasetError(
            f"{place} cannot be made: {error.filename} is a file, or a link to what is not there. Choose another place"
        ) from None


def refuse_links(*places: Path) -> None:
    """Raise a DatasetError where a place or anything below it is a link: what is written would go somewhere else.

    Or a pipe, a device or a socket, at which writing would wait without end.
    """
    for place in places:
        for found in (place, *_below(place)):
            if found.is_symlink():
                raise DatasetError(
                    f"{found} is a link to {found.readlink()}, and files are written there. Remove it, "
                    "or work at the place that it leads to"
                )
            if found.exists() and not (found.is_file() or found.is_dir()):
                raise DatasetError(
                    f"{found} is neither a file nor a folder, and files are written there. Remove it"
                )


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


@contextmanager
def locked(file: Path, busy: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock, or raise a DatasetError that says ``busy`` where another process does; a killed one holds none.

    Parameters
    ----------
    wait_s
        How long to wait for the other one.
    """
    until = time.monotonic() + wait_s
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | _NO_LINK | _NO_WAIT, 0o666)
    except OSError as error:
        if not file.is_symlink():
            raise
        raise DatasetError(
            f"{file} is a link, and a lock is a file of its own: {error.strerror}. Remove it"
        ) from None
    with os.fdopen(descriptor, "r+b", buffering=0) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise DatasetError(busy) from None
                time.sleep(_LOOK_AGAIN_S)
        yield
