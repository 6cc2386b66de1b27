"""What a folder says of the media in it: the rows of its tables, or without any what its names say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biovita.csv_table import CsvTable
from biovita.errors import DatasetError
from biovita.media.files_below import files_below
from biovita.modality import MEDIA, Modality
from biovita.sources.column_choice import chosen_columns, header_of, likely_columns
from biovita.sources.folder_tables import TableNotes, folder_tables
from biovita.sources.media_row import TABLES, MediaRow, media_rows, open_media_table
from biovita.sources.named_media import NamedMedia, NameGroup, named_media, named_rows
from biovita.sources.source import RejectedRow
from biovita.suggestion import quoted
from biovita.values import kind_by_ending

__all__ = ["NOUNS", "FolderRows", "read_folder", "read_names"]

NOUNS: Mapping[Modality, str] = {Modality.AUDIO: "recording", Modality.IMAGE: "photograph"}
_REQUIRED = ("file", "scientific_name")
_TABLES = (".csv", ".tsv", ".xlsx")
_WITHOUT = {  # what can be done with one modality alone
    Modality.AUDIO: "starter/stage1 trains on them and their names, and a benchmark asks A2T and T2A",
    Modality.IMAGE: "starter/stage1 --set weights.atc=0 weights.itc=1 trains on them and their names, and a benchmark "
    "asks I2T and T2I",
}


@dataclass(frozen=True)
class FolderRows:
    """What a folder says of its media.

    Attributes
    ----------
    rows
        By modality, in the order of its table or of the paths.
    places
        What is said to be the place of a modality's rows: the path of its table, or the folder.
    columns
        From fields to the columns that were asked for.
    ignored, skipped
        Columns that were not read, as ``table: column``, and how many rows of empty cells there are.
    names
        What the names of folders and files say; None where there are tables.
    """

    rows: Mapping[Modality, Sequence[MediaRow | RejectedRow]]
    places: Mapping[Modality, Path]
    columns: Mapping[str, str]
    notes: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    skipped: int = 0
    names: NamedMedia | None = None


def read_folder(
    src: Path, columns: Mapping[str, str], understood: Callable[[tuple[NameGroup, ...]], None] | None = None
) -> FolderRows:
    """Return the rows of a folder's tables; where it has none, one for each recording and photograph.

    Parameters
    ----------
    columns
        From fields to columns, as people say it.
    understood
        Called with what the names say, where they are what counts.

    Raises
    ------
    DatasetError
        Where the folder is missing, a table cannot be read, or neither tables nor names say what anything in it is.
    """
    if not src.is_dir():
        what = "is not a folder" if src.exists() else "does not exist"
        raise DatasetError(f"{src} {what}. Give the folder that has the recordings and photographs")
    files = folder_tables(src)
    if files:
        return _of_tables(src, files, columns)
    names = read_names(src, [f"--column {name}={column}" for name, column in columns.items()])
    if understood is not None:
        understood(names.groups())
    if not any(each.taxon for each in names.files):
        raise DatasetError(_nothing_named(names))
    rows = {modality: list(named_rows(names, modality)) for modality in TABLES}
    notes = (*names.notes(), *_not_read(src), *_one_alone(src, rows))
    return FolderRows(rows, dict.fromkeys(TABLES, src), {}, notes, names=names)


def read_names(src: Path, options: Sequence[str] = ()) -> NamedMedia:
    """Return what the names below a folder without tables say.

    Parameters
    ----------
    options
        That were given and are of tables alone.

    Raises
    ------
    DatasetError
        Where a table of another name looks as if it were meant, options are of tables, or there are no media.
    """
    for file in _other_tables(src):
        found = likely_columns(_columns_of(file))
        if len(found) == len(_REQUIRED):
            asked = _column_options({field: column for field, column in found.items() if field != column})
            raise DatasetError(
                f"{src} has no audio.csv and no images.csv. {file.name} may be meant: its column {found['file']!r} "
                f"looks like the file, and {found['scientific_name']!r} like the scientific name. If so, rename it to "
                f"audio{file.suffix} or images{file.suffix}{asked and f', and give {asked}'}. To go by the names of "
                "folders and files, let --write-csv write the tables from them"
            )
    if options:
        raise DatasetError(f"{options[0]}: {src} has no audio.csv and no images.csv, so there are no columns")
    names = named_media(src)
    if not names.files:
        held = ", ".join(f"{ending} {number:,}" for ending, number in names.others.most_common(10))
        what = f"has none of either: {names.others.total():,} other files ({held})" if held else "is empty"
        raise DatasetError(
            f"{src} {what}. Give a folder that has recordings or photographs in it: in folders named after taxa, or "
            "with audio.csv and images.csv, which name them"
        )
    return names


def _of_tables(src: Path, files: Mapping[Modality, Path], columns: Mapping[str, str]) -> FolderRows:
    wanted = [name for pair in columns.items() for name in pair]
    headers = {file.name: header_of(file, [*_REQUIRED, *wanted]) for file in files.values()}
    chosen, swapped = chosen_columns(columns, headers)
    tables = {modality: _opened(file, chosen, headers[file.name]) for modality, file in files.items()}
    spans = tables.get(Modality.AUDIO)
    if spans is not None and "end_s" in spans.columns and "begin_s" not in spans.columns:
        raise DatasetError(
            f"{spans.path}, line 1: there is a column end_s, and no column begin_s for where the span begins in the "
            "file. If start_s says that, give --column begin_s=start_s"
        )
    rows = {modality: list(media_rows(modality, table)) for modality, table in tables.items()}
    for modality, table in tables.items():
        if not rows[modality]:
            raise DatasetError(f"{table.path} has no rows, so it names no {NOUNS[modality]}. Fill or remove it")
    notes = [*swapped, *(line for modality, table in tables.items() for line in _lines(table, rows[modality]))]
    ignored = tuple(f"{table.path.name}: {name}" for table in tables.values() for name in table.ignored)
    return FolderRows(
        rows,
        {modality: table.path for modality, table in tables.items()},
        chosen,
        (*notes, *_one_alone(src, rows)),
        ignored,
        sum(table.skipped for table in tables.values()),
    )


def _opened(file: Path, chosen: Mapping[str, str], header: Sequence[str]) -> CsvTable:
    """Return a table; where it lacks a column, the error says which of its columns may be meant."""
    found = {field for field in _REQUIRED if field in header or chosen.get(field) in header}
    likely = likely_columns(header, [field for field in _REQUIRED if field not in found])
    if likely:
        lacks = " and no ".join(f"column {field!r}" for field in _REQUIRED if field not in found)
        raise DatasetError(
            f"{file}: there is no {lacks}. Columns: {', '.join(header)[:1000]}. If these are meant, give "
            + _column_options(likely)
        )
    return open_media_table(file, chosen)


def _column_options(columns: Mapping[str, str]) -> str:
    pairs = " ".join(quoted(f"{field}={column}") for field, column in columns.items())
    return f"--column {pairs}" if pairs else ""


def _lines(table: CsvTable, rows: Sequence[MediaRow | RejectedRow]) -> list[str]:
    notes = TableNotes(table)
    for row in rows:
        notes.add(row)
    return notes.lines()


def _one_alone(src: Path, rows: Mapping[Modality, Sequence[object]]) -> list[str]:
    """Return what is to be said where there are recordings alone, or photographs alone."""
    there = [modality for modality in MEDIA if rows.get(modality)]
    if len(there) != 1:
        return []
    (only,) = there
    other = next(modality for modality in MEDIA if modality != only)
    lying = sum(kind_by_ending(path.name) == other for path in files_below(src, {})) if other not in rows else 0
    unlisted = (
        f" {lying:,} {NOUNS[other]}s lie in {src}, and no {TABLES[other]} names them: --write-csv writes it."
        if lying
        else ""
    )
    return [f"the dataset has {NOUNS[only]}s alone, without {NOUNS[other]}s.{unlisted} {_WITHOUT[only]}"]


def _other_tables(src: Path) -> list[Path]:
    return sorted(path for path in src.iterdir() if path.suffix.lower() in _TABLES and path.is_file())


def _columns_of(file: Path) -> tuple[str, ...]:
    """Return the columns of a table; nothing where it cannot be read as one."""
    try:
        return header_of(file)
    except DatasetError:
        return ()


def _not_read(src: Path) -> list[str]:
    return [f"{file.name} was not read: no column of it looks like a file" for file in _other_tables(src)]


def _nothing_named(names: NamedMedia) -> str:
    counts = " and ".join(
        f"{number:,} {NOUNS[modality]}{'' if number == 1 else 's'}"
        for modality in MEDIA
        if (number := sum(each.modality == modality for each in names.files))
    )
    first = names.files[0]
    return (
        f"{names.root} has no audio.csv and no images.csv, and {counts} whose names name no taxon. The first is "
        f"{first.file}: {first.found}. Name their folders after taxa (Parus major, Great Tit), or let --write-csv "
        "write the tables, and fill in their scientific names"
    )
