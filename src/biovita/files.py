"""Writing files that readers see whole, or not at all, keeping a second writer out, and opening nothing but files."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from biovita.errors import DatasetError

__all__ = [
    "all_below",
    "full_disk",
    "locked",
    "make_directory",
    "new_directory",
    "open_regular",
    "refuse_links",
    "replacing",
    "require_file",
    "require_possible",
    "require_replaceable",
    "require_writable",
    "target_of",
    "write_whole",
]

_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_LOOK_AGAIN_S = 0.02
_FULL = {os.strerror(number): number for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)}
_FULL_TEXT = re.compile("|".join(map(re.escape, _FULL)))
_LONGEST_NAME = 240  # bytes: file systems take 255, and what is being written has a longer name beside it


def full_disk(error: BaseException) -> int | None:
    """Return the number of the system's error where no more can be written: no space, a quota, a limit on file sizes.

    Lance, DuckDB and safetensors raise errors of their own, which say so in their text; None for any other error.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is not None:
        return number if number in _FULL.values() else None
    found = _FULL_TEXT.search(str(error))
    return _FULL[found[0]] if found else None


@contextmanager
def _named_if_full(scratch: Path, path: Path) -> Iterator[None]:
    """Name ``path``, or what was to be in it, in an error that says that the disk is full."""
    try:
        yield
    except Exception as error:
        number = full_disk(error)
        if number is None:
            raise
        named = (error.filename2 or error.filename) if isinstance(error, OSError) else None
        place = Path(os.fsdecode(named)) if isinstance(named, (str, bytes)) else path
        if place.is_relative_to(scratch):
            place = path / place.relative_to(scratch)
        raise OSError(number, os.strerror(number), str(place)) from error


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


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give a place beside ``path`` for a new file, which becomes ``path`` when the block ends without an error.

    Readers see the old file or the new one. Whatever stops the block, an exception or Ctrl-C, ``path`` is as it was and
    nothing is left behind. What a killed process leaves is overwritten the next time.

    Parameters
    ----------
    shared
        Whether several processes may write ``path`` at once. Each then writes a file of a name of its own.
    """
    own = f".{secrets.token_hex(4)}" if shared else ""
    scratch = path.with_name(f".{path.name}{own}.part")
    scratch.unlink(missing_ok=True)  # a link there would lead what is written to another place
    try:
        with _named_if_full(scratch, path):
            yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def write_whole(file: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all, with the same bytes on every system."""
    with replacing(file) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="")


def target_of(out: Path) -> Path:
    """Return where a directory is to be made: ``out``, or where the link that it is leads.

    Raises
    ------
    DatasetError
        Where the link leads to nothing.
    """
    if not out.is_symlink():
        return out
    if not out.exists():
        raise DatasetError(
            f"{out} is a link to {out.readlink()}, which does not exist. Make that, or remove the link"
        )
    return out.resolve()


def require_file(path: Path, wanted: str) -> None:
    """Raise a `DatasetError` that says ``wanted``, a sentence, where a path does not lead to a file."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not a regular file" if path.exists() else "does not exist"
        raise DatasetError(f"{path} {what}. {wanted}")


def require_writable(file: Path, *endings: str) -> None:
    """Raise a `DatasetError` where no file can be written at a path, or its name has none of the endings."""
    if file.suffix not in endings:
        raise DatasetError(f"{file}: give a file whose name ends in {' or '.join(endings)}")
    if file.is_dir():
        raise DatasetError(f"{file} is a folder. Choose another place")
    require_possible(file.absolute().parent)


def require_possible(place: Path) -> None:
    """Raise a `DatasetError` where no directory can be made at ``place``, or nothing written into the one there.

    Work that takes long asks this before it begins. Nothing is made.
    """
    cannot = f"{place} cannot be made:"
    _refuse_odd_names(place)
    there = next((each for each in (place, *place.parents) if os.path.lexists(each)), None)
    if there is None:
        raise DatasetError(f"{cannot} {place.anchor or place} does not exist. Choose another place")
    if not there.exists():
        raise DatasetError(
            f"{cannot} {there} is a link to {there.readlink()}, which does not exist. Choose another place"
        )
    if not there.is_dir():
        raise DatasetError(f"{cannot} {there} is not a directory. Choose another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise DatasetError(f"{cannot} you may not write in {there}. Choose another place")


def _refuse_odd_names(place: Path) -> None:
    if "\0" in str(place):
        raise DatasetError(f"{str(place)!r} holds the character NUL, which no path can hold. Choose another place")
    for size in (len(os.fsencode(part)) for part in place.parts):
        if size > _LONGEST_NAME:
            raise DatasetError(
                f"{place} cannot be made: a name in it has {size:,} bytes, and {_LONGEST_NAME} are the most. "
                "Choose a shorter one"
            )


def require_replaceable(path: Path, *, replace: bool = False, marker: str | None = "*") -> Path:
    """Return where `new_directory` with the same arguments makes a directory.

    Raises
    ------
    DatasetError
        Where it would refuse to.
    """
    _refuse_odd_names(path)
    path = target_of(path)
    require_possible(path.parent if path.exists() else path)
    if not path.exists():
        return path
    there = f"{path} is" if replace else f"{path} already exists. It is"
    if not path.is_dir():
        raise DatasetError(f"{there} a file, and is not replaced by a directory. Choose another place")
    if not any(path.iterdir()):
        return path
    if marker is None:
        raise DatasetError(f"{path} already exists. Choose another place")
    if not any(path.glob(marker)):
        raise DatasetError(
            f"{there} not replaced: it has no {marker}, so biovita did not make it. Choose another place"
        )
    if not replace:
        raise DatasetError(f"{path} already exists. Choose another place, or give --overwrite to replace it")
    return path


@contextmanager
def new_directory(
    path: Path, *, replace: bool = False, marker: str | None = "*", keep: Sequence[str] = ()
) -> Iterator[Path]:
    """Give a temporary directory beside ``path`` that becomes ``path`` when the block ends without an error.

    Whatever stops the block, an exception or Ctrl-C, nothing is left behind and ``path`` is as it was. What ``keep``
    names is carried over from the directory that is replaced. Files can be read by whom the umask lets read them.

    Parameters
    ----------
    replace
        Whether ``path`` may be there, as a directory that is empty or holds ``marker``.
    marker
        What shows that a directory is of the kind that is written: a file's name or pattern. None: what is there is
        never replaced.

    Raises
    ------
    DatasetError
        Where ``path`` exists and ``replace`` was not asked for, it is something else, or it cannot be made.
    """
    path = require_replaceable(path, replace=replace, marker=marker)
    absent = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    scratch = path.with_name(f".{path.name}.{mark}")  # named before it is made: Ctrl-C in between leaves nothing
    aside: Path | None = None  # holds the old directory until the new one is in its place
    kept: list[str] = []
    try:
        scratch.mkdir()
        with _named_if_full(scratch, path):
            yield scratch
        for file in scratch.iterdir():
            if file.is_file():
                _share(file)
        if path.exists():
            aside = path.with_name(f".{path.name}.old.{mark}")
            aside.mkdir()
            path.rename(aside / path.name)
            for name in keep:
                if (aside / path.name / name).exists() and not (scratch / name).exists():
                    (aside / path.name / name).rename(scratch / name)
                    kept.append(name)
        scratch.rename(path)
    except BaseException:
        if aside is not None and not path.exists():
            for name in kept:
                (scratch / name).rename(aside / path.name / name)
            (aside / path.name).rename(path)
        shutil.rmtree(scratch, ignore_errors=True)
        for parent in absent:
            with suppress(OSError):  # someone else may have put something there
                parent.rmdir()
        raise
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _share(file: Path) -> None:
    """Give a file the mode that the umask wants: safetensors writes for the owner alone."""
    umask = os.umask(0)
    os.umask(umask)
    file.chmod(0o666 & ~umask)


def make_directory(place: Path) -> None:
    """Make a directory where there is none, or raise a `DatasetError` where that cannot be."""
    require_possible(place)
    place.mkdir(parents=True, exist_ok=True)


def refuse_links(*places: Path) -> None:
    """Raise a DatasetError where a place or anything below it is a link: what is written would go somewhere else.

    Or a pipe, a device or a socket, at which writing would wait without end.
    """
    for place in places:
        for found in (place, *all_below(place)):
            if found.is_symlink():
                raise DatasetError(
                    f"{found} is a link to {found.readlink()}, and files are written there. Remove it, "
                    "or work at the place that it leads to"
                )
            if found.exists() and not (found.is_file() or found.is_dir()):
                raise DatasetError(
                    f"{found} is neither a file nor a folder, and files are written there. Remove it"
                )


def all_below(folder: Path) -> Iterator[Path]:
    """Yield the files and folders below a folder, links among them; those are not followed."""
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *files))


@contextmanager
def locked(
    file: Path, busy: str, *, wait_s: float = 0.0, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold a lock, or raise a DatasetError that says ``busy`` where another process does; a killed one holds none.

    Parameters
    ----------
    wait_s
        How long to wait for the other one.
    waiting
        Is called before it waits.
    """
    from filelock import FileLock, Timeout

    if file.is_symlink():
        raise DatasetError(f"{file} is a link, and biovita locks regular files only. Remove the link")
    lock = FileLock(file, timeout=wait_s, poll_interval=_LOOK_AGAIN_S)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire()
    except Timeout:
        raise DatasetError(busy) from None
    try:
        yield
    finally:
        lock.release()
