"""Exports of iNaturalist's website, whose columns each user chooses, and the values that follow from others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biovita.csv_table import CsvTable, open_csv
from biovita.errors import DatasetError
from biovita.odd_values import degrees
from biovita.values import text

__all__ = ["export_notes", "export_values", "open_export"]

_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
_NAMES = tuple(f"taxon_{rank}_name" for rank in ("subspecies", "variety", "form", "species", "hybrid", "genus"))
_LINEAGE = tuple(f"taxon_{rank}_name" for rank in _RANKS)
_FIELDS = (
    *(
        "id",
        "uuid",
        "scientific_name",
        "common_name",
        "iconic_taxon_name",
        "license",
        "image_url",
        "sound_url",
        "url",
    ),
    *("user_name", "user_login", "observed_on", "latitude", "longitude", "quality_grade"),
    *dict.fromkeys((*_NAMES, *_LINEAGE)),
)
_NEEDED = {
    "number of an observation": ("id", "uuid", "url"),
    "name": ("scientific_name", *_NAMES),
    "address of a photograph or sound": ("image_url", "sound_url"),
}
_NUMBER = re.compile(r"/observations/(\d+)")
_SHOWN = 1000  # characters of a header


def open_export(path: Path) -> CsvTable:
    """Open an export, whatever columns were chosen for it.

    Raises
    ------
    DatasetError
        Where it lacks the columns that are needed, with those to choose on the export page.
    """
    table = open_csv(path, ())
    header = table.ignored
    plain = {name.lower(): name for name in reversed(header)}
    columns = {field: plain[field] for field in _FIELDS if field in plain}
    lacking = [
        f"no {what} ({' or '.join(names)})" for what, names in _NEEDED.items() if not set(names) & set(columns)
    ]
    if lacking:
        raise DatasetError(
            f"{path}: has {', '.join(lacking)}. Export again from https://www.inaturalist.org/observations/export "
            "with the columns id, scientific_name, license, image_url and sound_url. "
            f"Its columns: {', '.join(header)[:_SHOWN]}"
        )
    return table.reading(columns)


def export_notes(table: CsvTable) -> tuple[str, ...]:
    """Return what the columns of an export leave open."""
    if "license" in table.columns:
        return ()
    return ("it has no column license, so no plan takes its records. Choose it on the export page",)


def export_values(values: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the values of a row, its id and name from other columns where need be, and its place in numbers."""
    known: dict[str, Any] = {**dict.fromkeys(_FIELDS), **values}
    address = _NUMBER.search(known["url"] or "")
    known["id"] = text(known["id"]) or text(known["uuid"]) or (None if address is None else address[1])
    names = (text(known[field]) for field in ("scientific_name", *_NAMES))
    known["scientific_name"] = next((name for name in names if name is not None), None)
    for field in ("latitude", "longitude"):
        if (given := text(known[field])) is not None:
            known[field] = degrees(given, is_latitude=field == "latitude")
    return known
