"""What a user names comes into an archive: files, folders, datasets, runs; annotations; columns of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from biovita.archive.annotation_formats.annotation_readers import read_annotations
from biovita.archive.archive import Archive
from biovita.archive.change_media import TakenIn, add_labels, add_media
from biovita.archive.extra_columns import add_columns
from biovita.archive.find_media import FoundMedia, find_media
from biovita.archive.from_archive import archive_media
from biovita.archive.register import Registration
from biovita.archive.take_in import look_into
from biovita.errors import DatasetError
from biovita.progress import progress_bar

__all__ = ["NamedPlaces", "add_annotations", "add_places", "add_tables", "named_places"]

_SHOWN = 5


@dataclass(frozen=True)
class NamedPlaces:
    """What was named: media, and archives, of which runs of ``biovita identify`` are some."""

    media: FoundMedia | None
    runs: tuple[Archive, ...]


def named_places(places: Sequence[str | Path]) -> NamedPlaces:
    """Return what places hold; see `find_media` for what may be named beside archives.

    Raises
    ------
    DatasetError
        Where a place does not exist or cannot be read, or they hold neither recordings nor photographs.
    """
    runs = [place for place in places if Archive(Path(place).expanduser()).exists]
    others = [place for place in places if place not in runs]
    media = find_media(others) if others else None
    if media is not None and not (media.files or media.datasets):
        raise DatasetError(f"no recording and no photograph is in {', '.join(map(str, others))}")
    return NamedPlaces(media, tuple(map(Archive.open, runs)))


def add_places(archive: Archive, named: NamedPlaces, *, progress: bool) -> tuple[TakenIn | None, tuple[str, ...]]:
    """Enter what was named, and return what became of it and what has to be said; None where nothing was named."""
    info, notes, taken = archive.info, list[str](), list[TakenIn]()
    channels = info.get("channels")
    how = Registration(info.get("timezone"), None if channels is None else tuple(channels))
    if named.media is not None:
        with progress_bar("looking into files", len(named.media.files), shown=progress) as advance:
            found = look_into(archive, named.media, how, advance)
        taken.append(add_media(archive, found))
        if others := named.media.others:
            listed = ", ".join(f"{count:,} {ending}" for ending, count in others.most_common(_SHOWN))
            notes.append(f"{others.total():,} files are neither sound nor pictures by their names: {listed}")
    taken += [add_media(archive, archive_media(run)) for run in named.runs]
    if not taken:
        return None, tuple(notes)
    counts = {name: sum(getattr(each, name) for each in taken) for name in TakenIn.__slots__}
    return TakenIn(**counts), tuple(notes)


def add_annotations(archive: Archive, files: Sequence[Path], file_format: str) -> tuple[str, ...]:
    """Enter annotations of an archive's recordings, and return what has to be said of them.

    Raises
    ------
    DatasetError
        Where a file is not in the format.
    """
    notes = []
    for file in files:
        read = read_annotations(file, file_format, media=archive.table("recordings"))
        unknown = add_labels(archive, read.annotations, file)
        if read.rejected:
            first = read.rejected[0]
            notes.append(
                f"{file}: {len(read.rejected):,} rows are no annotations, the first in line {first.line}: "
                f"{first.detail}"
            )
        if unknown:
            notes.append(f"{file}: {unknown:,} annotations are of no recording of the archive, and are not kept")
    return tuple(notes)


def add_tables(archive: Archive, files: Sequence[Path]) -> tuple[str, ...]:
    """Add the columns of tables to an archive's media, and return what has to be said of them.

    Raises
    ------
    DatasetError
        As `add_columns`.
    """
    added = [(file, add_columns(archive, file)) for file in files]
    return tuple(
        f"{file}: {len(each.unknown):,} rows name no file of the archive, the first {each.unknown[0]!r}"
        for file, each in added
        if each.unknown
    )
