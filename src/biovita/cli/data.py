"""``biovita data``: make, show and check datasets."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from biovita.cli.collect import build, plan
from biovita.cli.kit import Json, Overwrite, Workers, group, heading, note, print_json, print_table, say
from biovita.cli.publish import card, export_app, pack, unpack
from biovita.cli.split import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from biovita.dataset.outlook import Outlook
    from biovita.dataset.summary import Summary
    from biovita.sources.folder import ImportReport
    from biovita.sources.named_media import NameGroup
    from biovita.sources.tables_from_names import WrittenTables

__all__ = ["app", "import_app"]

app = group("data", "Make, show and check datasets.")
import_app = group("import", "Make a dataset of records that are there already.")
app.command(import_app)
for command in (split, plan, build, pack, unpack, card, export_app):
    app.command(command)

_SHOWN = 10  # notes and licences on the screen; --json has all
_GROUPS = 20  # of names, of those with a taxon and of those without


@import_app.command
def folder(
    src: Path,
    /,
    *,
    out: Path | None = None,
    columns: Annotated[list[str] | None, Parameter(name="--column", consume_multiple=True)] = None,
    write_csv: bool = False,
    copy: bool = False,
    strict: bool = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Import a folder: by audio.csv and images.csv in it, or by the names of its folders and files.

    Without tables, folders are named after taxa (Parus major, Great_Tit), or files are (Parus major - XC12345.mp3).
    What was understood is shown before anything is written.

    Each table needs the columns file (a path within the folder) and scientific_name. It may have
    common_name, kingdom, phylum, class, order, family, genus, source, source_id, url, license, attribution,
    recorded_at, latitude and longitude, and for recordings begin_s and end_s, the span to use. Every file is
    decoded; what cannot be used is listed in rejected.parquet with the reason.

    Parameters
    ----------
    src
        The folder.
    out
        The dataset to make.
    columns
        FIELD=COLUMN ..., where a table names a column differently.
    write_csv
        Write audio.csv and images.csv into the folder, from what the names say, to be edited. Without --out, that
        is all.
    copy
        Copy the media into the dataset.
    strict
        Exit with 1 where anything was rejected. The dataset is written all the same.
    """
    import biovita

    pairs = _pairs(columns or [])
    if out is None and not write_csv:
        raise biovita.DatasetError(
            "say where the dataset goes, with --out DATASET; or --write-csv writes the tables alone"
        )
    written = biovita.write_folder_tables(src, workers=workers) if write_csv else None
    if written is not None and not as_json:
        _print_names(written.names.groups())
        _print_tables(written, src)
    if out is None:
        if as_json and written is not None:
            print_json({**vars(written), "tables": {str(path): rows for path, rows in written.tables.items()}})
        return 0
    report = biovita.import_folder(
        src,
        out=out,
        columns=pairs,
        copy=copy,
        workers=workers,
        overwrite=overwrite,
        understood=None if as_json else _print_names,
    )
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    return 1 if strict and report.rejected else 0


@app.command
def show(dataset: Path, /, *, as_json: Json = False) -> None:
    """Show what a dataset holds, what can be held out and tested, what is missing for that, and what to do next.

    Parameters
    ----------
    dataset
        Its directory.
    """
    from biovita.dataset import Dataset
    from biovita.dataset.outlook import outlook
    from biovita.dataset.summary import summary

    opened = Dataset.open(dataset)
    counts, ahead = summary(opened), outlook(opened)
    if as_json:
        print_json({**asdict(counts), "outlook": ahead})
    else:
        _print_summary(counts)
        _print_outlook(ahead)


@app.command
def check(dataset: Path, /, *, hashes: bool = False, out: Path | None = None, as_json: Json = False) -> int:
    """Check a dataset, count its problems and name the first 100; exit with 1 where there is one.

    Where there are more, with --json too, a Parquet file lists all of them.

    Parameters
    ----------
    dataset
        Its directory.
    hashes
        Read every file and compare its bytes with the hash of the import.
    out
        The file that lists all problems: .parquet, with the columns code, table, item and message. Default: one among
        the system's temporary files, where there are more than 100.
    """
    from biovita.dataset import Dataset
    from biovita.dataset.check import find_problems
    from biovita.dataset.problems import list_problems
    from biovita.dataset.relink import relink_hint
    from biovita.files import require_writable

    if out is not None:
        require_writable(out, ".parquet")
    opened = Dataset.open(dataset)
    found = list_problems(find_problems(opened, hashes=hashes), out)
    if as_json:
        print_json(found.problems)
    else:
        say(*found.problems)
        if found.number > len(found.problems):
            counts = ", ".join(f"{number:,} {code}" for code, number in found.codes.items())
            say(f"and {found.number - len(found.problems):,} more, in all {counts}")
        count = "1 problem" if found.number == 1 else f"{found.number:,} problems"
        say(f"{dataset}: {count if found.number else 'nothing is wrong'}")
    if found.file is not None:
        note(f"{found.file} lists all problems: {found.number:,}")
    if "missing-file" in found.codes:
        note(relink_hint(opened))
    return 1 if found.number else 0


@app.command
def relink(dataset: Path, old: str, new: Path, /, *, as_json: Json = False) -> None:
    """Say where the media of a dataset are, after they were moved.

    Every file is compared with the hash that the dataset states. If one is missing or has other bytes, they are listed,
    and nothing is changed. Vectors stay.

    Parameters
    ----------
    dataset
        Its directory.
    old
        The folder or file that is not there any more, as data check names it.
    new
        Where it is now.
    """
    import biovita

    report = biovita.relink_dataset(dataset, old, new)
    if as_json:
        print_json(report)
    else:
        say(
            f"{dataset}: {report.files:,} files are at {new} now, of {report.audio:,} recordings and "
            f"{report.images:,} photographs"
        )


def _pairs(texts: list[str]) -> dict[str, str]:
    from biovita.errors import DatasetError

    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, column = (part.strip() for part in text.partition("="))
        if not (name and equals and column):
            raise DatasetError(
                f"--column {text}: write it as FIELD=COLUMN, such as scientific_name=species. If {text} is the folder, "
                "give it before --column"
            )
        if name in pairs:
            raise DatasetError(f"--column {text}: {name} was already given the column {pairs[name]}")
        pairs[name] = column
    return pairs


def _print_names(groups: tuple[NameGroup, ...]) -> None:
    """Print what the names of folders and files say."""
    named = [group for group in groups if group.taxon is not None]
    unnamed = [group for group in groups if group.taxon is None]
    columns = ("taxon", "by its", "in", "files", "such as")
    if named:
        say(f"the names of {_files(named)} say what is in them:")
        rows = [(_taxon(group), group.found, *_counted(group)) for group in named[:_GROUPS]]
        print_table(columns, rows)
        _say_more(named)
    if unnamed:
        say("", f"{_files(unnamed)} are not understood, and left out:")
        print_table(("why", *columns[2:]), [(group.found, *_counted(group)) for group in unnamed[:_GROUPS]])
        _say_more(unnamed)
    say("")


def _files(groups: list[NameGroup]) -> str:
    number = sum(group.audio + group.images for group in groups)
    return "1 file" if number == 1 else f"{number:,} files"


def _counted(group: NameGroup) -> tuple[object, ...]:
    return group.where or ".", group.audio + group.images, ", ".join(group.examples)


def _taxon(group: NameGroup) -> str:
    return str(group.taxon) if group.rank in {None, "species"} else f"{group.taxon} ({group.rank})"


def _say_more(groups: list[NameGroup]) -> None:
    if len(groups) > _GROUPS:
        say(f"and {len(groups) - _GROUPS:,} more; --json lists all")


def _print_tables(written: WrittenTables, src: Path) -> None:
    for path, rows in written.tables.items():
        say(f"{path}: {rows:,} rows")
    if written.unnamed:
        say(f"{written.unnamed:,} rows have no scientific_name. Fill it in, or take the rows out")
    note(f"look through the tables, then: biovita data import folder {src} --out DATASET")


def _print_report(report: ImportReport) -> None:
    say(f"{report.dataset}: {report.audio} recordings and {report.images} photographs of {report.taxa} taxa")
    if report.rejected:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
        say(f"{report.rejected} rejected: {reasons}. Each is listed in {report.dataset / 'rejected.parquet'}")
    else:
        say("none rejected")
    if report.unchanged:
        note(f"{report.unchanged:,} files are as they were at the last import, and were not looked into again")
    note(*(f"note: {each}" for each in report.notes[:_SHOWN]))
    if len(report.notes) > _SHOWN:
        note(f"and {len(report.notes) - _SHOWN} more notes, in {report.dataset / 'dataset.toml'}")
    if report.ignored_columns:
        note(f"columns not used: {', '.join(report.ignored_columns)}")


def _print_summary(counts: Summary) -> None:
    from biovita.dataset.summary import UNKNOWN

    heading(
        f"{counts.name} version {counts.version}: {counts.taxa:,} taxa in {counts.families:,} families, "
        f"{counts.both:,} of them with recordings and photographs"
    )
    print_table(
        ("class", "taxa", "with both", "recordings", "photographs", "sound"),
        [
            *([c.name, c.taxa, c.both, c.audio, c.images, _duration(c.seconds)] for c in counts.classes),
            ["all", counts.taxa, counts.both, counts.audio, counts.images, _duration(counts.seconds)],
        ],
    )
    for title, groups in (("licence", counts.licenses), ("source", counts.sources), ("split", counts.splits)):
        if title != "split" or any(set(values) - {UNKNOWN} for values in groups.values()):
            _print_groups(title, groups)
    for what, left_out in (
        ("rejected", counts.rejected),
        ("omitted by the plan", counts.omitted),
        ("not asked for by the plan, and counted only", counts.not_listed),
    ):
        if left_out:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            say("", f"{sum(left_out.values()):,} {what}: {reasons}")


def _print_outlook(ahead: Outlook) -> None:
    """Print the taxa that are asked, a line for a pair of modalities: both its directions have the same."""
    say("")
    title = "is asked" if ahead.split else "can be asked"
    print_table(
        (title, "directions", "species", "genera", "families"),
        [
            [one.part, f"{one.direction}, {one.direction[::-1]}", one.species, one.genus, one.family]
            for one in ahead.asked[::2]
        ],
    )
    if ahead.training is not None:
        say(
            f"in training: {ahead.training['audio']:,} recordings and {ahead.training['image']:,} photographs of "
            f"{ahead.trained_taxa:,} taxa"
        )
    else:
        say(f"at most {ahead.most_unseen:,} species can be held out whole (unseen)")
    if ahead.shortages:
        say("", "missing")
    for advice, shorts in groupby(ahead.shortages, key=lambda short: short.advice):
        for short in shorts:
            named = ", ".join(short.examples) + (", ..." if short.taxa > len(short.examples) else "")
            say(f"  {short.taxa:,} {'taxon has' if short.taxa == 1 else 'taxa have'} {short.what}: {named}")
        say(f"    {advice}")
    say("", ahead.next_step)


def _print_groups(title: str, groups: Mapping[str, Mapping[str, int]]) -> None:
    both = {
        value: (groups["audio"].get(value, 0), groups["images"].get(value, 0))
        for values in groups.values()
        for value in values
    }
    ranked = sorted(both.items(), key=lambda pair: (-sum(pair[1]), pair[0]))
    say("")
    print_table((title, "recordings", "photographs"), [[value, *numbers] for value, numbers in ranked[:_SHOWN]])
    if len(ranked) > _SHOWN:
        say(f"and {len(ranked) - _SHOWN} more")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
