"""What a plan would give, told before anything is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from biovita.collect.accounts import SourceAccount, accounts_of
from biovita.collect.plan import read_plan
from biovita.collect.select import LeftOutRows, PlannedItems, select
from biovita.collect.trait_tables import check_tables
from biovita.one_line import OneLine
from biovita.sources.source import UNTOLD

__all__ = ["PlanReport", "preview"]

_ASKED_LATER = "are untold: neither type, format nor address says what they are. A build asks their servers"


@dataclass(frozen=True, slots=True, repr=False)
class PlanReport(OneLine):
    """What a plan would give.

    Attributes
    ----------
    missing
        Names that the plan lists and no source has.
    traits
        Rows of each trait table that the plan imports.
    sources
        What became of the rows of each source, in the order of the plan.
    notes
        Which clades no species is placed in, how many names are placed nowhere, and which names were cleaned.
    """

    given: tuple[PlannedItems, ...]
    left_out: tuple[LeftOutRows, ...]
    missing: tuple[str, ...]
    traits: Mapping[str, int]
    sources: tuple[SourceAccount, ...] = ()
    notes: tuple[str, ...] = ()

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
        names, left_out = selection.names, selection.left_out()
        untold = sum(row.rows for row in left_out if row.reason == UNTOLD)
        notes = (*names.notes, *((f"{untold:,} media {_ASKED_LATER}",) if untold else ()))
        return PlanReport(selection.summary(), left_out, names.missing, traits, accounts_of(selection), notes)
