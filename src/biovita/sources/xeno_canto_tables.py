"""Tables of xeno-canto's recordings: what warbleR and suwo export from R, and the API's own fields as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from biovita.csv_table import CsvRow, CsvTable, open_csv
from biovita.errors import DatasetError
from biovita.odd_values import degrees
from biovita.sources.source import Item, RejectedRow, of_table
from biovita.values import text, whole

__all__ = ["TABLE_ENDINGS", "recordings_of_table"]

TABLE_ENDINGS = frozenset({".csv", ".tsv", ".txt", ".gz", ".xlsx"})
# From the fields of the API to the columns that hold them: of query_xc (warbleR), query_xenocanto (suwo) and the API;
# in lower case, with "_" for each mark.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("recording_id", "key", "id"),
    "gen": ("genus", "gen"),
    "sp": ("specific_epithet", "sp"),
    "species": ("species", "scientific_name"),
    "en": ("english_name", "en"),
    "rec": ("recordist", "user_name", "rec"),
    "cnt": ("country", "cnt"),
    "lat": ("latitude", "lat"),
    "lon": ("longitude", "lon", "lng"),
    "file": ("audio_file", "file_url", "file"),
    "url": ("url", "observation_url"),
    "lic": ("license", "lic"),
    "q": ("quality", "q"),
    "time": ("time",),
    "date": ("date",),
    "length": ("length",),
    "grp": ("taxonomic_group", "grp"),
    "repository": ("repository",),
}
_NUMBER = re.compile(r"xeno-canto\.org/(?:XC)?(\d+)", re.IGNORECASE)
_SHOWN = 1000  # characters of a header
_NO_LICENCE = (
    "it has no column of licences, so no plan takes its recordings. suwo exports it with "
    "query_xenocanto(..., all_data = TRUE)"
)
Record = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any] | RejectedRow]


def recordings_of_table(path: Path, record: Record) -> Iterator[Item]:
    """Yield what each row gives, and then what was read of the table.

    Needed are the number of a recording, or an address with it, and its genus or species. Where there is no column of
    files, their addresses follow from the numbers; an empty cell in such a column is a recording that is withheld.

    Parameters
    ----------
    record
        From the fields of the API, and the place of the row, to what the row gives.

    Raises
    ------
    DatasetError
        Where the table lacks a column that is needed; it says which table it looks like, and what to export.
    """
    table = _open(path)
    has_file = "file" in table.columns

    def of_row(row: CsvRow) -> Iterator[Item]:
        place = {"file": path.name, "row": row.line}
        fields = _fields(row.values, has_file=has_file)
        repository = text(fields.get("repository"))
        if repository is not None and not repository.lower().startswith("xeno"):
            detail = f"the row is of {repository[:100]}. Only rows of Xeno-Canto are read"
            name, number = text(fields.get("species")), text(fields.get("id"))
            yield RejectedRow("unknown", path.name, row.line, "other-repository", detail, name, number)
        else:
            yield record(fields, place)

    yield from of_table(table, of_row, () if "lic" in table.columns else (_NO_LICENCE,))


def _open(path: Path) -> CsvTable:
    """Open a table with its columns by the fields of the API."""
    table = open_csv(path, ())
    header = table.ignored
    plain = {re.sub(r"\W+", "_", name.lower()): name for name in reversed(header)}
    columns = {
        field: plain[found]
        for field, names in _COLUMNS.items()
        if (found := next((name for name in names if name in plain), None)) is not None
    }
    lacking = []
    if not {"id", "url", "file"} & set(columns):
        lacking.append("the number of a recording (Recording_ID, key or id)")
    if not {"gen", "species"} & set(columns):
        lacking.append("its name (Genus and Specific_epithet, species, or gen and sp)")
    if lacking:
        raise DatasetError(
            f"{path}: has no column of {', and none of '.join(lacking)}. {_advice(set(plain))}. "
            f"Its columns: {', '.join(header)[:_SHOWN]}"
        )
    return table.reading(columns)


def _advice(names: set[str]) -> str:
    """Return which table the columns look like, and what to export."""
    if names & {"recording_id", "specific_epithet", "vocalization_type", "audio_file"}:
        return "It looks like a table of warbleR: export what query_xc(...) returns, whole"
    if names & {"repository", "file_url", "observation_url", "user_name"}:
        return "It looks like a table of suwo: export what query_xenocanto(..., all_data = TRUE) returns, whole"
    if names & {"gen", "sp", "cnt", "rec", "grp", "rmk"}:
        return "It looks like recordings of xeno-canto's API: export them whole, or give its answer itself"
    return "Give what query_xc of warbleR or query_xenocanto of suwo returns, or an answer of xeno-canto's API"


def _fields(values: Mapping[str, str | None], *, has_file: bool) -> dict[str, Any]:
    """Return the fields of the API that a row holds."""
    fields: dict[str, Any] = dict(values)
    number = whole((fields.get("id") or "").upper().removeprefix("XC"))
    if number is None:
        found = _NUMBER.search(f"{fields.get('url')} {fields.get('file')}")
        number = None if found is None else int(found[1])
    fields["id"] = None if number is None else str(number)
    if text(fields.get("gen")) is None and (species := text(fields.get("species"))) is not None:
        fields["gen"], _, fields["sp"] = species.partition(" ")
    if not has_file and number is not None:
        fields["file"] = f"https://xeno-canto.org/{number}/download"
    for field, is_latitude in (("lat", True), ("lon", False)):
        if (given := text(fields.get(field))) is not None:
            fields[field] = degrees(given, is_latitude=is_latitude)
    if (date := fields.get("date")) is not None and re.match(r"\d{4}/", date):
        fields["date"] = date.replace("/", "-")
    return fields
