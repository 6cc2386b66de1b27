"""The two tables of a folder of media: where they are, as text or as workbooks, and what is to be said of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from biovita.csv_table import CsvTable
from biovita.errors import DatasetError
from biovita.modality import Modality
from biovita.sources.media_row import TABLES, MediaRow
from biovita.sources.source import RejectedRow

__all__ = ["TableNotes", "folder_tables"]

_WORKBOOK = ".xlsx"
_OTHERS = (".xls", ".ods", ".xlsb", ".numbers", ".tsv", ".txt", ".csv.gz")
_DATE = "recorded_at is left empty where it is not ISO 8601 (such as 2019-05-03T06:15)"
_PLACE = "latitude and longitude are both left empty where one of them is no place in degrees"
_TIME = "start_s or duration_s is no number of seconds"
_ERROR = "cells are left empty where Excel shows an error"
_SAID = {"latitude": _PLACE, "longitude": _PLACE, "start_s": _TIME, "duration_s": _TIME}


def folder_tables(folder: Path) -> dict[Modality, Path]:
    """Return the tables of a folder that are there: ``audio.csv`` and ``images.csv``, or ``.xlsx``, in any case.

    Raises
    ------
    DatasetError
        Where there are several for one modality, or one in a format that is not read, which is then named.
    """
    by_name: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()):
        by_name.setdefault(file.name.lower(), []).append(file)
    found = {}
    for modality, name in TABLES.items():
        stem = name.removesuffix(".csv")
        files = [file for each in (name, stem + _WORKBOOK) for file in by_name.get(each, []) if file.is_file()]
        if len(files) > 1:
            both = " and ".join(file.name for file in files)
            raise DatasetError(f"{folder} has {both}. Keep the one that is meant, and rename or move the other")
        if files:
            found[modality] = files[0]
        elif others := [file.name for each in _OTHERS for file in by_name.get(stem + each, [])]:
            raise DatasetError(
                f"{folder} has {others[0]}, and no {name}. Save it as {name} (CSV in UTF-8) or as {stem}{_WORKBOOK}"
            )
    return found


@dataclass
class TableNotes:
    """Gathers what is to be said of a table while its rows are read: how it was read, and what was left empty."""

    table: CsvTable
    rows: int = 0
    _odd: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # how many, and the first

    def add(self, row: MediaRow | RejectedRow) -> None:
        """Take note of a row."""
        self.rows += 1
        if not isinstance(row, MediaRow) or (row.odd_date is None and not row.odd):
            return
        said = {} if row.odd_date is None else {_DATE: repr(row.odd_date[:100])}
        for name, text in row.odd:
            said.setdefault(_SAID.get(name, _ERROR), f"{name} {text[:100]!r}")
        for what, shown in said.items():
            count, line, first = self._odd.get(what, (0, row.line, shown))
            self._odd[what] = (count + 1, line, first)

    def lines(self) -> list[str]:
        """Return the notes, each with the name of the table; complete once all rows are read."""
        said = list(self.table.notes)
        if self.table.skipped:
            said.append(f"{self.table.skipped:,} rows of empty cells were passed over")
        for what, (count, line, shown) in self._odd.items():
            said.append(f"{what}, {count} of {self.rows} rows; the first is {shown} in line {line}")
        return [f"{self.table.path.name}: {note}" for note in said]
