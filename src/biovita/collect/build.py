"""``biovita data build``: from a plan to a dataset; run again, it goes on where it stopped or brings it up to date."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from biovita import __version__
from biovita.collect.assemble import Assembled, assemble, keep_split, key_of, records_in
from biovita.collect.card import write_papers
from biovita.collect.clips import sound_windows
from biovita.collect.fetch import Wanted, fetch_all
from biovita.collect.ledger import Entry, Ledger
from biovita.collect.plan import Plan, read_plan
from biovita.collect.select import select
from biovita.collect.traits import check_tables, import_tables
from biovita.collect.verify import verify
from biovita.dataset.schema import REJECTED, taxa_table
from biovita.dataset.split import split_dataset
from biovita.dataset.store import Dataset, write_dataset
from biovita.errors import DatasetError, MediaError
from biovita.sources.base import RECORDS
from biovita.taxonomy import Rank, Taxon
from biovita.taxonomy.files import write_decisions

__all__ = ["WORK", "BuildReport", "build", "report_lines"]

WORK = ".collect"  # within the dataset: ledger, parts of downloads, what was chosen; not part of the dataset
_AT_ONCE = 64  # files at hand that are looked at together
_CONTACT = re.compile(
    r"^contact\s*=.*\n", re.MULTILINE
)  # is for servers' operators, not for whoever gets the dataset
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did.

    Attributes
    ----------
    fetched
        Files that came in this run.
    left_out
        Rows by reason that the plan leaves out.
    rejected
        Chosen records by reason that could not be used.
    traits
        By trait table, what its import gave: rows, those that found a taxon, taxa, labels, and why rows did not.
    unfinished
        Items that another run may get: servers did not answer.
    """

    dataset: Path
    species: int
    audio: int
    images: int
    fetched: int
    left_out: dict[str, int]
    rejected: dict[str, int]
    unfinished: int
    traits: dict[str, dict[str, Any]]


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
    work = out / WORK
    if out.exists() and not work.is_dir() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out} exists and was not made by a build. Choose another place")
    packed = Dataset.open(out).packed_address if (out / "dataset.toml").is_file() else None
    if packed is not None:
        raise DatasetError(
            f"{out}: its media are packed, and an update would fetch them all again. Bring the files back first: "
            f"biovita data unpack {packed} --out {out}"
        )
    work.mkdir(parents=True, exist_ok=True)
    with _locked(work / "lock"):
        ledger = Ledger(work / "ledger.sqlite")
        try:
            ledger.settle(out, work / "parts")
            taxa, left_out, decisions = _select(plan, work)
            run = _Run(plan, ledger, out, progress, backoff_s)
            fetched = _collect(run, None)
            made = assemble(work / "chosen.parquet", work / "rejected.parquet", ledger, plan, out)
            if made.wanted_again:
                for key in made.wanted_again:
                    ledger.drop(key)
                fetched += _collect(run, made.wanted_again)
                made = assemble(work / "chosen.parquet", work / "rejected.parquet", ledger, plan, out)
            text = _CONTACT.sub("", plan_file.read_text(encoding="utf-8"))
            traits = _write(plan, out, made, taxa, decisions=decisions, how=_made(plan, text, left_out))
            _tidy(ledger, out, made)
            unfinished = sum(1 for _ in ledger.entries("failed"))
        finally:
            ledger.close()
    return BuildReport(
        dataset=out,
        species=len({*made.audio["taxon_id"].to_pylist(), *made.images["taxon_id"].to_pylist()}),
        audio=made.audio.num_rows,
        images=made.images.num_rows,
        fetched=fetched,
        left_out=left_out,
        rejected=dict(sorted(Counter(made.rejected["reason"].to_pylist()).items())),
        unfinished=unfinished,
        traits=traits,
    )


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep a second build out of the same dataset; a killed process holds no lock."""
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(f"{file.parent.parent}: another build is at work there") from None
        yield


def _select(plan: Plan, work: Path) -> tuple[tuple[Taxon, ...], dict[str, int], pa.Table | None]:
    """Write the chosen records and the rejected rows to Parquet files."""
    schema = pa.schema([*RECORDS, pa.field("taxon_id", pa.string(), nullable=False)])
    with select(plan, scratch_in=work) as selection:
        for name, batches, columns in (
            ("chosen", selection.records(), schema),
            ("rejected", selection.rejected(), REJECTED),
        ):
            scratch = work / f"{name}.part"
            with pq.ParquetWriter(scratch, columns) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            scratch.replace(work / f"{name}.parquet")
        left_out: Counter[str] = Counter()
        for row in selection.left_out():
            left_out[row["reason"]] += row["rows"]
        return selection.names.taxa, dict(sorted(left_out.items())), selection.names.decisions


@dataclass(frozen=True, slots=True)
class _Run:
    plan: Plan
    ledger: Ledger
    out: Path
    progress: Progress | None
    backoff_s: float


def _collect(run: _Run, only: set[str] | None) -> int:
    """Verify what is at hand and fetch the rest; return how many files came."""
    plan, ledger, out, progress = run.plan, run.ledger, run.out, run.progress
    parts = out / WORK / "parts"
    total = pq.read_metadata(out / WORK / "chosen.parquet").num_rows if only is None else len(only)
    tally = Counter[str]()

    def done() -> None:
        tally["done"] += 1
        if progress is not None:
            progress(tally["done"], total)

    def pending() -> Iterator[Wanted]:
        for record in records_in(out / WORK / "chosen.parquet"):
            key = key_of(record)
            if only is not None and key not in only:
                continue
            entry = ledger.get(key)
            if entry is not None and entry.state in {"ready", "spare"} | _for_good(entry, record):
                _renew(entry, record, plan, ledger, out)
                done()
            elif record["path"] is not None:
                at_hand.append((key, record))
                if len(at_hand) == _AT_ONCE:
                    look()
            elif record["url"] is None:
                ledger.put(Entry(key, "", "rejected", reason="no-address", detail="neither an address nor a file"))
                done()
            else:
                yield Wanted(key, record["url"], record["modality"], record["duration_s"])
        look()

    at_hand: list[tuple[str, dict[str, Any]]] = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:

        def look() -> None:
            for entry in pool.map(lambda each: _at_hand(each[0], each[1], plan), at_hand):
                ledger.put(entry)
                done()
            at_hand.clear()

        async def finish(item: Wanted, part: Path) -> None:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(pool, verify, part, item.modality, item.stated_s, plan.clips)
            keep = f"{WORK}/originals" if plan.clips.cut and item.modality == "audio" else f"media/{item.modality}"
            path = f"{keep}/{item.key[:2]}/{item.key}.{found.extension}"
            info = {**found.info, "clips": [plan.clips.seconds, plan.clips.per_recording]}
            ledger.put(
                Entry(item.key, item.url, "ready", path=path, sha256=found.sha256, bytes=found.bytes, info=info)
            )
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            part.replace(out / path)
            tally["fetched"] += 1

        fetching = fetch_all(
            pending(),
            ledger,
            parts,
            plan.fetching,
            finish,
            contact=plan.contact,
            backoff_s=run.backoff_s,
            done=done,
        )
        try:
            asyncio.run(fetching)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
    return tally["fetched"]


def _for_good(entry: Entry, record: dict[str, Any]) -> set[str]:
    """Return the state of a refusal, where the address has not changed since."""
    return {"rejected"} if entry.url == (record["url"] or "") else set()


def _renew(entry: Entry, record: dict[str, Any], plan: Plan, ledger: Ledger, out: Path) -> None:
    """Choose the windows of a recording again where the plan's clips have changed."""
    wanted = [plan.clips.seconds, plan.clips.per_recording]
    if record["modality"] != "audio" or entry.info is None or entry.path is None or entry.info["clips"] == wanted:
        return
    with suppress(MediaError):  # one that is not there is fetched again, and looked at then
        windows = sound_windows(
            out / entry.path, entry.info["duration_s"], plan.clips.seconds, plan.clips.per_recording
        )
        ledger.put(replace(entry, info={**entry.info, "windows": windows, "clips": wanted}))


def _at_hand(key: str, record: dict[str, Any], plan: Plan) -> Entry:
    """Verify a file that is on this machine already; it stays where it is."""
    path, url = Path(record["path"]), record["url"] or ""
    try:
        found = verify(path, record["modality"], record["duration_s"], plan.clips)
    except MediaError as error:
        return Entry(key, url, "rejected", reason=error.reason, detail=str(error))
    info = {**found.info, "clips": [plan.clips.seconds, plan.clips.per_recording]}
    return Entry(key, url, "ready", path=str(path), sha256=found.sha256, bytes=found.bytes, info=info)


def _made(plan: Plan, text: str, left_out: dict[str, int]) -> dict[str, Any]:
    """Return what ``dataset.toml`` says of how the dataset was made."""
    return {
        "by": "biovita data build",
        "biovita": __version__,
        "plan_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "plan": text,
        "seed": plan.seed,
        "left_out": left_out,
    }


def _write(
    plan: Plan,
    out: Path,
    made: Assembled,
    taxa: tuple[Taxon, ...],
    *,
    decisions: pa.Table | None,
    how: dict[str, Any],
) -> dict[str, dict[str, Any]]:
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
    for file in sorted(stage.rglob("*"), key=lambda each: (each.name == "dataset.toml", str(each))):
        if file.is_file():
            place = out / file.relative_to(stage)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
    shutil.rmtree(stage)
    return imported


def _tidy(ledger: Ledger, out: Path, made: Assembled) -> None:
    """Delete the files that no table names, and note that what they held is known."""
    named = {*made.audio["path"].to_pylist(), *made.images["path"].to_pylist()}
    for entry in list(ledger.entries("ready")):
        assert entry.path is not None
        if entry.key in made.used or Path(entry.path).is_absolute():
            continue
        ledger.put(replace(entry, state="spare"))
        with suppress(FileNotFoundError):
            (out / entry.path).unlink()
    for file in (out / "media").rglob("*"):
        if file.is_file() and file.relative_to(out).as_posix() not in named:
            file.unlink()
    parts = out / WORK / "parts"
    for file in parts.iterdir() if parts.is_dir() else ():
        known = ledger.get(file.name)
        if known is None or known.state not in {"started", "failed"}:
            file.unlink()


def report_lines(report: BuildReport) -> list[str]:
    """Return a report as lines of text."""
    counts = f"{report.species} species, {report.audio} clips, {report.images} photographs"
    lines = [f"{report.dataset}: {counts} ({report.fetched} files fetched)"]
    if report.left_out:
        lines.append(
            "left out by the plan: " + ", ".join(f"{n} {reason}" for reason, n in report.left_out.items())
        )
    if report.rejected:
        lines.append("rejected: " + ", ".join(f"{n} {reason}" for reason, n in report.rejected.items()))
    lines += [
        f"traits of {table}: {found['taxa']:,} taxa, {found['labels']:,} labels "
        f"({found['matched']:,} of {found['rows']:,} rows)"
        for table, found in report.traits.items()
    ]
    if report.unfinished:
        lines.append(f"{report.unfinished} items were not reached; run the same command again to get them")
    return lines
