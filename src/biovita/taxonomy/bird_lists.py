"""The checklists of eBird and Clements as backbones: a row a bird, whose order and family stand beside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import pyarrow as pa

from biovita.csv_table import BrokenRow, held_rows, open_csv
from biovita.errors import DatasetError
from biovita.hashing import sha256_of
from biovita.taxonomy.backbone import LINEAGE, Backbone
from biovita.taxonomy.checklist import Checklist, Unread
from biovita.taxonomy.checklist_files import ListFile
from biovita.taxonomy.checklist_forms import ChecklistForm, ListKind

__all__ = ["bird_columns", "lists_birds", "read_birds"]

# What the lists call a column, in lower case with underscores, whatever list it is named after.
_CALLED = {
    "name": ("sci_name", "scientific_name"),
    "id": ("species_code", "code"),
    "common_name": ("primary_com_name", "common_name", "english_name"),
    "category": ("category",),
    "order": ("order", "order1"),
    "family": ("family_sci_name", "family"),
}
_NEEDED = ("name", "id", "order", "family")
_TAXA = {"species": "species", "issf": "subspecies", "subspecies": "subspecies", "group (monotypic)": "subspecies"}
_WORDS = {"species": re.compile(r"[A-Z][a-z]+ [a-z-]+"), "subspecies": re.compile(r"[A-Z][a-z]+( [a-z-]+){2}")}
_BIRDS = {"kingdom": "Animalia", "phylum": "Chordata", "class": "Aves"}
Row = dict[str, str | None]


def bird_columns(header: Collection[str]) -> dict[str, str]:
    """Return which columns of a table are those of such a checklist; none where it is not one.

    Examples
    --------
    >>> bird_columns(["SPECIES_CODE", "SCI_NAME", "ORDER", "FAMILY"])
    {'name': 'SCI_NAME', 'id': 'SPECIES_CODE', 'order': 'ORDER', 'family': 'FAMILY'}
    """
    plain = {}
    for name in reversed(list(header)):
        called = re.sub(r"\W+", "_", name.strip().lower()).strip("_")
        plain[called.removeprefix("ebird_").removeprefix("ebird_")] = name
    found = {
        field: next(plain[name] for name in names if name in plain)
        for field, names in _CALLED.items()
        if set(names) & set(plain)
    }
    return found if set(_NEEDED) <= set(found) else {}


def lists_birds(path: Path) -> bool:
    """Return whether a file is a table with the columns of such a checklist."""
    try:
        return bool(bird_columns(open_csv(path, ()).ignored))
    except DatasetError:
        return False


def read_birds(path: Path) -> Checklist:
    """Return the backbone that a checklist of eBird or Clements holds (text or a workbook).

    Species keep their codes as ids. Orders, families and genera, which have no rows there, get ids such as
    ``family:Paridae``; kingdom, phylum and class are Animalia, Chordata and Aves. What is no single taxon (spuh, slash,
    hybrid, intergrade, domestic, form, groups of several subspecies) is left out and counted.

    Raises
    ------
    DatasetError
        Where a row cannot be read or has no code, or codes repeat.
    """
    columns = bird_columns(open_csv(path, ()).ignored)
    table = open_csv(path, tuple(columns), columns=columns, short_rows=True)
    unread, groups, birds = Unread(), dict[str, Row](), dict[str, Row]()
    for row in held_rows(table):
        if isinstance(row, BrokenRow):
            raise DatasetError(f"{path}, line {row.line}: {row.detail}")
        bird = _bird(row.values)
        if bird is None:
            category = row.values.get("category") or "no species and no subspecies"
            unread.add(category, pa.array([row.values["name"]], pa.string()))
            continue
        id_ = bird["id"]
        if id_ is None or id_ in birds:
            what = "has no code" if id_ is None else f"has the code {id_} of another row"
            raise DatasetError(f"{path}, line {row.line}: {bird['name']} {what}. Each name needs one of its own")
        birds[id_] = bird
        _add_groups(groups, bird)
    names = pa.Table.from_pylist([*groups.values(), *birds.values()], schema=_SCHEMA)
    given = {name: names[name] for name in names.column_names}
    backbone = Backbone.of(path.name, given, sha256=sha256_of(path), left_out=dict(unread.counts))
    form = ChecklistForm(ListKind.BIRDS, table.layout.header, columns, "")
    said = "the list does not say which language its common names are in; they are taken as they are"
    notes = (*table.notes, said) if "common_name" in columns else table.notes
    return Checklist(backbone, form, ListFile(path), unread, notes)


_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("id", "name", "common_name")),
        *(pa.field(name, pa.dictionary(pa.int32(), pa.string())) for name in ("rank", *LINEAGE)),
    ]
)


def _bird(values: Mapping[str, str | None]) -> Row | None:
    """Return a row as a species or subspecies; None where it is no single one."""
    name, category = values["name"] or "", (values.get("category") or "").lower()
    if category:
        rank = _TAXA.get(category)
    else:
        rank = next((rank for rank, words in _WORDS.items() if words.fullmatch(name)), None)
    if rank is None or not _WORDS[rank].fullmatch(name):
        return None
    family = (values["family"] or "").split("(")[0].strip() or None  # "Paridae (Tits, Chickadees, and Titmice)"
    return {
        "id": values["id"],
        "name": name,
        "rank": rank,
        "common_name": values.get("common_name"),
        **_BIRDS,
        "order": values["order"],
        "family": family,
        "genus": name.split()[0],
    }


def _add_groups(groups: dict[str, Row], bird: Row) -> None:
    """Add the groups that a bird is in and that have not been met."""
    lineage: Row = {}
    for rank in LINEAGE:
        lineage[rank] = name = bird[rank]
        if name is not None and (id_ := f"{rank}:{name}") not in groups:
            groups[id_] = {"id": id_, "name": name, "rank": rank, **lineage}
