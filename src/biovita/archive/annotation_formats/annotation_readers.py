"""Annotations read from the files of others: one table of readers, and one way to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from biovita.archive.annotation_formats.annotation_rows import (
    AnnotationRow,
    AnnotationsRead,
    Reading,
    as_annotations,
)
from biovita.archive.annotation_formats.aoef_reading import aoef_rows
from biovita.archive.annotation_formats.audacity import audacity_rows
from biovita.archive.annotation_formats.label_taxa import LabelTaxa, label_taxa
from biovita.archive.annotation_formats.own_reading import (
    is_own_csv,
    read_own_csv,
    read_own_json,
    read_own_parquet,
)
from biovita.archive.annotation_formats.peer_tables import peer_rows
from biovita.archive.annotation_formats.raven import raven_rows
from biovita.csv_records import BrokenRow
from biovita.errors import DatasetError, unknown_name
from biovita.files import require_file

__all__ = ["READERS", "Reader", "read_annotations"]


@dataclass(frozen=True)
class Reader:
    """How annotations are read in one format.

    Attributes
    ----------
    about
        What it is, in a line.
    endings
        Of the files of a folder that are read.
    read
        Reads one file.
    """

    about: str
    endings: tuple[str, ...]
    read: Callable[[Path, Reading], AnnotationsRead]


def _of_rows(
    rows: Callable[[Path, Reading], Iterator[AnnotationRow | BrokenRow]],
) -> Callable[[Path, Reading], AnnotationsRead]:
    return lambda path, reading: as_annotations(rows(path, reading), path, reading)


def _csv(path: Path, reading: Reading) -> AnnotationsRead:
    return read_own_csv(path) if is_own_csv(path) else as_annotations(peer_rows(path, reading), path, reading)


READERS: Mapping[str, Reader] = {
    "raven": Reader("selection table of Raven", (".txt", ".tsv"), _of_rows(raven_rows)),
    "audacity": Reader("label track of Audacity, with or without frequencies", (".txt",), _of_rows(audacity_rows)),
    "aoef": Reader(
        "AOEF of Whombat and soundevent: sets of annotations or predictions", (".json",), _of_rows(aoef_rows)
    ),
    "kaleidoscope": Reader("table of Kaleidoscope", (".csv",), _of_rows(peer_rows)),
    "csv": Reader("our own table, or one of BirdNET, BirdSet, WABAD, monitoR and the like", (".csv",), _csv),
    "parquet": Reader("our own table", (".parquet",), lambda path, _: read_own_parquet(path)),
    "json": Reader("our own table", (".json",), lambda path, _: read_own_json(path)),
}
"""From the name of a format to how it is read."""


def read_annotations(
    path: Path,
    format: str,  # noqa: A002
    *,
    label_column: str | None = None,
    media: pa.Table | None = None,
    taxa: LabelTaxa | None = None,
) -> AnnotationsRead:
    """Return the annotations of a file; what cannot be read is listed with its line and the reason.

    Parameters
    ----------
    format
        A name in `READERS`.
    label_column
        The column that holds the labels (AOEF: the key of the tag); by default the first that has one of the names that
        people use.
    media
        As `RECORDINGS`: the recordings that the annotations may be of. An annotation finds its own by the path, the end
        of the path, or the name of its file, and gets its id, absolute begin and place.
    taxa
        Gives the taxon of a label, by default `label_taxa` without codes. Our own tables hold their taxa.

    Raises
    ------
    DatasetError
        Where the format is not known, the file is not there, or is not in this format.
    """
    if format not in READERS:
        raise DatasetError(unknown_name("format", format, READERS))
    require_file(path, "Give a file of annotations")
    return READERS[format].read(path, Reading(label_column, label_taxa() if taxa is None else taxa, media))
