"""The curator's file that overrules how names are matched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from biovita.csv_table import BrokenRow, held_rows, open_csv
from biovita.errors import DatasetError
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.parse import fold

__all__ = ["Override", "Overrides", "read_overrides"]


@dataclass(frozen=True, slots=True)
class Override:
    """What a curator says of a name: a taxon of the backbone, or (``taxon_id`` None) that it is to be refused."""

    taxon_id: str | None
    note: str


@dataclass(frozen=True)
class Overrides:
    """A curator's decisions by folded name and folded class; a class of None means whatever the class."""

    by_name: Mapping[tuple[str, str | None], Override] = field(default_factory=dict)

    def find(self, name: str, class_: str | None) -> Override | None:
        """Return the decision on a name, the one for its class before the one for any."""
        key = fold(name)
        exact = self.by_name.get((key, fold(class_))) if class_ else None
        return exact if exact is not None else self.by_name.get((key, None))


_COLUMNS = ("name", "class", "taxon_id", "accepted_name", "note")


def read_overrides(path: str | Path, backbone: Backbone) -> Overrides:
    """Return the decisions in a curator's CSV file, checked against the backbone.

    Columns: ``name`` as the source writes it; ``class``, empty for any; ``taxon_id`` or ``accepted_name``, both
    empty to refuse the name; ``note``, free text.

    Raises
    ------
    DatasetError
        With every fault of the file: row, field, and what is accepted.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist. --overrides takes a CSV file with the columns {', '.join(_COLUMNS)}"
        )
    table = open_csv(path, _COLUMNS, short_rows=True)
    faults = [
        f"row 1: the column {name[:100]!r} is unknown. Known: {', '.join(_COLUMNS)}"
        for name in table.ignored
        if name
    ]
    if "name" not in table.columns or not {"taxon_id", "accepted_name"} & set(table.columns):
        faults.append("row 1: needs the columns name, and taxon_id or accepted_name")
    if faults:
        raise DatasetError(_listed(path, faults))
    rows = []
    for read in held_rows(table):
        if isinstance(read, BrokenRow):
            faults.append(f"row {read.line}: {read.detail}")
        else:
            rows.append((read.line, {column: value or "" for column, value in read.values.items()}))
    ids = _accepted_ids(backbone, {row.get("taxon_id", "") for _, row in rows})
    names = _accepted_names(backbone, {fold(row.get("accepted_name", "")) for _, row in rows})
    made: dict[tuple[str, str | None], Override] = {}
    first: dict[tuple[str, str | None], int] = {}
    for line, row in rows:
        key = (fold(row["name"]), fold(row["class"]) if row.get("class") else None)
        fault = _fault(row, ids, names, backbone.name)
        if fault is None and key in first:
            fault = f"name: {row['name'][:200]!r} was decided in row {first[key]} already"
        if fault is not None:
            faults.append(f"row {line}: {fault}")
            continue
        first[key] = line
        taxon_id = row.get("taxon_id") or next(iter(names.get(fold(row.get("accepted_name", "")), ())), None)
        made[key] = Override(taxon_id, row.get("note", ""))
    if faults:
        raise DatasetError(_listed(path, faults))
    return Overrides(made)


def _fault(
    row: Mapping[str, str], ids: Mapping[str, str], names: Mapping[str, list[str]], backbone: str
) -> str | None:
    taxon_id, accepted = row.get("taxon_id", ""), row.get("accepted_name", "")
    if not row["name"]:
        return "name is empty. Give the name as the source writes it"
    if taxon_id and taxon_id not in ids:
        return f"taxon_id: {taxon_id[:200]!r} is not an accepted taxon of {backbone}"
    found = names.get(fold(accepted), [])
    if accepted and not found:
        return f"accepted_name: {accepted[:200]!r} is not an accepted name of {backbone}"
    if accepted and not taxon_id and len(found) > 1:
        return f"accepted_name: {accepted[:200]!r} is the name of {', '.join(found[:20])}. Give the taxon_id"
    if accepted and taxon_id and taxon_id not in found:
        return f"accepted_name: {accepted[:200]!r} is not the name of {taxon_id}, which is {ids[taxon_id]}"
    return None


def _listed(path: Path, faults: list[str]) -> str:
    shown = "\n  ".join(faults[:20])
    more = f"\n  and {len(faults) - 20} more" if len(faults) > 20 else ""
    return f"{path} cannot be used:\n  {shown}{more}"


def _accepted_ids(backbone: Backbone, ids: Iterable[str]) -> dict[str, str]:
    rows = backbone.rows_with_id(ids)
    table = backbone.table.take(rows).select(["id", "name", "accepted"]).to_pylist()
    return {
        line["id"]: line["name"] for row, line in zip(rows.tolist(), table, strict=True) if line["accepted"] == row
    }


def _accepted_names(backbone: Backbone, keys: Iterable[str]) -> dict[str, list[str]]:
    rows = backbone.rows_with_key(key for key in keys if key)
    table = backbone.table.take(rows)
    found: dict[str, list[str]] = {}
    for row, line in zip(rows.tolist(), table.select(["key", "id", "accepted"]).to_pylist(), strict=True):
        if line["accepted"] == row:
            found.setdefault(line["key"], []).append(line["id"])
    return found
