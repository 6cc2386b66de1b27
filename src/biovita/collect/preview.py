"""What a plan would give, told before anything is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biovita.collect.plan import read_plan
from biovita.collect.select import select
from biovita.collect.trait_tables import check_tables

__all__ = ["LeftOutRows", "PlanReport", "PlannedItems", "preview"]


@dataclass(frozen=True, slots=True)
class PlannedItems:
    """Items of one class of animals, source and modality that a plan takes.

    Attributes
    ----------
    class_
        The taxonomic class; ``unknown`` where the source states none.
    bytes
        As the sources state it; an estimate where they state nothing.
    """

    class_: str
    source: str
    modality: str
    species: int
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LeftOutRows:
    """How many rows of one source a plan leaves out for one reason."""

    source: str
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What a plan would give.

    Attributes
    ----------
    missing
        Names that the plan lists and no source has.
    traits
        Rows of each trait table that the plan imports.
    """

    given: tuple[PlannedItems, ...]
    left_out: tuple[LeftOutRows, ...]
    missing: tuple[str, ...]
    traits: Mapping[str, int]

    @property
    def items(self) -> int:
        """Recordings and photographs in all."""
        return sum(row.items for row in self.given)

    @property
    def bytes(self) -> int:
        """Their size in all."""
        return sum(row.bytes for row in self.given)


def preview(plan_file: str | Path) -> PlanReport:
    """Return what the plan in a TOML file would give; the sources are read, and no file is fetched.

    Raises
    ------
    DatasetError
        Where the plan or a source cannot be used.
    """
    plan = read_plan(plan_file)
    traits = check_tables(plan)
    with select(plan) as selection:
        given = tuple(PlannedItems(row.pop("class"), **row) for row in selection.summary())
        left_out = tuple(LeftOutRows(**row) for row in selection.left_out())
        return PlanReport(given, left_out, tuple(selection.names.missing), traits)
