"""What annotations are of: the recordings, photographs and deployments of an archive, and each annotation's file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import DEPLOYMENTS, PHOTOGRAPHS, RECORDINGS
from biovita.modality import Modality

__all__ = ["AnnotatedFiles", "MediaTables", "annotated_files", "shared_folder"]


@dataclass(frozen=True, eq=False)
class MediaTables:
    """The tables of an archive that say of what its annotations are.

    Attributes
    ----------
    recordings, photographs, deployments
        As `RECORDINGS`, `PHOTOGRAPHS` and `DEPLOYMENTS` have them.
    """

    recordings: pa.Table = field(default_factory=RECORDINGS.empty_table)
    photographs: pa.Table = field(default_factory=PHOTOGRAPHS.empty_table)
    deployments: pa.Table = field(default_factory=DEPLOYMENTS.empty_table)


@dataclass(frozen=True, eq=False)
class AnnotatedFiles:
    """Annotations in the order of their files, those of a file in the order of their begin.

    Attributes
    ----------
    annotations
        Paths are absolute where the file is known. Those of unknown files come last.
    rows
        ``(annotations,)`` int64: the row of ``files``; its length where the file is unknown.
    files
        One row a file, in the order of the archive.
    deployments
        As `DEPLOYMENTS`.
    """

    annotations: pa.Table
    rows: np.ndarray
    files: pa.Table
    deployments: pa.Table

    def where(self, mask: np.ndarray) -> AnnotatedFiles:
        """Return the annotations that ``(annotations,)`` bool has, with all files."""
        return AnnotatedFiles(
            self.annotations.filter(pa.array(mask)), self.rows[mask], self.files, self.deployments
        )

    def of_file(self, row: int) -> AnnotatedFiles:
        """Return the annotations of one file, as if there were no other."""
        begin, end = np.searchsorted(self.rows, [row, row + 1])
        annotations, rows = self.annotations.slice(begin, end - begin), np.zeros(end - begin, np.int64)
        return AnnotatedFiles(annotations, rows, self.files.slice(row, 1), self.deployments)

    def column(self, name: str) -> pa.Array:
        """Return a column of the files for each annotation; none where the file is unknown."""
        known = pa.array(self.rows, mask=self.rows == len(self.files))
        return self.files[name].combine_chunks().take(known)


def annotated_files(annotations: pa.Table, media: MediaTables, modalities: Sequence[Modality]) -> AnnotatedFiles:
    """Return annotations in the order of their files.

    Rows of the media of one path are one file. The file of an annotation is known by its ``media_id``, or by its
    ``path``; one of a photograph that has no box gets that of its row.

    Parameters
    ----------
    annotations
        As `ANNOTATIONS`; those of other modalities must not be among them.
    modalities
        Of the files. Those of one modality have its columns, those of both the columns that both have, and
        ``modality``.
    """
    if Modality.IMAGE in modalities:
        annotations = _with_boxes(annotations, media.photographs)
    parts = {Modality.AUDIO: media.recordings, Modality.IMAGE: media.photographs}
    tables = [
        parts[each].append_column("modality", pa.repeat(each.value, len(parts[each]))) for each in modalities
    ]
    if len(tables) == 1:
        return _in_order(annotations, tables[0], media.deployments)
    shared = [name for name in tables[0].column_names if name in tables[1].column_names]
    return _in_order(annotations, pa.concat_tables([each.select(shared) for each in tables]), media.deployments)


def _in_order(annotations: pa.Table, media: pa.Table, deployments: pa.Table) -> AnnotatedFiles:
    given = media["path"].combine_chunks().dictionary_encode()
    codes = np.asarray(given.indices)
    firsts = np.unique(codes, return_index=True)[1]
    files = media.take(pa.array(firsts, pa.int64()))
    rows = _file_rows(annotations, media, given.dictionary, codes)
    places = pa.array(_absolute(files), pa.string())
    at = files.schema.get_field_index("path")
    files = files.set_column(at, files.schema.field(at), places)
    known = places.take(pa.array(rows, mask=rows == len(files)))
    at = annotations.schema.get_field_index("path")
    paths = pc.coalesce(known, annotations["path"].combine_chunks())
    annotations = annotations.set_column(at, annotations.schema.field(at), paths)
    keys = {"row": pa.array(rows), "path": pc.fill_null(paths, "")}
    keys |= {name: pc.fill_null(annotations[name], -1.0) for name in ("start_s", "end_s")}
    keys |= {name: pc.fill_null(annotations[name], "") for name in ("scientific_name", "label", "id")}
    order = pc.sort_indices(pa.table(keys), [(name, "ascending") for name in keys])
    return AnnotatedFiles(annotations.take(order), rows[np.asarray(order)], files, deployments)


def _with_boxes(annotations: pa.Table, photographs: pa.Table) -> pa.Table:
    own, rows = annotations["box"].combine_chunks(), photographs["id"].combine_chunks()
    at = pc.index_in(annotations["media_id"].combine_chunks(), rows, skip_nulls=True)
    boxes = pc.if_else(pc.is_valid(own), own, photographs["box"].combine_chunks().take(at))
    place = annotations.schema.get_field_index("box")
    return annotations.set_column(place, annotations.schema.field(place), boxes)


def _file_rows(annotations: pa.Table, media: pa.Table, paths: pa.Array, codes: np.ndarray) -> np.ndarray:
    by_id = pc.index_in(annotations["media_id"], media["id"].combine_chunks()).fill_null(-1).to_numpy()
    by_path = pc.index_in(annotations["path"], paths).fill_null(-1).to_numpy()
    rows = np.where(by_id >= 0, codes[by_id] if len(codes) else -1, by_path).astype(np.int64)
    return np.where(rows < 0, len(paths), rows)


def _absolute(files: pa.Table) -> list[str]:
    """Return the paths of files, those within a dataset with its directory in front."""
    pairs = zip(files["path"].to_pylist(), files["dataset"].to_pylist(), strict=True)
    return [path if dataset is None else str(Path(dataset, path)) for path, dataset in pairs]


def shared_folder(paths: Sequence[str]) -> str | None:
    """Return the folder that all of these files lie in; None where there is none, as on two drives of Windows.

    Examples
    --------
    >>> shared_folder(["/a/b/c/x.wav", "/a/b/y.wav"])
    '/a/b'
    """
    folders: Any = {os.path.dirname(path) for path in paths}  # noqa: PTH120
    try:
        return os.path.commonpath(folders) if folders else None
    except ValueError:
        return None
