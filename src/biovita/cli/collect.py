"""``biovita data plan`` and ``build``; `data` registers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biovita.cli.kit import Json, print_json, print_table, say

if TYPE_CHECKING:
    from biovita.collect.preview import PlanReport

__all__ = ["build", "plan"]

_SHOWN = 20  # names on the screen; --json has all
_COLUMNS = ("class", "source", "modality", "species", "items", "bytes")


def plan(plan: Path, /, *, as_json: Json = False) -> None:
    """Show what a plan would give, per class and source, before anything is fetched.

    It is an error if that is nothing. Bytes are those that the sources state, and estimates where they
    state none.

    Parameters
    ----------
    plan
        The plan, in TOML.
    """
    import biovita
    from biovita.errors import DatasetError

    report = biovita.plan_dataset(plan)
    if as_json:
        given = [
            {"class": row.class_, **{name: getattr(row, name) for name in _COLUMNS[1:]}} for row in report.given
        ]
        told = {name: getattr(report, name) for name in ("left_out", "missing", "traits", "sources", "notes")}
        print_json({"given": given, **told})
    else:
        _print_plan(report)
    if not report.items:
        why = "; ".join(
            [
                *(f"{account.source}: {account.why}" for account in report.sources),
                *(note for note in report.notes if note.startswith("taxa.")),
            ]
        )
        raise DatasetError(f"{plan}: the plan gives nothing. {why}")


def _print_plan(report: PlanReport) -> None:
    from biovita.collect.accounts import account_lines

    say("What the sources hold", *account_lines(report.sources), "", "What the plan gives")
    print_table(
        _COLUMNS,
        [
            [row.class_, row.source, row.modality, row.species, row.items, _readable(row.bytes)]
            for row in report.given
        ],
    )
    say(f"{report.items:,} items, about {_readable(report.bytes)}", "", "What it leaves out")
    print_table(("source", "reason", "records"), [[row.source, row.reason, row.rows] for row in report.left_out])
    records, left_out = (
        sum(counts)
        for counts in ([each.records for each in report.sources], [row.rows for row in report.left_out])
    )
    say(f"{records:,} records: {report.items:,} to take, {left_out:,} left out")
    if report.traits:
        tables = ", ".join(f"{table} ({rows:,} rows)" for table, rows in report.traits.items())
        say(f"Trait tables to import: {tables}")
    if report.notes:
        say(*(f"note: {note}" for note in report.notes))
    if report.missing:
        shown = ", ".join(report.missing[:_SHOWN]) + (", ..." if len(report.missing) > _SHOWN else "")
        say(f"{len(report.missing)} listed names are in no source: {shown}")


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def build(plan: Path, /, *, out: Path, as_json: Json = False) -> None:
    """Make the dataset of a plan. Run it again to go on where it stopped, or to add what is new.

    Parameters
    ----------
    plan
        The plan, in TOML.
    out
        The dataset to make or update.
    """
    import biovita
    from biovita.collect.build import report_lines

    report = biovita.build_dataset(plan, out=out)
    if as_json:
        print_json(report)
    else:
        say(*report_lines(report))
