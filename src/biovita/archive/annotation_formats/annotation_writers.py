"""Annotations written in the formats of others: one table of writers, and one way to call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.aoef import write_aoef
from biovita.archive.annotation_formats.audacity import write_audacity
from biovita.archive.annotation_formats.camtrap_dp import write_camtrap_dp
from biovita.archive.annotation_formats.darwin_core_export import write_darwin_core
from biovita.archive.annotation_formats.kaleidoscope import write_kaleidoscope
from biovita.archive.annotation_formats.not_written import Kept, LeftUnwritten, by_path, kept_and_not
from biovita.archive.annotation_formats.own_tables import (
    write_annotations_csv,
    write_annotations_json,
    write_annotations_parquet,
)
from biovita.archive.annotation_formats.raven import write_raven
from biovita.archive.archive_tables import ANNOTATIONS, Presence
from biovita.archive.media_tables import AnnotatedFiles, MediaTables, annotated_files, shared_folder
from biovita.errors import DatasetError, unknown_name
from biovita.filenames import FileNames, contained, file_name
from biovita.files import make_directory, new_directory, replacing
from biovita.modality import Modality

__all__ = ["WRITERS", "Writer", "WrittenAnnotations", "write_annotations"]


@dataclass(frozen=True)
class Writer:
    """How annotations are written in one format.

    Attributes
    ----------
    about
        What it is, in a line.
    combined
        Name of the one file with all.
    each
        What the name of a recording's own file ends with; None where the format is never one file a recording.
    modalities
        What the format may be about.
    absences
        Whether it can say that a taxon is absent.
    write
        Writes one file.
    """

    about: str
    combined: str
    each: str | None
    write: Callable[[AnnotatedFiles, Path], Kept]
    modalities: tuple[Modality, ...] = (Modality.AUDIO,)
    absences: bool = False


_BOTH = (Modality.AUDIO, Modality.IMAGE)
_PHOTOGRAPHS = "photographs"
WRITERS: Mapping[str, Writer] = {
    "csv": Writer(
        *("all columns, for spreadsheets, R and pandas", "annotations.csv", ".annotations.csv"),
        *(write_annotations_csv, _BOTH, True),
    ),
    "parquet": Writer(
        *("all columns with their types, for many rows", "annotations.parquet", ".annotations.parquet"),
        *(write_annotations_parquet, _BOTH, True),
    ),
    "json": Writer(
        *("all columns, as one array of objects", "annotations.json", ".annotations.json"),
        *(write_annotations_json, _BOTH, True),
    ),
    "raven": Writer(
        *("selection table of Raven", "annotations.selections.txt", ".Table.1.selections.txt", write_raven),
    ),
    "audacity": Writer(
        *("label track of Audacity", "annotations.labels.txt", ".labels.txt", write_audacity),
    ),
    "kaleidoscope": Writer(
        *("table of Kaleidoscope", "annotations.kaleidoscope.csv", ".kaleidoscope.csv", write_kaleidoscope),
    ),
    "aoef": Writer(
        *("AOEF 1.1.0, for Whombat and soundevent", "annotations.aoef.json", ".aoef.json", write_aoef),
    ),
    "camtrap-dp": Writer(
        *("Camtrap DP 1.0.2, of photographs", "camtrap-dp.zip", None, write_camtrap_dp, (Modality.IMAGE,)),
    ),
    "darwin-core": Writer(
        *("Darwin Core archive, for GBIF", "darwin-core.zip", None, write_darwin_core, _BOTH, True),
    ),
}
"""From the name of a format to how it is written."""


@dataclass(frozen=True)
class WrittenAnnotations:
    """What `write_annotations` wrote.

    Attributes
    ----------
    files
        In the order of the formats; a format that is split has one a recording.
    not_written
        By format, what it cannot hold.
    replaced
        By format, the names and paths in which a tab, an end of line or the like became a space.
    """

    files: tuple[Path, ...]
    not_written: Mapping[str, tuple[LeftUnwritten, ...]]
    replaced: Mapping[str, int]


def write_annotations(
    annotations: pa.Table,
    media: MediaTables,
    out: Path,
    formats: Sequence[str],
    *,
    split: bool = False,
    overwrite: bool = False,
) -> WrittenAnnotations:
    """Write annotations in one or more formats; a table without a row gives files without a row.

    Parameters
    ----------
    annotations
        As `ANNOTATIONS`.
    media
        The archive's recordings, photographs and deployments, also those without an annotation.
    out
        Directory; each format has one file there, or, with ``split``, a directory of its name.
    formats
        Names in `WRITERS`.
    split
        Write a file for each recording, in folders as theirs, where the format has such files.
    overwrite
        Replace what is there.

    Raises
    ------
    DatasetError
        Where a format is not known, or a file is there already and is not to be replaced. Each file is written whole or
        not at all.
    """
    for name in formats:
        if name not in WRITERS:
            raise DatasetError(unknown_name("format", name, WRITERS))
    annotations = annotations.select(ANNOTATIONS.names).cast(ANNOTATIONS)
    chosen = {name: WRITERS[name] for name in formats}
    for name, writer in chosen.items():
        place = out / (name if split and writer.each else writer.combined)
        if place.exists() and not overwrite:
            raise DatasetError(f"{place} already exists. Choose another place, or give --overwrite to replace it")
    make_directory(out)
    files: list[Path] = []
    not_written: dict[str, tuple[LeftUnwritten, ...]] = {}
    replaced: dict[str, int] = {}
    for name, writer in chosen.items():
        kept = _kept(annotations, media, writer)
        if split and writer.each:
            outcomes = _split(kept.annotated, out / name, writer, files)
        else:
            outcomes = [_combined(kept.annotated, out / writer.combined, writer, files)]
        not_written[name] = (*kept.not_written, *(each for one in outcomes for each in one.not_written))
        replaced[name] = sum(one.replaced for one in outcomes)
    return WrittenAnnotations(tuple(files), not_written, replaced)


def _kept(annotations: pa.Table, media: MediaTables, writer: Writer) -> Kept:
    """Return the annotations that a format can be about, in the order of their files."""
    within = pc.is_in(annotations["modality"], pa.array(writer.modalities, pa.string())).combine_chunks()
    about = annotated_files(annotations.filter(within), media, writer.modalities)
    absent = pc.equal(about.annotations["presence"], Presence.ABSENT.value)
    kept = kept_and_not(about, absent=np.asarray(absent, bool) & (not writer.absences))
    others = annotations.filter(pc.invert(within))
    reason = "not-a-recording" if Modality.AUDIO in writer.modalities else "not-a-photograph"
    return Kept(kept.annotated, (*by_path(others, reason), *kept.not_written))


def _combined(annotated: AnnotatedFiles, place: Path, writer: Writer, files: list[Path]) -> Kept:
    with replacing(place) as scratch:
        outcome = writer.write(annotated, scratch)
    files.append(place)
    return outcome


def _split(annotated: AnnotatedFiles, out: Path, writer: Writer, files: list[Path]) -> list[Kept]:
    """Write a file for each recording, and one for all photographs where the format is of both."""
    modality = np.asarray(annotated.files["modality"].to_pylist(), object)
    names = _own_names(annotated.files["path"].to_pylist(), writer.each or "")
    recordings = np.flatnonzero(modality == Modality.AUDIO.value)
    outcomes = []
    with new_directory(out, replace=True, marker=f"**/*{writer.each}") as folder:
        for row in recordings.tolist():
            own = contained(folder, folder / names[row])
            own.parent.mkdir(parents=True, exist_ok=True)
            outcomes.append(writer.write(annotated.of_file(row), own))
            files.append(out / names[row])
        kept = kept_and_not(annotated, unknown_file=annotated.rows == len(annotated.files))
        pictures = kept.annotated.where(kept.annotated.rows >= len(recordings))
        if len(pictures.rows):
            place = f"{_PHOTOGRAPHS}{writer.each}"
            outcomes.append(writer.write(pictures, folder / place))
            files.append(out / place)
    return [Kept(kept.annotated, kept.not_written), *outcomes]


def _own_names(paths: Sequence[str], ending: str) -> list[PurePath]:
    """Return a name for the file of each recording, in folders as those that the recordings lie in."""
    shared = shared_folder(paths)
    folders = {PurePath(): FileNames()}
    folders[PurePath()].new(_PHOTOGRAPHS, suffix=ending)
    names = []
    for path in map(PurePath, paths):
        inside = path.parent.relative_to(shared).parts if shared else ()
        folder = PurePath(*map(file_name, inside))
        given = folders.setdefault(folder, FileNames())
        names.append(folder / given.new(path.stem, path.name, suffix=ending))
    return names
