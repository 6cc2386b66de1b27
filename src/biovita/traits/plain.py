"""A plain CSV of traits: what a curator knows of taxa that no published table has, or has wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from biovita.csv_table import BrokenRow, check_not_all_broken, held_rows, open_csv
from biovita.errors import DatasetError, unknown_name
from biovita.files import require_file
from biovita.taxonomy.backbone_names import GIVEN
from biovita.trait_labels import LABELS
from biovita.traits.tables import TABLES, TraitRecord

__all__ = ["PLAIN", "PlainRow", "PlainRows", "read_plain"]

PLAIN = "csv"
_NEEDED = ("name", "label", "value")
_OPTIONAL = ("source", *GIVEN)
_VALUES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class PlainRow:
    """One row: what a source says of one label of a taxon."""

    record: TraitRecord
    label: str
    value: bool
    source: str


class PlainRows(NamedTuple):
    """What a plain table of traits holds: its rows, those that cannot be read, and how it was read."""

    entries: list[PlainRow]
    skipped: int
    rejected: list[BrokenRow]
    notes: tuple[str, ...]


def read_plain(path: Path) -> PlainRows:
    """Return the rows of a plain table of traits.

    Columns: ``name``, ``label`` (an id of the vocabulary), ``value`` (true or false, yes or no, 1 or 0); and, where
    they help, ``source`` (otherwise the file's name without its ending), ``kingdom``, ``class``, ``order``, ``family``.

    Raises
    ------
    DatasetError
        With every value of the file that is not accepted: row, field, and what is.
    """
    require_file(path, "Give a CSV file of traits")
    table = open_csv(path, (*_NEEDED, *_OPTIONAL), short_rows=True, wanted=_NEEDED)
    lacking = [column for column in _NEEDED if column not in table.columns]
    odd = [column for column in table.ignored if column]
    if lacking or odd:
        raise DatasetError(
            f"{path}, row 1: "
            + "; ".join(
                [
                    *([f"lacks the column(s) {', '.join(lacking)}"] if lacking else []),
                    *([f"unknown column(s) {', '.join(odd)[:300]}"] if odd else []),
                ]
            )
            + f". The columns are {', '.join((*_NEEDED, *_OPTIONAL))}"
        )
    entries: list[PlainRow] = []
    faults: list[str] = []
    rejected: list[BrokenRow] = []
    for row in held_rows(table):
        if isinstance(row, BrokenRow):
            rejected.append(row)
            continue
        cells = row.values
        fault = _fault(cells)
        if fault:
            faults.append(f"row {row.line}: {fault}")
            continue
        name, label, value = (cells[column] or "" for column in _NEEDED)
        lineage = {rank: cells.get(rank) for rank in GIVEN}
        record = TraitRecord(row.line, name, lineage, cells)
        entries.append(PlainRow(record, label, _VALUES[value.lower()], cells.get("source") or path.stem))
    if faults:
        more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
        raise DatasetError(f"{path} cannot be used:\n  " + "\n  ".join(faults[:20]) + more)
    check_not_all_broken(path, entries, rejected)
    return PlainRows(entries, table.skipped, rejected, table.notes)


def _fault(cells: Mapping[str, str | None]) -> str | None:
    if not cells["name"]:
        return "name is empty"
    if cells["label"] not in LABELS:
        return f"label: {unknown_name('trait label', (cells['label'] or '')[:100], LABELS)}"
    if (cells["value"] or "").lower() not in _VALUES:
        return f"value is {(cells['value'] or '')[:100]!r}. It has to be one of {', '.join(_VALUES)}"
    if cells.get("source") in TABLES:
        return f"source: {cells['source']!r} is the name of a published table. Give another"
    return None
