"""The names of a trait table matched to the taxa of a dataset."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from biovita.dataset import Dataset
from biovita.parquet import read_parquet
from biovita.taxonomy import Rank
from biovita.taxonomy.backbone import Backbone
from biovita.taxonomy.backbone_names import GIVEN
from biovita.taxonomy.decisions import Reason, Rule
from biovita.taxonomy.match import RULES, match_names
from biovita.taxonomy.overrides import Overrides
from biovita.taxonomy.parse import fold
from biovita.traits.tables import TraitRecord

__all__ = ["Left", "Match", "dataset_backbone", "match_records"]

_OWN_NAME = frozenset({Rule.EXACT, Rule.CANONICAL})
_SURE = _OWN_NAME | {Rule.OVERRIDE, Rule.SYNONYM}
_DECIDED = pa.schema([("name", pa.string()), ("species_id", pa.string())])
_NOT_HERE, _TAKEN, _SHARED = "not-in-dataset", "taken", "shared"


@dataclass(frozen=True, slots=True)
class Match:
    """The taxon that a row means; ``own_name``: the row bears the name that the dataset has for it."""

    taxon_id: str
    own_name: bool


@dataclass(frozen=True, slots=True)
class Left:
    """A row that no taxon of the dataset was found for, and why.

    The reason is one of `decisions.Reason`, or ``not-in-dataset``; ``taken``: another row bears the name of the taxon
    that this one might mean; ``shared``: several rows might mean it. A table lists each species once, so what its
    other rows say tells a renamed species from a second one with the same epithet.
    """

    row: int
    name: str
    reason: str
    detail: str | None


def match_records(
    records: Sequence[TraitRecord], dataset: Dataset, backbone: Backbone | None, overrides: Overrides | None
) -> tuple[dict[int, Match], list[Left]]:
    """Return the matches by row number, and the rows left over."""
    known = dataset_backbone(dataset)
    rules = RULES if backbone is None else _SURE
    decided = dict(zip(_rows(records), _decisions(records, known, overrides, rules), strict=True))
    if backbone is not None:
        open_ = [record for record in records if decided[record.row]["reason"] == Reason.NO_MATCH]
        through = _decisions(open_, backbone, None, RULES)
        decided.update(zip(_rows(open_), _through(through, dataset), strict=True))
    return _settled(records, decided)


def dataset_backbone(dataset: Dataset) -> Backbone:
    """Return a dataset's taxa, with the names that it was made from as synonyms, for names to be matched to."""
    return Backbone.of_taxonomy(dataset.taxonomy, dataset.path.name, _synonyms(dataset))


def _rows(records: Sequence[TraitRecord]) -> list[int]:
    return [record.row for record in records]


def _decisions(
    records: Sequence[TraitRecord], backbone: Backbone, overrides: Overrides | None, rules: Collection[Rule]
) -> list[dict[str, str | None]]:
    columns = {"name": [record.name for record in records]}
    given = {rank: [record.lineage.get(rank) for record in records] for rank in GIVEN}
    names = pa.table({name: pa.array(values, pa.string()) for name, values in {**columns, **given}.items()})
    decisions: list[dict[str, str | None]] = match_names(names, backbone, overrides, rules).to_pylist()
    return decisions


def _synonyms(dataset: Dataset) -> dict[str, str]:
    """Return the names that the dataset was made from, by the species that each was decided to mean."""
    file = dataset.path / "taxonomy_decisions.parquet"
    if not file.is_file():
        return {}
    table = read_parquet(file, _DECIDED)
    meant: dict[str, set[str]] = defaultdict(set)
    for row in table.to_pylist():
        if row["name"] and row["species_id"]:
            meant[row["name"]].add(row["species_id"])
    return {name: next(iter(ids)) for name, ids in meant.items() if len(ids) == 1}


def _through(decisions: Sequence[Mapping[str, str | None]], dataset: Dataset) -> list[dict[str, str | None]]:
    """Return decisions against a wider backbone as decisions about the dataset's taxa."""
    here = {
        fold(taxon.scientific_name): taxon for taxon in dataset.taxonomy.values() if taxon.rank == Rank.SPECIES
    }
    made = []
    for decision in decisions:
        row = dict(decision)
        taxon = here.get(fold(row["species_name"] or ""))
        if row["rule"] is not None and taxon is None:
            row.update(rule=None, reason=_NOT_HERE, detail=row["species_name"] or row["accepted_name"])
        elif taxon is not None:
            row.update(species_id=taxon.id, species_name=taxon.scientific_name)
            if row["rule"] in _OWN_NAME:  # the backbone's name, which the dataset would have found itself
                row.update(rule=Rule.SYNONYM.value)
        made.append(row)
    return made


def _settled(
    records: Sequence[TraitRecord], decided: Mapping[int, Mapping[str, str | None]]
) -> tuple[dict[int, Match], list[Left]]:
    claims: dict[str, set[str]] = defaultdict(set)
    sure: set[str] = set()
    for record in records:
        row = decided[record.row]
        if row["rule"] and row["species_id"]:
            claims[row["species_id"]].add(record.name)
            if row["rule"] in _SURE:
                sure.add(row["species_id"])
    matches: dict[int, Match] = {}
    left: list[Left] = []
    for record in records:
        row = decided[record.row]
        taxon_id = row["species_id"]
        reason, detail = row["reason"], row["detail"]
        if row["rule"] and taxon_id is None:
            reason, detail = _NOT_HERE, f"{row['accepted_name']} is a {row['rank']}, not a species"
        elif taxon_id and row["rule"] not in _SURE and taxon_id in sure:
            reason, detail = _TAKEN, row["species_name"]
        elif taxon_id and row["rule"] not in _SURE and len(claims[taxon_id]) > 1:
            reason, detail = _SHARED, _told(claims[taxon_id])
        if reason is not None:
            left.append(Left(record.row, record.name, _NOT_HERE if reason == Reason.NO_MATCH else reason, detail))
        elif taxon_id is not None:
            matches[record.row] = Match(taxon_id, own_name=row["rule"] in _OWN_NAME)
    return matches, left


def _told(names: Collection[str]) -> str:
    """Return names for a reader, the first ten of them."""
    more = f" | and {len(names) - 10:,} more" if len(names) > 10 else ""
    return " | ".join(heapq.nsmallest(10, names)) + more
