"""Recordings and photographs below a folder without tables: what the names of folders and files say that they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from biovita.csv_table import CsvRow
from biovita.media.files_below import files_below
from biovita.media.name_patterns import named
from biovita.modality import MEDIA, Modality
from biovita.sources.media_row import NAMES, MediaRow, media_rows_of
from biovita.sources.recording_pieces import Recording, recordings_of
from biovita.sources.source import RejectedRow
from biovita.taxonomy import RANKS, Rank, Taxon
from biovita.taxonomy.written_names import NameSource, WrittenName, file_taxon, folder_taxon
from biovita.values import kind_by_ending

__all__ = ["NameGroup", "NamedFile", "NamedMedia", "name_values", "named_media", "named_rows"]

_EXAMPLES = 3
_ABOVE = RANKS[:-1]
_NO_TAXON = "no name of its folders, nor its own, names a taxon"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A recording or photograph, and what the names say of it.

    Attributes
    ----------
    file
        Its path from the folder, as POSIX writes it.
    where
        The folder whose name decides, or the pattern of file names that do.
    taxon
        None where it cannot be used.
    found
        By what the taxon was found (`NameSource`), or why none was.
    reason
        ``no-taxon``, ``several-names`` or ``bad-name``; None of a file with a taxon.
    """

    modality: Modality
    file: str
    where: str
    taxon: Taxon | None
    found: str
    reason: str | None = None
    is_known: bool = True
    recording: Recording | None = None


@dataclass(frozen=True, slots=True)
class NameGroup:
    """Files that are what they are by the same name.

    Attributes
    ----------
    where
        The folder whose name decides, or the pattern of file names that do.
    taxon, rank
        None where no taxon was found; ``found`` then says why.
    examples
        Up to three of the files.
    """

    where: str
    taxon: str | None
    rank: Rank | None
    found: str
    audio: int
    images: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class NamedMedia:
    """What the names below a folder say.

    Attributes
    ----------
    files
        By their paths, the recordings before the photographs.
    others
        How many files are neither sound nor pictures by their names, by ending.
    closed
        Folders that cannot be looked into, and why.
    """

    root: Path
    files: tuple[NamedFile, ...]
    others: Counter[str] = field(default_factory=Counter)
    closed: tuple[tuple[Path, str], ...] = ()

    def groups(self) -> tuple[NameGroup, ...]:
        """Return the files in groups, those with a taxon first."""
        held: dict[tuple[bool, str, str, str], list[NamedFile]] = {}
        for each in self.files:
            name = each.taxon.scientific_name if each.taxon else ""
            held.setdefault((each.taxon is None, name, each.where, each.found), []).append(each)
        return tuple(_group(files) for _, files in sorted(held.items()))

    def notes(self) -> tuple[str, ...]:
        """Return what is to be said of how the names were read."""
        said = []
        unknown = sorted({each.taxon.scientific_name for each in self.files if each.taxon and not each.is_known})
        if unknown:
            more = f" and {len(unknown) - 10:,} more" if len(unknown) > 10 else ""
            said.append(
                "names that are not among the taxa that the package knows were taken for their form: "
                f"{', '.join(unknown[:10])}{more}"
            )
        files = Counter(each.recording for each in self.files if each.recording)
        together = [number for number in files.values() if number > 1]
        if together:
            said.append(
                f"{sum(together):,} files belong together with others by their names, in {len(together):,} groups, and "
                "fall on one side of a split"
            )
        if self.others:
            endings = ", ".join(f"{ending} {number:,}" for ending, number in self.others.most_common(10))
            said.append(f"files that are no recordings or photographs by their endings: {endings}")
        said += [f"{place} cannot be looked into: {why}" for place, why in self.closed]
        return tuple(said)


def named_media(root: Path) -> NamedMedia:
    """Return the recordings and photographs below a folder, and of which taxa they are by the names.

    The deepest folder whose name names a taxon decides (`folder_taxon`). The name of the file itself may name it, too
    (`file_taxon`), or one within it. A file is of no taxon where none of the names names one, where one of them names
    several or one that is not certain, and where folder and file name two. The name of ``root`` itself does not count.
    """
    closed: dict[Path, str] = {}
    others: Counter[str] = Counter()
    found: list[NamedFile] = []
    sites: list[tuple[str, ...]] = []
    for path in files_below(root, closed):
        modality = kind_by_ending(path.name)
        if modality is None:
            others[path.suffix.lower() or "no ending"] += 1
            continue
        relative = path.relative_to(root).as_posix()
        found.append(_named_file(modality, relative))
        sites.append(_site(PurePosixPath(relative).parts[:-1]))
    recordings = recordings_of([(each.modality, each.file) for each in found], sites)
    files = [replace(each, recording=recording) for each, recording in zip(found, recordings, strict=True)]
    order = sorted(files, key=lambda each: (MEDIA.index(each.modality), each.file))
    return NamedMedia(root, tuple(order), others, tuple(closed.items()))


def named_rows(media: NamedMedia, modality: Modality) -> Iterator[MediaRow | RejectedRow]:
    """Yield the files of a modality as rows of a table of `name_values`, each checked as such rows are."""

    def rows() -> Iterator[CsvRow | RejectedRow]:
        mine = (each for each in media.files if each.modality == modality)
        for line, each in enumerate(mine, 2):
            if each.reason is not None:
                yield RejectedRow(modality.value, NAMES, line, each.reason, each.found, None, each.file)
            else:
                yield CsvRow(line, name_values(each))

    return media_rows_of(modality, media.root, NAMES, rows())


def name_values(each: NamedFile) -> dict[str, str | None]:
    """Return what the names say of a file, by the columns of a table of media."""
    source, source_id = each.recording or (None, None)
    values: dict[str, str | None] = {"file": each.file, "scientific_name": None, "common_name": None}
    if each.taxon is not None:
        values |= {"scientific_name": each.taxon.scientific_name, "common_name": each.taxon.common_name}
        values |= {rank.value: each.taxon.name_at(rank) for rank in _ABOVE}
    return values | {"source": source, "source_id": source_id}


def _named_file(modality: Modality, file: str) -> NamedFile:
    path = PurePosixPath(file)
    parent = "" if path.parent == PurePosixPath() else f"{path.parent.as_posix()}/"
    try:
        file.encode()
    except UnicodeEncodeError:
        return NamedFile(modality, file, parent, None, "the name is no text in UTF-8. Rename the file", "bad-name")
    by_folder, depth = _of_folders(path.parts[:-1])
    folder = "/".join(path.parts[:depth]) + "/"
    by_file = file_taxon(path.stem, named(path).taxon_hint)
    refused = _refused(by_folder, by_file)
    if refused is not None:
        reason, detail = refused
        return NamedFile(
            modality, file, folder if by_folder.several or by_folder.why else parent, None, detail, reason
        )
    decides = _deciding(by_folder, by_file)
    assert decides.taxon is not None
    assert decides.by is not None
    known = decides.by != NameSource.FORM
    if decides is by_folder:
        return NamedFile(modality, file, folder, decides.taxon, decides.by.value, is_known=known)
    where = f"{parent}*{decides.text}*{path.suffix}"
    return NamedFile(modality, file, where, decides.taxon, decides.by.value, is_known=known)


def _of_folders(parts: tuple[str, ...]) -> tuple[WrittenName, int]:
    """Return what the deepest folder that names a taxon names, and its depth.

    Two words in lower case that the package does not know are of a taxon only where no folder above is of a species:
    ``costa_rica`` has the form of a scientific name.
    """
    unsure: tuple[WrittenName, int] | None = None
    for depth in range(len(parts), 0, -1):
        name = folder_taxon(parts[depth - 1])
        if name.taxon is None and not (name.several or name.why):
            continue
        if unsure is not None:
            is_species = name.taxon is not None and name.taxon.rank == Rank.SPECIES
            return (name, depth) if is_species else unsure
        if name.by == NameSource.FORM and name.text.islower():
            unsure = name, depth
            continue
        return name, depth
    return unsure or (WrittenName(), 0)


def _site(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that are of no taxon."""
    return tuple(folder for folder in folders if folder_taxon(folder).taxon is None)


def _refused(folder: WrittenName, file: WrittenName) -> tuple[str, str] | None:
    """Return reason and detail where the names do not name one taxon."""
    for place, name in (("the name of the folder", folder), ("the name of the file", file)):
        if name.several:
            return "several-names", f"{place} names {len(name.several)} taxa: {', '.join(name.several)}"
        if name.why:
            return "no-taxon", f"{place}, {name.text!r}, {name.why}"
    if folder.taxon is None and file.taxon is None:
        return "no-taxon", _NO_TAXON
    if folder.taxon is None or file.taxon is None or _agree(folder, file):
        return None
    names = f"{folder.taxon.scientific_name}, and that of the file {file.taxon.scientific_name}"
    return "several-names", f"the name of the folder names {names}"


def _agree(folder: WrittenName, file: WrittenName) -> bool:
    """Return whether two names are of one taxon, one within the other, or of one genus by lists that differ."""
    one, other = folder.taxon, file.taxon
    assert one is not None
    assert other is not None
    if NameSource.COMMON in {folder.by, file.by} and folder.by != file.by and one.genus == other.genus:
        return True
    return one.id == other.id or _is_within(one, other) or _is_within(other, one)


def _is_within(taxon: Taxon, group: Taxon) -> bool:
    return group.rank != Rank.SPECIES and taxon.name_at(group.rank) == group.scientific_name


def _deciding(folder: WrittenName, file: WrittenName) -> WrittenName:
    """Return the name that decides, of two that agree: the narrower one, a scientific one, the folder's."""
    if folder.taxon is None or file.taxon is None:
        return file if folder.taxon is None else folder
    if folder.taxon.id == file.taxon.id:
        return folder
    if _is_within(file.taxon, folder.taxon):
        return file
    return file if folder.by == NameSource.COMMON and not _is_within(folder.taxon, file.taxon) else folder


def _group(files: list[NamedFile]) -> NameGroup:
    first = files[0]
    counts = Counter(each.modality for each in files)
    name, rank = (first.taxon.scientific_name, first.taxon.rank) if first.taxon else (None, None)
    examples = tuple(PurePosixPath(each.file).name for each in files[:_EXAMPLES])
    return NameGroup(
        first.where, name, rank, first.found, counts[Modality.AUDIO], counts[Modality.IMAGE], examples
    )
