"""Media on their way out of a dataset: only regular files, of the kind and the bytes that its tables state.

A dataset from elsewhere may name any file of the machine that reads it. What is published, an export, packed media, a
benchmark with its media, a page, therefore passes here.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from biovita.dataset.dataset import Dataset
from biovita.dataset.file_rows import file_rows
from biovita.dataset.schema import MEDIA_TABLES
from biovita.errors import DatasetError, MediaError
from biovita.files import open_regular
from biovita.limits import memory_mib
from biovita.media.packed_files import MediaPath, PackedFile
from biovita.media.sniff import HEAD_BYTES, kind_of
from biovita.modality import Modality
from biovita.taxonomy import Taxon

__all__ = [
    "Outgoing",
    "allowed_outside",
    "bytes_of",
    "copied",
    "is_outside",
    "own_file",
    "require_same",
    "stated_files",
    "taxon_of",
    "unchanged",
]

_BLOCK = 1 << 20
_MOVED = ". If its files were moved, run: biovita data relink DATASET OLD NEW"
_NOUNS = {Modality.AUDIO: ("audio", "a recording"), Modality.IMAGE: ("image", "a photograph")}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file that is to go out, and what the tables state of it.

    Attributes
    ----------
    sha256
        None where the tables state none: a benchmark of others.
    """

    source: MediaPath
    modality: Modality
    sha256: str | None


def stated_files(dataset: Dataset, modality: Modality) -> Iterator[tuple[str, Outgoing]]:
    """Yield each path that a table of a dataset names, once, and its file."""
    for batch in file_rows(dataset, MEDIA_TABLES[modality], ["path", "sha256"]):
        for path, digest in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield path, Outgoing(dataset.locate(path), modality, digest)


def taxon_of(dataset: Dataset, row: Mapping[str, Any]) -> Taxon:
    """Return the taxon of a row, or raise a DatasetError where the dataset has no such taxon."""
    taxon = dataset.taxonomy.get(row["taxon_id"])
    if taxon is None:
        raise DatasetError(
            f"{dataset.path}: {row.get('id', 'an item')} is of the taxon {row['taxon_id']!r}, which taxa.parquet lacks"
        )
    return taxon


def is_outside(root: Path, source: MediaPath) -> bool:
    """Say whether a file lies outside a directory, links followed; packed media, which tables name apart, do not."""
    if isinstance(source, PackedFile):
        return False
    try:
        return not source.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # a loop of links; a character that no path has
        return True


def allowed_outside(root: Path, files: Iterable[Outgoing], *, allow: bool) -> int:
    """Return how many files lie outside a directory.

    Raises
    ------
    DatasetError
        Where there are some and they are not allowed.
    """
    number = total = 0
    first: MediaPath = root
    for total, file in enumerate(files, start=1):  # noqa: B007 - the last is the number of all
        if is_outside(root, file.source):
            first = first if number else file.source
            number += 1
    if number and not allow:
        raise DatasetError(
            f"{number} of the {total} files lie outside {root}, the first is {first}. Whoever made the tables chose "
            "them: make sure that they are meant to be published, and give --allow-outside"
        )
    return number


def copied(file: Outgoing, place: Path, *, link: bool = False) -> None:
    """Copy a file to a place where nothing is; its bytes are checked while they are copied.

    Parameters
    ----------
    link
        Make a hard link where the file system allows it; the bytes of what was linked are checked.

    Raises
    ------
    DatasetError
        Where it is missing, no regular file, or not what the tables state. Nothing is left at the place.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        if isinstance(file.source, PackedFile):
            place.write_bytes(bytes_of(file))
            return
        if link and _linked(file.source, place):
            with open_regular(place) as source:
                head, digest = _sent(source, None)
        else:
            with _opened(file.source) as source, place.open("xb") as target:
                head, digest = _sent(source, target)
        _check(file, head, digest, place)
    except BaseException:
        place.unlink(missing_ok=True)
        raise


def bytes_of(file: Outgoing) -> bytes:
    """Return a file's bytes, which are those that the tables state.

    Raises
    ------
    DatasetError
        Where it is missing, no regular file, or not what the tables state.
    """
    if isinstance(file.source, PackedFile):
        try:
            content = file.source.read_bytes()
        except MediaError as error:
            raise DatasetError(str(error)) from None
    else:
        most = memory_mib() << 20
        with _opened(file.source) as source:
            content = source.read(most + 1)
        if len(content) > most:
            raise DatasetError(
                f"{file.source} has more than {memory_mib():,} MiB. Raise --memory MIB: memory holds all of it"
            )
    _check(file, content[:HEAD_BYTES], hashlib.sha256(content).hexdigest(), file.source)
    return content


@contextmanager
def unchanged(file: Outgoing, known: set[Any]) -> Iterator[MediaPath]:
    """Give a file to decode from, and make sure that it is what the tables state until the block ends.

    Parameters
    ----------
    known
        What was found to be so, and is not looked at again; this file is added.

    Raises
    ------
    DatasetError
        Where it is missing, no regular file, or not what the tables state.
    """
    before = _state(file.source)
    if (file, before) not in known:
        require_same(file)
    known.add((file, before))
    yield file.source
    if _state(file.source) != before:
        raise DatasetError(f"{file.source} was changed while it was read. Try again")


def require_same(file: Outgoing) -> None:
    """Raise a DatasetError where a file is missing, no regular file, or not what the tables state."""
    if isinstance(file.source, PackedFile):
        bytes_of(file)
        return
    with _opened(file.source) as source:
        head, digest = _sent(source, None)
    _check(file, head, digest, file.source)


def own_file(root: Path, name: str) -> Path | None:
    """Return a file of a dataset that goes out as it is; None where it is not there.

    Raises
    ------
    DatasetError
        Where it is no regular file, or a link that leads out.
    """
    place = root / name
    if not place.exists():
        return None
    if is_outside(root, place) or not place.is_file():
        raise DatasetError(
            f"{place} is a link that leads out of {root}, or not a file. It is not published. Remove it"
        )
    return place


def _opened(source: Path) -> BufferedReader:
    try:
        return open_regular(source)
    except FileNotFoundError:
        raise DatasetError(f"{source}: the dataset names this file, and it is not there{_MOVED}") from None
    except OSError as error:
        raise DatasetError(
            f"{source}: the dataset names this file, and it cannot be read: {error.strerror}"
        ) from None


def _linked(source: Path, place: Path) -> bool:
    if not stat.S_ISREG(_status(source).st_mode):
        raise DatasetError(f"{source}: is not a regular file, and is not published")
    try:
        os.link(source.resolve(), place, follow_symlinks=os.link not in os.supports_follow_symlinks)
    except (OSError, NotImplementedError):  # another file system, or one without links
        return False
    return True


def _status(source: Path) -> os.stat_result:
    try:
        return source.stat()
    except (OSError, ValueError):
        raise DatasetError(f"{source}: the dataset names this file, and it is not there{_MOVED}") from None


def _state(source: MediaPath) -> tuple[int, ...]:
    if isinstance(source, PackedFile):
        return ()
    status = _status(source)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _sent(source: BinaryIO, target: BinaryIO | None) -> tuple[bytes, str]:
    """Copy what is read, if to anywhere, and return its first bytes and its hash."""
    digest, head = hashlib.sha256(), b""
    while block := source.read(_BLOCK):
        head = head or block[:HEAD_BYTES]
        digest.update(block)
        if target is not None:
            target.write(block)
    return head, digest.hexdigest()


def _check(file: Outgoing, head: bytes, digest: str, place: MediaPath) -> None:
    """Raise a DatasetError for other bytes than are stated, or another kind of file; ``place`` holds the bytes."""
    if file.sha256 is not None and digest != file.sha256:
        raise DatasetError(f"{file.source} is not the file that the tables describe: its bytes changed")
    family, noun = _NOUNS[file.modality]
    kind = kind_of(head)
    if kind.family == family:
        return
    said = f"{file.source}: the tables say that this is {noun}, and it is"
    if kind.family != "unknown":
        raise DatasetError(f"{said} {kind.description}. It is not published")
    try:  # some formats do not begin with a mark of their own
        _decode_start(file.modality, place)
    except MediaError:
        raise DatasetError(f"{said} of no known format. It is not published") from None


def _decode_start(modality: Modality, place: MediaPath) -> None:
    from biovita.media import probe_image
    from biovita.media.decode import open_sound

    if modality == Modality.IMAGE:
        probe_image(place)
        return
    with open_sound(place):
        pass
