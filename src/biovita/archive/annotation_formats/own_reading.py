"""Annotations as `biovita.archive.annotation_formats.own_tables` writes them, read back with all that they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.annotation_formats.annotation_rows import AnnotationsRead
from biovita.archive.annotation_formats.own_tables import BOX, COLUMNS
from biovita.archive.archive_tables import ANNOTATIONS, By, Kind, Presence
from biovita.csv_records import BrokenRow
from biovita.csv_table import open_csv
from biovita.errors import DatasetError
from biovita.foreign_tables import Held
from biovita.jsonfile import read_json
from biovita.modality import MEDIA
from biovita.parquet import read_as_it_is
from biovita.taxonomy.taxon import RANKS
from biovita.values import number

__all__ = ["is_own_csv", "read_own_csv", "read_own_json", "read_own_parquet"]

_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "modality": tuple(MEDIA),
    "kind": tuple(Kind),
    "presence": tuple(Presence),
    "by_kind": tuple(By),
    "rank": tuple(RANKS),
}
_ROW_BYTES = 3000
_FORM = "not-as-described"
_MARKS = ("media_id", "modality", "presence")  # columns that no table of others has together


class _NotTypedError(ValueError):
    """A value is not of the type of its column."""


def is_own_csv(path: Path) -> bool:
    """Return whether a CSV is one of ours, by its header.

    Raises
    ------
    DatasetError
        Where it is no table in UTF-8.
    """
    return set(_MARKS) <= set(open_csv(path, _MARKS).columns)


def read_own_csv(path: Path) -> AnnotationsRead:
    """Return the annotations of a CSV that `write_annotations_csv` wrote.

    Raises
    ------
    DatasetError
        Where columns are missing, or the rows take more memory than may be used.
    """
    names = [part for name in COLUMNS for part in (BOX if name == "box" else (name,))]
    rows = open_csv(path, names, names)
    return _gathered(
        (row if isinstance(row, BrokenRow) else (row.line, _with_box(row.values)) for row in rows), path
    )


def read_own_json(path: Path) -> AnnotationsRead:
    """Return the annotations of a JSON file that `write_annotations_json` wrote.

    Raises
    ------
    DatasetError
        Where it is no JSON array, or larger than the limit ``answer``. Parquet has no such limit.
    """
    content = read_json(path, DatasetError)
    if not isinstance(content, list):
        raise DatasetError(f"{path}: is not an array of annotations")
    rows = enumerate(content, 1)
    return _gathered(
        (row if isinstance(row[1], dict) else BrokenRow(row[0], _FORM, "is no object") for row in rows), path
    )


def read_own_parquet(path: Path) -> AnnotationsRead:
    """Return the annotations of a Parquet file that has the columns of `ANNOTATIONS`.

    Raises
    ------
    DatasetError
        Where columns are missing, or hold what they must not.
    """
    table = read_as_it_is(path, ANNOTATIONS.names)
    try:
        table = table.cast(ANNOTATIONS)
        table.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        raise DatasetError(f"{path} is not in the expected form: {str(error)[:300]}") from error
    for name, known in _ONE_OF.items():
        for value in pc.unique(table[name]).to_pylist():
            if value is not None and value not in known:
                raise DatasetError(f"{path}: {value[:100]!r} in {name} is none of {', '.join(known)}")
    for field in ANNOTATIONS:
        if not field.nullable and table[field.name].null_count:
            raise DatasetError(f"{path}: {table[field.name].null_count} rows have no {field.name}")
    return AnnotationsRead(table)


def _gathered(rows: Iterable[BrokenRow | tuple[int, Mapping[str, Any]]], path: Path) -> AnnotationsRead:
    held, rejected = Held(str(path)), []
    columns: dict[str, list[Any]] = {name: [] for name in ANNOTATIONS.names}
    for row in rows:
        held.add(_ROW_BYTES)
        if isinstance(row, BrokenRow):
            rejected.append(row)
            continue
        line, given = row
        try:
            values = [_typed(field, given.get(field.name)) for field in ANNOTATIONS]
        except _NotTypedError as error:
            rejected.append(BrokenRow(line, _FORM, str(error)))
            continue
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    return AnnotationsRead(pa.table(columns, schema=ANNOTATIONS), tuple(rejected))


def _with_box(cells: Mapping[str, str | None]) -> dict[str, Any]:
    box = [cells[name] for name in BOX]
    return {**cells, "box": None if None in box else box, "label": cells["label"] or ""}


def _typed(field: pa.Field, value: object) -> Any:
    """Return a value as its column has it, from a text or from what JSON knows."""
    if value is None:
        if not field.nullable:
            raise _NotTypedError(f"{field.name} is empty")
        return None
    kind, found = field.type, cast(Any, None)
    if pa.types.is_string(kind):
        found = value if isinstance(value, str) and value in _ONE_OF.get(field.name, (value,)) else None
    elif pa.types.is_timestamp(kind):
        found = _moment(value, zoned=kind.tz is not None)
    elif pa.types.is_fixed_size_list(kind):
        parts = [number(part) for part in value] if isinstance(value, list) else []
        found = parts if len(parts) == 4 and None not in parts else None
    else:
        found = number(value)
        if pa.types.is_integer(kind) and found is not None:
            bounds = -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1
            found = int(found) if found == int(found) and bounds[0] <= found <= bounds[1] else None
    if found is None:
        raise _NotTypedError(f"{field.name} is {str(value)[:100]!r}, which is no {_called(field)}")
    return found


def _called(field: pa.Field) -> str:
    if field.name in _ONE_OF:
        return " or ".join(_ONE_OF[field.name])
    if pa.types.is_timestamp(field.type):
        return "date and time of ISO 8601" + (" with a zone" if field.type.tz else "")
    return {"string": "text", "fixed_size_list<item: double>[4]": "box of four numbers"}.get(
        str(field.type), "number"
    )


def _moment(value: object, *, zoned: bool) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or (moment.tzinfo is not None) != zoned:
        return None
    return moment.astimezone(UTC) if zoned else moment
