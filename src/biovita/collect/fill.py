"""Fetching and verifying candidates until every place is filled, or nothing is left to fill it with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biovita.collect.assemble import records_in
from biovita.collect.fetch import Wanted, fetch_all
from biovita.collect.file_check import how_listened, verify
from biovita.collect.ledger import Entry, Ledger, key_of, stated_address
from biovita.collect.places import Places
from biovita.collect.plan import Plan
from biovita.compute.cores import cpu_count
from biovita.errors import MediaError
from biovita.sources.inspect import state_of

__all__ = ["FillRun", "Progress", "fill"]

_AT_ONCE = 64  # files at hand that are looked at together
_TIME = "mtime_ns"  # of a file at hand, among what is known of it
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class FillRun:
    """A build at work; ``work`` holds its candidates and the parts of downloads."""

    plan: Plan
    ledger: Ledger
    out: Path
    work: Path
    progress: Progress | None
    backoff_s: float


def fill(run: FillRun) -> tuple[int, Places]:
    """Fetch and judge candidates until every place is filled or nothing is left to fill it with."""
    places = Places(run.work / "chosen.parquet", run.ledger, run.plan.budget.bytes)
    fetched = _collect(run, places.is_fresh, places.to_fetch)
    while True:
        if places.judge():
            fetched += _collect(run, places.is_fresh, places.to_fetch)
        elif places.dropped:
            again = frozenset(places.dropped)
            for key in again:
                run.ledger.drop(key)
            fetched += _collect(run, lambda record: key_of(record) in again, len(again))  # noqa: B023 - used at once
            places.look_again()
        else:
            return fetched, places


def _collect(run: FillRun, wanted: Callable[[Mapping[str, Any]], bool], total: int) -> int:
    """Verify what is at hand of the wanted records and fetch the rest; return how many files came."""
    plan, ledger, out, progress = run.plan, run.ledger, run.out, run.progress
    tally = Counter[str]()

    def done() -> None:
        tally["done"] += 1
        if progress is not None:
            progress(tally["done"], total)

    def pending() -> Iterator[Wanted]:
        for record in records_in(run.work / "chosen.parquet", wanted):
            key = key_of(record)
            entry = ledger.get(key)
            if entry is not None and not _is_of(entry, record):
                ledger.drop(key)
                entry = None
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
    with ThreadPoolExecutor(max_workers=cpu_count()) as pool:

        def look() -> None:
            for entry in pool.map(lambda each: _at_hand(each[0], each[1], plan), at_hand):
                ledger.put(entry)
                done()
            at_hand.clear()

        async def finish(item: Wanted, part: Path) -> None:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(pool, verify, part, item.modality, item.stated_s, plan.clips)
            is_cut = plan.clips.cut and item.modality == "audio"
            keep = f"{run.work.relative_to(out)}/originals" if is_cut else f"media/{item.modality}"
            path = f"{keep}/{item.key[:2]}/{item.key}.{found.extension}"
            ledger.put(
                Entry(
                    item.key, item.url, "ready", path=path, sha256=found.sha256, bytes=found.bytes, info=found.info
                )
            )
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            part.replace(out / path)
            tally["fetched"] += 1

        fetch_all(
            pending(),
            ledger,
            run.work / "parts",
            plan.fetching,
            finish,
            contact=plan.contact,
            backoff_s=run.backoff_s,
            done=done,
        )
    return tally["fetched"]


def _is_of(entry: Entry, record: dict[str, Any]) -> bool:
    """Say whether an entry's file is the record's: of its modality, the one at hand as it is, or one that came."""
    if entry.info is not None and ("phash" in entry.info) != (record["modality"] == "image"):
        return False
    if entry.path is None:
        return True
    if record["path"] is None:
        return not Path(entry.path).is_absolute()
    place = Path(record["path"]).absolute()
    return entry.path == place.as_posix() and _is_unchanged(entry, place)


def _is_unchanged(entry: Entry, place: Path) -> bool:
    """Say whether a file at hand has the size and time that it had; entries of earlier releases have no time."""
    now = state_of(place)
    return now is not None and now == (entry.bytes, (entry.info or {}).get(_TIME, now[1]))


def _for_good(entry: Entry, record: dict[str, Any]) -> set[str]:
    """Return the state of a refusal, where the address has not changed since; a file at hand may have been mended."""
    is_same = record["path"] is None and entry.url == stated_address(record["url"] or "")
    return {"rejected"} if is_same else set()


def _renew(entry: Entry, record: dict[str, Any], plan: Plan, ledger: Ledger, out: Path) -> None:
    """Listen to a recording again where the plan's clips, or the fingerprints, have changed."""
    if record["modality"] != "audio" or entry.info is None or entry.path is None:
        return
    if entry.info.get("listened") != how_listened(plan.clips):
        with suppress(MediaError):  # one that is not there is fetched again, and listened to then
            found = verify(out / entry.path, "audio", None, plan.clips)
            kept = {name: entry.info[name] for name in (_TIME,) if name in entry.info}
            ledger.put(replace(entry, info=found.info | kept))


def _at_hand(key: str, record: dict[str, Any], plan: Plan) -> Entry:
    """Verify a file that is on this machine already; it stays where it is."""
    path, url = Path(record["path"]).absolute(), record["url"] or ""
    before = state_of(path)
    try:
        found = verify(path, record["modality"], record["duration_s"], plan.clips)
    except MediaError as error:
        return Entry(key, url, "rejected", reason=error.reason, detail=str(error))
    info = found.info | {_TIME: before and before[1]}
    return Entry(key, url, "ready", path=path.as_posix(), sha256=found.sha256, bytes=found.bytes, info=info)
