"""``biovita data``: make, show and check datasets."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from biovita.cli.collect import build, card, export_app, pack, plan, unpack
from biovita.cli.split import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biovita.console import Console
    from biovita.dataset.summary import Summary
    from biovita.sources.folder import ImportReport

__all__ = ["app", "import_app"]

app = App(name="data", help="Make, show and check datasets.")
import_app = App(name="import", help="Make a dataset of records that are there already.")
app.command(import_app)
for command in (split, plan, build, pack, unpack, card, export_app):
    app.command(command)

_SHOWN = 10  # notes and licences on the screen; --json has all


@import_app.command
def folder(
    src: Path,
    /,
    *,
    out: Path,
    column: Annotated[list[str] | None, Parameter(negative=())] = None,
    copy: Annotated[bool, Parameter(negative=())] = False,
    strict: Annotated[bool, Parameter(negative=())] = False,
    workers: int | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Import a folder that has audio.csv and images.csv.

    Each table needs the columns file (a path within the folder) and scientific_name. Also read are common_name,
    kingdom, phylum, class, order, family, genus, source, source_id, url, license, attribution, recorded_at,
    latitude and longitude, and for recordings begin_s and end_s, the span of the file that is meant. Every file is
    decoded; what cannot be used is listed in rejected.parquet with the reason.

    Parameters
    ----------
    src
        The folder.
    out
        The dataset to make.
    column
        FIELD=COLUMN, where a table names a column differently; may be given more than once.
    copy
        Copy the media into the dataset.
    strict
        Exit with 1 where anything was rejected. The dataset is written all the same.
    workers
        Threads that decode; as many as processors if not given.
    overwrite
        Replace the dataset at OUT.
    json_
        Print the report as JSON.
    """
    from biovita.sources.folder import import_folder

    report = import_folder(src, out, columns=_pairs(column or []), copy=copy, workers=workers, overwrite=overwrite)
    if json_:
        _print_json({**asdict(report), "dataset": str(report.dataset)})
    else:
        _print_report(report)
    return 1 if strict and report.rejected else 0


@app.command
def show(dataset: Path, /, *, json_: Annotated[bool, Parameter(name="--json", negative=())] = False) -> None:
    """Show what a dataset holds.

    Parameters
    ----------
    dataset
        Its directory.
    json_
        Print the counts as JSON.
    """
    from biovita.dataset import Dataset
    from biovita.dataset.summary import summary

    counts = summary(Dataset.open(dataset))
    if json_:
        _print_json(asdict(counts))
    else:
        _print_summary(counts)


@app.command
def check(
    dataset: Path,
    /,
    *,
    hashes: Annotated[bool, Parameter(negative=())] = False,
    json_: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Check that a dataset holds together; exit with 1 where something is wrong, naming each.

    Parameters
    ----------
    dataset
        Its directory.
    hashes
        Read every file and compare its bytes with the hash of the import.
    json_
        Print the problems as JSON.
    """
    from biovita.dataset import Dataset
    from biovita.dataset.check import check as find_problems

    problems = find_problems(Dataset.open(dataset), hashes=hashes)
    if json_:
        _print_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            _say(problem)
        count = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
        _say(f"{dataset}: {count}" if problems else f"{dataset}: nothing is wrong")
    return 1 if problems else 0


def _pairs(texts: list[str]) -> dict[str, str]:
    from biovita.errors import DatasetError

    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not (name and equals and column):
            raise DatasetError(f"--column {text}: accepted is FIELD=COLUMN, such as scientific_name=species")
        if name in pairs:
            raise DatasetError(f"--column {text}: {name} is already {pairs[name]}")
        pairs[name] = column
    return pairs


def _say(line: object) -> None:
    sys.stdout.write(f"{line}\n")


def _print_json(value: object) -> None:
    _say(json.dumps(value, ensure_ascii=False, indent=2))


def _print_report(report: ImportReport) -> None:
    _say(f"{report.dataset}: {report.audio} recordings and {report.images} photographs of {report.taxa} taxa")
    if report.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
        _say(f"{report.rejected} rejected: {reasons}. Each is listed in {report.dataset / 'rejected.parquet'}")
    else:
        _say("none rejected")
    for note in report.notes[:_SHOWN]:
        _say(f"note: {note}")
    if len(report.notes) > _SHOWN:
        _say(f"and {len(report.notes) - _SHOWN} more notes, in {report.dataset / 'dataset.toml'}")
    if report.ignored_columns:
        _say(f"columns not used: {', '.join(report.ignored_columns)}")


def _print_summary(counts: Summary) -> None:
    from rich.table import Table

    from biovita.console import Console
    from biovita.dataset.summary import UNKNOWN

    console = Console()
    console.print(counts.name, style="bold", soft_wrap=True, end="")
    console.print(
        f" version {counts.version}: {counts.taxa:,} taxa in {counts.families:,} families, {counts.both:,} of them "
        "with recordings and photographs",
        soft_wrap=True,
    )
    table = Table("class", box=None, header_style="bold", pad_edge=False, show_footer=True)
    table.columns[0].footer = "all"
    totals = counts.taxa, counts.both, counts.audio, counts.images, _duration(counts.seconds)
    for heading, total in zip(("taxa", "with both", "recordings", "photographs", "sound"), totals, strict=True):
        table.add_column(heading, justify="right", footer=total if isinstance(total, str) else f"{total:,}")
    for one in counts.classes:
        numbers = (f"{number:,}" for number in (one.taxa, one.both, one.audio, one.images))
        table.add_row(one.name, *numbers, _duration(one.seconds))
    console.print(table)
    for title, groups in (("licence", counts.licenses), ("source", counts.sources), ("split", counts.splits)):
        if title != "split" or any(set(values) - {UNKNOWN} for values in groups.values()):
            _print_groups(console, title, groups)
    for said, left_out in (
        ("rejected", counts.rejected),
        ("omitted by the plan", counts.omitted),
        ("not asked for by the plan, and counted only", counts.not_listed),
    ):
        if left_out:
            console.print()
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            console.print(f"{sum(left_out.values()):,} {said}: {reasons}", soft_wrap=True)


def _print_groups(console: Console, title: str, groups: Mapping[str, Mapping[str, int]]) -> None:
    from rich.table import Table

    table = Table(title, box=None, header_style="bold", pad_edge=False)
    table.add_column("recordings", justify="right")
    table.add_column("photographs", justify="right")
    both = {
        value: (groups["audio"].get(value, 0), groups["images"].get(value, 0))
        for values in groups.values()
        for value in values
    }
    ranked = sorted(both.items(), key=lambda pair: (-sum(pair[1]), pair[0]))
    for value, numbers in ranked[:_SHOWN]:
        table.add_row(value, *(f"{number:,}" for number in numbers))
    if len(ranked) > _SHOWN:
        table.add_row(f"and {len(ranked) - _SHOWN} more", "", "")
    console.print()
    console.print(table)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
