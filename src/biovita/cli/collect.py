"""``biovita data plan``, ``build``, ``pack`` and ``card``; the `data` group registers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["build", "plan"]


def plan(
    plan_file: Path,
    /,
    *,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Show what a plan would give, per class and source, before anything is fetched.

    Bytes are those that the sources state, and estimates where they state none.

    Parameters
    ----------
    plan_file
        The plan, in TOML.
    json_
        Print the numbers as JSON.
    """
    from rich.console import Console

    from biovita.collect.plan import read_plan
    from biovita.collect.select import select

    console = Console()
    with console.status("reading the sources"), select(read_plan(plan_file)) as selection:
        given, left_out = selection.summary(), selection.left_out()
        missing = list(selection.names.missing)
    if json_:
        console.print_json(json.dumps({"given": given, "left_out": left_out, "missing": missing}))
        return
    _table(console, "What the plan gives", given, ("class", "source", "modality", "species", "items", "bytes"))
    items, size = (sum(row[column] for row in given) for column in ("items", "bytes"))
    console.print(f"{items:,} items, about {_readable(size)}", highlight=False)
    _table(console, "What it leaves out", left_out, ("source", "reason", "rows"))
    if missing:
        shown = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
        console.print(f"{len(missing)} listed names are in no source: {shown}", highlight=False)


def _table(console: Any, title: str, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column in {"species", "items", "bytes", "rows"} else "left")
    for row in rows:
        cells = [_readable(row[column]) if column == "bytes" else row[column] for column in columns]
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells))
    console.print(table)


def _readable(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def build(
    plan_file: Path,
    /,
    *,
    out: Path,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> None:
    """Make the dataset of a plan; run again, it goes on where it stopped, or updates with what is new.

    Parameters
    ----------
    plan_file
        The plan, in TOML.
    out
        The dataset to make or update.
    json_
        Print the report as JSON.
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import Progress

    from biovita.collect.build import build as build_dataset
    from biovita.collect.build import report_lines

    console = Console()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the sources", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, description="fetching and verifying", completed=done, total=total)

        report = build_dataset(plan_file, out, progress=show)
    if json_:
        console.print_json(json.dumps({**asdict(report), "dataset": str(report.dataset)}))
        return
    for line in report_lines(report):
        console.print(line, highlight=False, soft_wrap=True)
