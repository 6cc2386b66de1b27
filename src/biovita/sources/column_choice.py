"""Which column of a table holds which field, as people say it, and as the columns' own names suggest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from biovita.csv_table import open_csv
from biovita.errors import DatasetError, unknown_name
from biovita.sources.media_row import FIELDS

__all__ = ["chosen_columns", "header_of", "likely_columns"]

# Without case and signs, the surest first.
_LIKELY: Mapping[str, tuple[str, ...]] = {
    "file": (
        *("file", "filename", "filepath", "path", "relativepath", "audiopath", "audiofile", "audio", "imagepath"),
        *("imagefile", "image", "wavfile", "wav", "recording", "photo", "filenames"),
    ),
    "scientific_name": (
        *("scientificname", "species", "speciesname", "latinname", "sciname", "binomial", "taxon", "taxonname"),
        *("acceptedscientificname", "latin", "name", "label", "primarylabel"),
    ),
}
_SIGNS = re.compile(r"[^a-z0-9]+")
_SHOWN = 30  # columns


def header_of(file: Path, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the names of a table's columns; ``wanted`` tell which line they are in, as `open_csv` takes them."""
    return open_csv(file, (), wanted=wanted).layout.header


def chosen_columns(
    given: Mapping[str, str], headers: Mapping[str, Sequence[str]]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return from fields to the columns that hold them, and what was taken in another way than it was given.

    Where a column stands before a field (``species=scientific_name``), and a table has that column, they change places.

    Parameters
    ----------
    given
        From fields to columns.
    headers
        The columns of each table, by its name.

    Raises
    ------
    DatasetError
        Where there is no such field, or no table has the column; the message names the nearest.
    """
    known = [name for header in headers.values() for name in header]
    chosen: dict[str, str] = {}
    notes = []
    for name, column in given.items():
        field, holds = name, column
        if name not in FIELDS and column in FIELDS and name in known:
            field, holds = column, name
            notes.append(f"--column {name}={column} was read as --column {field}={holds}: the field stands first")
        if field not in FIELDS:
            raise DatasetError(f"--column {name}={column}: {_no_field(name, column, known)}")
        if field in chosen:
            raise DatasetError(f"--column {name}={column}: {field} was already given the column {chosen[field]}")
        if holds not in known:
            raise DatasetError(f"--column {name}={column}: {_no_column(holds, headers)}")
        chosen[field] = holds
    return chosen, tuple(notes)


def likely_columns(header: Sequence[str], fields: Sequence[str] = tuple(_LIKELY)) -> dict[str, str]:
    """Return the columns whose names suggest that they hold a field; a field that none suggests is absent.

    Examples
    --------
    >>> likely_columns(["File name", "Species", "notes"])
    {'file': 'File name', 'scientific_name': 'Species'}
    """
    plain = {_SIGNS.sub("", name.lower()): name for name in reversed(header)}
    found = {}
    for field in fields:
        at = next((name for name in _LIKELY.get(field, ()) if name in plain), None)
        if at is not None:
            found[field] = plain[at]
    return found


def _no_field(name: str, column: str, known: Sequence[str]) -> str:
    if column in FIELDS and not get_close_matches(name, FIELDS, n=1):
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean {column}={near[0]}?" if near else ""
        return f"the field stands first, and no table has a column {name!r}.{hint}"
    return unknown_name("field", name, FIELDS)


def _no_column(column: str, headers: Mapping[str, Sequence[str]]) -> str:
    near = get_close_matches(column, [name for header in headers.values() for name in header], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = "; ".join(f"{table}: {', '.join(header[:_SHOWN])}" for table, header in headers.items())
    which = f"{next(iter(headers))} has no" if len(headers) == 1 else "neither table has a"
    return f"{which} column {column!r}.{hint} Columns of {listed}"
