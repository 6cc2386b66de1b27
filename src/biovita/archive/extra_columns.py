"""Columns of a user's own beside an archive's recordings and photographs, from any table that names their files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.archive.archive import MEDIA_TABLES, Archive
from biovita.csv_table import open_csv, sound_rows
from biovita.dataset.dataset import write_table
from biovita.errors import DatasetError
from biovita.files import open_regular, require_file

__all__ = ["AddedColumns", "add_columns", "extra_columns"]

_FILE = "columns.parquet"
_KEY = "media_id"
_PATHS = ("path", "file", "filename", "file_name", "file name")
_NAME = re.compile(r"[^\W\d]\w*")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class AddedColumns:
    """What a table gave: its columns, how many media they are of, and the rows whose file no medium has."""

    columns: tuple[str, ...]
    media: int
    unknown: tuple[str, ...]


def extra_columns(archive: Archive) -> pa.Table:
    """Return the columns that were added to an archive's media: ``media_id``, and each column by its name.

    Raises
    ------
    DatasetError
        Where their file is damaged.
    """
    file = archive.path / _FILE
    if not file.is_file():
        return pa.table({_KEY: pa.array([], pa.string())})
    try:
        with open_regular(file) as raw:
            table = pq.read_table(raw)
        return table.set_column(table.schema.get_field_index(_KEY), _KEY, table[_KEY].cast(pa.string()))
    except (pa.ArrowException, OSError, LookupError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {error}. Remove it, and add the columns again") from error


def add_columns(archive: Archive, file: Path) -> AddedColumns:
    """Add the columns of a table to an archive's media; a column that is there gets the values that are named now.

    A row is of the medium whose path, or whose end of it, it names. A column whose values all are numbers, or ``true``
    and ``false``, is of that type; all others are text.

    Raises
    ------
    DatasetError
        Where the file is no table, has no column that names files, names none of the archive, or has a column whose
        name cannot be one.
    """
    require_file(file, "Give a table with a column path")
    header = open_csv(file, ()).ignored
    path = next((name for name in header if name.lower() in _PATHS), None)
    if path is None:
        raise DatasetError(f"{file} names no files: it has no column path. Its columns are {', '.join(header)}")
    names = [name for name in header if name != path]
    _require_names(file, names, archive)
    found: dict[str, dict[str, str | None]] = {}
    unknown: list[str] = []
    media_of = _by_path(archive)
    for row in sound_rows(open_csv(file, (path, *names))):
        stated = row.values.get(path)
        media = () if stated is None else media_of(stated)
        if not media:
            unknown.append(stated or f"line {row.line}")
        for medium in media:
            found[medium] = {name: row.values.get(name) for name in names}
    if not found:
        raise DatasetError(f"{file} names no file of the archive, the first is {(unknown or ['none'])[0]!r}")
    table = pa.table({_KEY: pa.array(found, pa.string())})
    for name in names:
        table = table.append_column(name, _typed([values[name] for values in found.values()]))
    write_table(_joined(extra_columns(archive), table), archive.path / _FILE)
    return AddedColumns(tuple(names), len(found), tuple(unknown))


def _require_names(file: Path, names: Sequence[str], archive: Archive) -> None:
    own = {name for table in MEDIA_TABLES.values() for name in archive.table(table).column_names}
    for name in names:
        if name.lower() in own | {_KEY, "site", "recorder", "modality"}:
            raise DatasetError(f"{file}: the archive has a column {name} of its own. Give the column another name")
        if not _NAME.fullmatch(name):
            raise DatasetError(
                f"{file}: {name!r} cannot be the name of a column. Use letters, digits and _, a letter first"
            )
    if not names:
        raise DatasetError(f"{file} has no column beside its paths")


def _by_path(archive: Archive) -> Callable[[str], tuple[str, ...]]:
    """Return what finds media by the path of their file, or the end of it where that is of one file alone."""
    whole: dict[str, list[str]] = defaultdict(list)
    by_name: dict[str, set[str]] = defaultdict(set)
    for name in MEDIA_TABLES.values():
        table = archive.table(name)
        for medium, path in zip(table["id"].to_pylist(), table["path"].to_pylist(), strict=True):
            plain = path.replace("\\", "/")
            whole[plain].append(medium)
            by_name[PurePosixPath(plain).name].add(plain)

    def find(stated: str) -> tuple[str, ...]:
        asked = stated.replace("\\", "/").removeprefix("./")
        if asked in whole:
            return tuple(whole[asked])
        ending = [path for path in by_name[PurePosixPath(asked).name] if path.endswith("/" + asked)]
        return tuple(whole[ending[0]]) if len(ending) == 1 else ()

    return find


def _typed(values: Sequence[str | None]) -> pa.Array:
    """Return a column in the narrowest of integers, numbers, booleans and text that holds all values as they are."""
    stated = [value for value in values if value is not None]
    texts = pa.array(values, pa.string())
    if stated and all(value.lower() in _BOOLEANS for value in stated):
        return pa.array([None if value is None else _BOOLEANS[value.lower()] for value in values])
    for kind in (pa.int64(), pa.float64()):
        if stated and not any(value[0] == "0" and value[1:2].isdigit() for value in stated):  # 007 is no number
            try:
                return texts.cast(kind)
            except pa.ArrowInvalid:
                continue
    return texts


def _joined(before: pa.Table, now: pa.Table) -> pa.Table:
    ids = pc.unique(pa.chunked_array([*before[_KEY].chunks, *now[_KEY].chunks], pa.string()))
    columns: dict[str, Any] = {_KEY: ids}
    for table in (now, before):
        at = pc.index_in(ids, value_set=table[_KEY].combine_chunks())
        for name in table.column_names:
            if name == _KEY:
                continue
            values = table[name].combine_chunks().take(at)
            if name not in columns:
                columns[name] = values
            elif columns[name].type == values.type:
                columns[name] = pc.coalesce(columns[name], values)
            else:
                columns[name] = pc.coalesce(columns[name].cast(pa.string()), values.cast(pa.string()))
    return pa.table(columns)
