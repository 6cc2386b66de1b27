"""``biovita data plan``, ``build``, ``pack``, ``unpack``, ``card`` and ``export``; `data` registers them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from biovita.dataset import Dataset
    from biovita.dataset.outgoing import Outgoing

__all__ = ["build", "card", "export_app", "pack", "plan", "unpack"]


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
    from biovita.collect.plan import read_plan
    from biovita.collect.select import select
    from biovita.collect.trait_tables import check_tables
    from biovita.console import Console, status

    console = Console()
    read = read_plan(plan_file)
    traits = check_tables(read)
    with status("reading the sources"), select(read) as selection:
        given, left_out = selection.summary(), selection.left_out()
        missing = list(selection.names.missing)
    if json_:
        _say(
            json.dumps(
                {"given": given, "left_out": left_out, "missing": missing, "traits": traits},
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    _table(console, "What the plan gives", given, ("class", "source", "modality", "species", "items", "bytes"))
    items, size = (sum(row[column] for row in given) for column in ("items", "bytes"))
    _say(f"{items:,} items, about {_readable(size)}")
    _table(console, "What it leaves out", left_out, ("source", "reason", "rows"))
    if traits:
        said = ", ".join(f"{table} ({rows:,} rows)" for table, rows in traits.items())
        _say(f"Trait tables to import: {said}")
    if missing:
        shown = ", ".join(missing[:20]) + (", ..." if len(missing) > 20 else "")
        _say(f"{len(missing)} listed names are in no source: {shown}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


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

    from rich.progress import Progress

    from biovita.collect.build import build as build_dataset
    from biovita.collect.build import report_lines
    from biovita.console import Console, plainly

    with Progress(console=Console(stderr=True), transient=True) as bar, plainly():
        task = bar.add_task("reading the sources", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, description="fetching and verifying", completed=done, total=total)

        report = build_dataset(plan_file, out, progress=show)
    if json_:
        _say(json.dumps({**asdict(report), "dataset": str(report.dataset)}, ensure_ascii=False, indent=2))
        return
    for line in report_lines(report):
        _say(line)


def pack(dataset: Path, /, *, out: str, allow_outside: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Write a dataset's media into one Lance table, and read them from there: one file, or object storage.

    Parameters
    ----------
    dataset
        Its directory.
    out
        The table to make: a path, or an address such as s3://bucket/birds.lance.
    allow_outside
        Pack files that lie outside the dataset, too.
    """
    from biovita.dataset import Dataset
    from biovita.publish.pack import pack as pack_media
    from biovita.publish.pack import state_packed

    opened = Dataset.open(dataset)
    count = pack_media(opened, out, allow_outside=allow_outside)
    outside = _said_of_outside(opened, _files(opened))
    state_packed(opened, out)
    lines = [
        f"{out}: {count} files{outside}",
        f"{dataset}/dataset.toml names it: media are read from there now"
        + ("" if outside else ", and the files are needed no more"),
        "data unpack does not write files outside the dataset: keep those that lie there"
        if outside
        else f"Back to files: biovita data unpack {out} --out {dataset}",
    ]
    for line in lines:
        _say(line)


def unpack(packed: str, /, *, out: Path) -> None:
    """Write packed media back to files, at the paths that the dataset's tables name, and read those from then on.

    Parameters
    ----------
    packed
        The Lance table: a path or an address.
    out
        The dataset's directory.
    """
    from biovita.publish.pack import unpack as unpack_media

    _say(f"{out}: {unpack_media(packed, out)} files written")


def card(dataset: Path, /) -> None:
    """Write a dataset's card (README.md with plots), ATTRIBUTION.csv and croissant.json anew.

    Parameters
    ----------
    dataset
        Its directory.
    """
    from biovita.dataset import Dataset
    from biovita.publish.dataset_card import write_papers

    write_papers(Dataset.open(dataset), dataset)
    _say(f"{dataset}: README.md, ATTRIBUTION.csv and croissant.json")


export_app = App(name="export", help="Write a dataset in others' layouts.")


@export_app.command
def release(
    dataset: Path,
    /,
    *,
    out: Path,
    copy: Annotated[bool, Parameter(negative=())] = False,
    allow_outside: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Export as the published release is laid out: train/metadata.csv, train/image_urls.csv and the files.

    Parameters
    ----------
    dataset
        Its directory.
    out
        The directory to make.
    copy
        Copy the files instead of linking them.
    allow_outside
        Export files that lie outside the dataset, too.
    """
    from biovita.dataset import Dataset
    from biovita.publish.export import training_files

    opened = Dataset.open(dataset)
    _exported(out, "export_release", opened, training_files(opened), copy=copy, allow_outside=allow_outside)


@export_app.command
def hub(dataset: Path, /, *, out: Path, allow_outside: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Export as Parquet with the media in it, which Hugging Face's datasets reads as it is.

    Parameters
    ----------
    dataset
        Its directory.
    out
        The directory to make.
    allow_outside
        Export files that lie outside the dataset, too.
    """
    from biovita.dataset import Dataset

    opened = Dataset.open(dataset)
    _exported(out, "export_hub", opened, _files(opened), allow_outside=allow_outside)


def _exported(out: Path, how: str, dataset: Dataset, files: Iterable[Outgoing], **options: bool) -> None:
    from biovita.publish import export

    counts = getattr(export, how)(dataset, out, **options)
    said = ", ".join(f"{number} in {name}" for name, number in counts.items())
    _say(f"{out}: {said}{_said_of_outside(dataset, files)}")


def _files(dataset: Dataset) -> Iterator[Outgoing]:
    from biovita.dataset.outgoing import stated_files
    from biovita.modality import Modality

    return (file for modality in (Modality.AUDIO, Modality.IMAGE) for _, file in stated_files(dataset, modality))


def _said_of_outside(dataset: Dataset, files: Iterable[Outgoing]) -> str:
    """Return what is said of the files that came from outside a dataset: nothing where there are none."""
    from biovita.dataset.outgoing import allowed_outside

    number = allowed_outside(dataset.path, files, allow=True)
    return f"; {number} files of the dataset lie outside it" if number else ""
