"""The tables of a folder of media, written from what the names of its folders and files say, to be edited."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biovita.csv_safe import write_rows
from biovita.errors import DatasetError
from biovita.files import write_whole
from biovita.modality import Modality
from biovita.one_line import OneLine
from biovita.sources.file_statements import from_files
from biovita.sources.folder_tables import folder_tables
from biovita.sources.media_row import TABLES, MediaRow
from biovita.sources.named_media import NamedMedia, name_values, named_media, named_rows
from biovita.taxonomy import RANKS

__all__ = ["WrittenTables", "write_folder_tables"]

_COLUMNS = (
    *("file", "scientific_name", "common_name", *(rank.value for rank in RANKS[:-1]), "source", "source_id"),
    *("recorded_at", "latitude", "longitude", "named_by"),
)


@dataclass(frozen=True, repr=False)
class WrittenTables(OneLine):
    """The tables that were written, and what the names say.

    Attributes
    ----------
    tables
        Rows by the table's path.
    unnamed
        How many of the rows have no name yet.
    """

    tables: Mapping[Path, int]
    unnamed: int
    names: NamedMedia


def write_folder_tables(src: str | Path, *, workers: int | None = None, progress: bool = True) -> WrittenTables:
    """Write ``audio.csv`` and ``images.csv`` into a folder, from the names of its folders and files.

    Each recording and photograph below the folder has a row. What the names say of no taxon has an empty
    ``scientific_name``; the column ``named_by``, which an import does not read, says how each name was found, or why
    none was. What the files say of their time and place is filled in. A table that is there already is left as it is,
    and only the other one is written.

    Parameters
    ----------
    src
        The folder.
    workers
        Threads that read headers; None is one a core, at most 16.
    progress
        Show a bar on standard error where that is a terminal.

    Raises
    ------
    DatasetError
        Where the folder is missing, has both tables or no media, or cannot be written to.
    """
    src = Path(src)
    if not src.is_dir():
        raise DatasetError(f"{src} is not a folder. Give the folder that has recordings or photographs in it")
    there = folder_tables(src)
    media = named_media(src)
    wanted = [
        modality
        for modality in TABLES
        if modality not in there and any(each.modality == modality for each in media.files)
    ]
    if not wanted:
        if there:
            kept = " and ".join(file.name for file in there.values())
            raise DatasetError(f"{src} has {kept} already, and no other media. Nothing is written over")
        raise DatasetError(f"{src} has no recordings or photographs, by the endings of their names")
    written, unnamed = {}, 0
    for modality in wanted:
        path = src / TABLES[modality]
        if path.is_symlink():
            raise DatasetError(f"{path} is a link that leads nowhere. Remove it: nothing is written over")
        rows = _rows(media, modality, workers=workers, progress=progress)
        text = io.StringIO()
        write_rows(text, _COLUMNS, rows)
        try:
            write_whole(path, text.getvalue())
        except OSError as error:
            raise DatasetError(f"{path} cannot be written: {error.strerror}") from None
        written[path] = len(rows)
        unnamed += sum(row["scientific_name"] is None for row in rows)
    return WrittenTables(written, unnamed, media)


def _rows(
    media: NamedMedia, modality: Modality, *, workers: int | None, progress: bool
) -> list[dict[str, object]]:
    usable = [row for row in named_rows(media, modality) if isinstance(row, MediaRow)]
    said = {row.file: row for row in from_files(usable, workers=workers, progress=progress).rows}
    rows: list[dict[str, object]] = []
    for each in media.files:
        if each.modality != modality or each.reason == "bad-name":
            continue
        by = each.found if each.taxon is None else f"{each.found} in {each.where}"
        row: dict[str, object] = {**name_values(each), "named_by": by}
        if (filled := said.get(each.file)) is not None:
            row |= {name: getattr(filled, name) for name in ("recorded_at", "latitude", "longitude")}
        rows.append(row)
    return rows
