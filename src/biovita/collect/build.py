"""``biovita data build``: from a plan to a dataset; run again, it goes on where it stopped or brings it up to date."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita.collect.accounts import SourceAccount, account_lines, accounts_of
from biovita.collect.assemble import Assembled, assemble, keep_split
from biovita.collect.changes import Changes, change_lines, changes_of
from biovita.collect.fill import FillRun, Progress, fill
from biovita.collect.kinds import Ask, ask_kinds
from biovita.collect.ledger import Ledger
from biovita.collect.places import Places
from biovita.collect.plan import Plan, as_understood, read_plan
from biovita.collect.select import CANDIDATES, NOT_LISTED, select
from biovita.collect.trait_tables import check_tables, import_tables
from biovita.collect.workplace import WORK, begin, put_in_place, tidy
from biovita.dataset.dataset import Dataset, write_dataset, write_table
from biovita.dataset.schema import OMITTED, REJECTED, taxa_table
from biovita.dataset.split import split_dataset
from biovita.errors import DatasetError
from biovita.files import locked
from biovita.one_line import OneLine
from biovita.publish.dataset_card import write_papers
from biovita.redact import redacted_column
from biovita.suggestion import quoted, suggested
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.name_lists import write_decisions
from biovita.traits.importer import TraitCounts
from biovita.version import __version__

__all__ = ["WORK", "BuildReport", "build", "report_lines"]

_NAMED = 5  # files that a report names
_SELECTED = ("chosen", "rejected", "omitted")
_PART_ROWS = 1 << 17  # of the omitted records


@dataclass(frozen=True, slots=True, repr=False)
class BuildReport(OneLine):
    """What a build did.

    Attributes
    ----------
    fetched
        Files that came in this run.
    kept
        Records that are in the dataset. A recording may give several clips.
    left_out
        Records by reason that the plan leaves out.
    rejected
        Chosen records by reason that could not be used. Those of ``sources`` are ``kept``, left out or rejected.
    refilled
        Places of files that cannot be used that went to the next candidates of the species.
    empty
        Such places that stay empty, by the reason; see `biovita.collect.places.Filled`.
    traits
        By trait table, what its import gave.
    unfinished
        Items that another run may get: servers did not answer. They keep their places.
    others
        Files in ``media`` that are of no fetch of this dataset's: they were left alone.
    sources
        What became of the rows of each source, in the order of the plan.
    notes
        Which names were cleaned, and what is unusual about recordings that are used all the same.
    version
        The version of the dataset, as the plan gives it.
    changes
        What became of the items that the dataset had before; None where it is new.
    """

    dataset: Path
    species: int
    audio: int
    images: int
    kept: int
    fetched: int
    left_out: dict[str, int]
    rejected: dict[str, int]
    refilled: int
    empty: dict[str, int]
    unfinished: int
    traits: dict[str, TraitCounts]
    others: tuple[str, ...] = ()
    sources: tuple[SourceAccount, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = ""
    changes: Changes | None = None


def build(plan_file: Path, out: Path, *, progress: Progress | None = None, backoff_s: float = 1.0) -> BuildReport:
    """Make or update the dataset of a plan.

    Parameters
    ----------
    out
        The dataset's directory: new, empty, or one that a build made.
    progress
        Called with the number of items done and of all, as they are fetched.

    Raises
    ------
    DatasetError
        Where the plan or a source cannot be used, or ``out`` holds something else or has its media packed.
    """
    plan = read_plan(plan_file)
    check_tables(plan)
    asked, out = out, begin(out)
    work = out / WORK
    packed = Dataset.open(out).packed_address if (out / "dataset.toml").is_file() else None
    if packed is not None:
        raise DatasetError(
            f"{out}: its media are packed, and an update would fetch them all again. Bring the files back first: "
            + suggested("data unpack", quoted(packed), "--out", out)
        )
    with locked(work / "lock", f"{work.parent}: another build is at work there"):
        ledger = Ledger(work / "ledger.sqlite")
        try:
            ledger.require_own()
            ledger.settle(out, work / "parts")
            ask = partial(ask_kinds, work=work, plan=plan, progress=progress, backoff_s=backoff_s)
            chosen = _select(plan, work, ask)
            run = FillRun(plan, ledger, out, work, progress, backoff_s)
            fetched, places = fill(run)
            made = assemble(work, ledger, plan, out, places)
            left_out = {
                reason: number - made.tried[reason]
                for reason, number in chosen.left_out.items()
                if number > made.tried[reason]
            }
            notes = (*chosen.notes, *(_told(warning, *which) for warning, which in made.odd.items()))
            how = _made(plan, as_understood(plan, plan_file.parent), chosen, left_out, places)
            how["notes"] = list(notes)
            changes = changes_of(out, made.audio, made.images)
            traits = _write(plan, out, made, chosen.taxa, decisions=chosen.decisions, how=how)
            others = tidy(ledger, out, made)
            unfinished = sum(1 for _ in ledger.entries("failed"))
        finally:
            ledger.close()
            for name in _SELECTED:  # they hold addresses as servers take them, keys and all
                (work / f"{name}.parquet").unlink(missing_ok=True)
    return BuildReport(
        dataset=asked,
        species=len({*made.audio["taxon_id"].to_pylist(), *made.images["taxon_id"].to_pylist()}),
        audio=made.audio.num_rows,
        images=made.images.num_rows,
        kept=len(made.used),
        fetched=fetched,
        left_out=left_out,
        rejected=dict(sorted(made.refused.items())),
        refilled=places.refilled(),
        empty=places.empty(),
        unfinished=unfinished,
        traits=traits,
        others=others,
        sources=chosen.sources,
        notes=notes,
        version=plan.version,
        changes=changes,
    )


def _told(warning: str, count: int, first: str) -> str:
    """Return what is said of recordings with the same warning."""
    return f"{first}: {warning}" if count == 1 else f"{first} and {count - 1:,} more: {warning}"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the plan gives; the records themselves are in files."""

    taxa: tuple[Taxon, ...]
    left_out: dict[str, int]
    missing: tuple[str, ...]
    decisions: pa.Table | None
    sources: tuple[SourceAccount, ...]
    notes: tuple[str, ...]


def _select(plan: Plan, work: Path, ask: Ask) -> _Chosen:
    """Write the candidates, the rejected rows and the omitted records to Parquet files."""
    with select(plan, scratch_in=work, listing=True, ask=ask) as selection:
        for name, batches, columns in (
            ("chosen", selection.records(), CANDIDATES),
            ("rejected", selection.rejected(), REJECTED),
            ("omitted", selection.omitted(), OMITTED),
        ):
            write_table(pa.RecordBatchReader.from_batches(columns, batches), work / f"{name}.parquet")
        left_out: Counter[str] = Counter()
        for row in selection.left_out():
            left_out[row.reason] += row.rows
        names = selection.names
        sources = accounts_of(selection)
        return _Chosen(
            names.taxa, dict(sorted(left_out.items())), names.missing, names.decisions, sources, names.notes
        )


def _made(plan: Plan, text: str, chosen: _Chosen, left_out: dict[str, int], places: Places) -> dict[str, Any]:
    """Return what ``dataset.toml`` says of how the dataset was made."""
    return {
        "by": "biovita data build",
        "biovita": __version__,
        "plan_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "plan": text,
        "seed": plan.seed,
        "left_out": left_out,
        "not_listed": {reason: left_out[reason] for reason in NOT_LISTED if reason in left_out},
        "missing": list(chosen.missing),
        "sources": [_recorded(account) for account in chosen.sources],
        "refilled": places.refilled(),
        "empty": places.empty(),
    }


def _recorded(account: SourceAccount) -> dict[str, Any]:
    """Return an account as TOML can hold it."""
    told = {**asdict(account), "notes": list(account.notes)}
    return {name: value for name, value in told.items() if value is not None}


def _write(
    plan: Plan,
    out: Path,
    made: Assembled,
    taxa: tuple[Taxon, ...],
    *,
    decisions: pa.Table | None,
    how: dict[str, Any],
) -> dict[str, TraitCounts]:
    """Write everything beside the dataset, then rename file by file, ``dataset.toml`` last.

    Returns what the import of the plan's trait tables gave. Traits that were imported otherwise stay.
    """
    stage = out / WORK / "next"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    present = {*made.audio["taxon_id"].to_pylist(), *made.images["taxon_id"].to_pylist()}
    info = {"name": plan.name, "version": plan.version, "made": how}
    old = Dataset(out)
    audio, images = made.audio, made.images
    if plan.split.unseen is None and (out / "dataset.toml").is_file() and "split" in old.info:
        audio, images = keep_split(old, audio, images)
        info["split"] = old.info["split"]
    if (out / "dataset.toml").is_file() and "traits" in old.info:
        info["traits"] = old.info["traits"]
    traits = old.table("traits")
    tables = {
        "taxa": taxa_table(taxon for taxon in taxa if taxon.id in present),
        "audio": audio,
        "images": images,
        "rejected": made.rejected,
        "traits": traits.filter(pc.is_in(traits["taxon_id"], value_set=pa.array(sorted(present), pa.string()))),
        "omitted": _omitted(out / WORK / "omitted.parquet", made.not_needed),
    }
    write_dataset(stage, tables, info)
    if decisions is not None:
        write_decisions(decisions, stage / "taxonomy_decisions.parquet")
    imported = import_tables(Dataset.open(stage), plan)
    division = plan.split
    if division.unseen is not None:
        split_dataset(
            Dataset.open(stage),
            unseen=division.unseen,
            seed=plan.seed,
            held_out=division.held_out,
            by=Rank(division.by),
        )
    write_papers(Dataset.open(stage), stage)
    put_in_place(stage, out)
    shutil.rmtree(stage)
    return imported


def _omitted(listed: Path, not_needed: pa.Table) -> pa.RecordBatchReader:
    """Return the omitted records in parts of one size, so that the file depends on nothing but them."""

    def parts() -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        rows = 0
        with pq.ParquetFile(listed.absolute()) as file:
            for batch in chain(file.iter_batches(_PART_ROWS), not_needed.to_batches()):
                rest = _redacted(batch)
                while rows + rest.num_rows >= _PART_ROWS:
                    waiting.append(rest.slice(0, _PART_ROWS - rows))
                    rest, rows = rest.slice(_PART_ROWS - rows), 0
                    yield pa.concat_batches(waiting)
                    waiting = []
                waiting.append(rest)
                rows += rest.num_rows
        if rows:
            yield pa.concat_batches(waiting)

    return pa.RecordBatchReader.from_batches(OMITTED, parts())


def _redacted(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows without secrets in their text: the id of a record may be its address."""
    columns = [
        redacted_column(column) if field.name in {"source_id", "detail"} else column
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def report_lines(report: BuildReport) -> list[str]:
    """Return a report as lines of text."""
    counts = f"{report.species} species, {report.audio} clips, {report.images} photographs"
    lines = [f"{report.dataset}: {counts} ({report.fetched} files fetched)"]
    lines += change_lines(report.changes, report.version)
    lines += account_lines(report.sources)
    lines.append(
        f"{sum(each.records for each in report.sources):,} records: {report.kept:,} kept, "
        f"{sum(report.left_out.values()):,} left out by the plan, {sum(report.rejected.values()):,} rejected"
    )
    if report.left_out:
        lines.append(
            "left out by the plan: " + ", ".join(f"{n} {reason}" for reason, n in report.left_out.items())
        )
    if report.rejected:
        lines.append("rejected: " + ", ".join(f"{n} {reason}" for reason, n in report.rejected.items()))
    if report.refilled:
        lines.append(f"{report.refilled} files could not be used, and the next candidates took their places")
    if report.empty:
        whys = ", ".join(f"{n} {why}" for why, n in report.empty.items())
        lines.append(f"{sum(report.empty.values())} places stay empty: {whys}")
    lines += [
        f"traits of {table}: {found.taxa:,} taxa, {found.labels:,} labels ({found.matched:,} of {found.rows:,} rows)"
        for table, found in report.traits.items()
    ]
    lines += [f"note: {note}" for note in report.notes[:_NAMED]]
    if len(report.notes) > _NAMED:
        lines.append(f"and {len(report.notes) - _NAMED:,} more notes, which --json shows")
    if report.others:
        named = ", ".join(report.others[:_NAMED]) + (", ..." if len(report.others) > _NAMED else "")
        lines.append(
            f"{len(report.others)} files in media/ were not fetched for this dataset and were left alone: {named}"
        )
    if report.unfinished:
        lines.append(f"{report.unfinished} items were not reached; run the same command again to get them")
    return lines
