"""What a medium is that neither type, format nor address tells: its first bytes decide, and its server is asked."""
# ruff: noqa: S608 - what is put into SQL is quoted by `sql_text` or is a name or number of ours

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from biovita.collect.fetch import Wanted, fetch_all
from biovita.collect.ledger import Entry, Ledger, stated_address
from biovita.collect.plan import Plan
from biovita.collect.why_not import NEITHER, why_not
from biovita.media.sniff import HEAD_BYTES, kind_of
from biovita.modality import MEDIA
from biovita.sources.source import UNTOLD, SourceViews, StreamedSource
from biovita.sql import sql_text

if TYPE_CHECKING:
    import duckdb

__all__ = ["KINDS", "Ask", "ask_kinds", "settled"]

Ask: TypeAlias = Callable[[Sequence[str]], pa.Table]
KINDS = pa.schema(
    [pa.field("url", pa.string(), nullable=False), pa.field("modality", pa.string(), nullable=False)]
)
_ANSWERS = {*(modality.value for modality in MEDIA), NEITHER}


def settled(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    views: tuple[SourceViews, ...],
    ask: Ask,
    *,
    spares: int,
) -> tuple[SourceViews, ...]:
    """Return views in which media that nothing told of are what lies at their addresses.

    Asked is what a plan would take otherwise; where it limits a species, as many of it as it has places and spares.
    Views of sources that tell of every medium stay as they are, and so do all where nothing is asked.
    """
    wanted = [each for each in plan.modalities if plan.limits.of(each) != 0]
    if not wanted:
        return views
    limits = [plan.limits.of(each) for each in wanted]
    most = spares + sum(limit for limit in limits if limit is not None) if None not in limits else 1 << 40
    records = f"select * replace ({sql_text(wanted[0])} as modality) from {{}} where modality = {sql_text(UNTOLD)}"
    may_be_untold = [isinstance(source, StreamedSource) for source in plan.sources]
    untold = " union ".join(
        f"""select url from (select r.url, {why_not(plan, source.kind)} as reason, row_number() over
                (partition by w.taxon, reason is null order by md5({sql_text(str(plan.seed))} || source_id)) as turn
            from ({records.format(each.records)}) r
                left join (select * from wanted where source = {number}) w on w.name_key = r.name_key)
            where reason is null and turn <= {most}"""
        for number, (source, each) in enumerate(zip(plan.sources, views, strict=True))
        if may_be_untold[number]
    )
    addresses = [url for (url,) in connection.sql(f"{untold} order by url").fetchall()] if untold else []
    if not addresses:
        return views
    told = ask(addresses)  # noqa: F841 - DuckDB finds it by its name
    connection.execute("create table kinds as from told")
    found = list(views)
    for number, each in enumerate(views):
        if may_be_untold[number]:
            connection.execute(
                f"""create view settled_{number} as
                select r.* replace (coalesce(k.modality, r.modality) as modality) from {each.records} r
                left join kinds k on r.modality = {sql_text(UNTOLD)} and k.url = r.url"""
            )
            found[number] = replace(each, records=f"settled_{number}")
    return tuple(found)


def ask_kinds(
    addresses: Sequence[str],
    work: Path,
    plan: Plan,
    *,
    progress: Callable[[int, int], None] | None = None,
    backoff_s: float = 1.0,
) -> pa.Table:
    """Return what lies at some addresses, as `KINDS`; one whose server does not give it is not in the table.

    An address is asked once: the answers are kept in ``work``. One that did not answer is asked again the next time.
    MP4 is neither, because its first bytes do not tell a sound from a film.

    Parameters
    ----------
    work
        Where a build keeps its working files.
    backoff_s
        See `fetch_all`.
    """
    ledger, done = Ledger(work / "kinds.sqlite"), 0

    def count() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(addresses))

    def pending() -> Iterator[Wanted]:
        for address in addresses:
            if _answer(ledger, address) is None:
                yield Wanted(_key(address), address, first=HEAD_BYTES)
            else:
                count()

    async def finish(item: Wanted, part: Path) -> None:
        kind = kind_of(part.read_bytes())
        is_clear = kind.family in _ANSWERS and not kind.description.startswith("MP4")
        found = {"modality": kind.family if is_clear else NEITHER}
        ledger.put(Entry(item.key, item.url, "ready", info=found, detail=kind.description))
        part.unlink()

    try:
        fetch_all(
            pending(),
            ledger,
            work / "heads",
            plan.fetching,
            finish,
            contact=plan.contact,
            backoff_s=backoff_s,
            done=count,
        )
        found = {address: answer for address in addresses if (answer := _answer(ledger, address))}
    finally:
        ledger.close()
    return pa.table([pa.array(found, pa.string()), pa.array(found.values(), pa.string())], schema=KINDS)


def _key(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:20]


def _answer(ledger: Ledger, address: str) -> str | None:
    """Return what an address was found to hold; empty where its server refused for good, None where it is to ask."""
    entry = ledger.get(_key(address))
    if entry is None or entry.url != stated_address(address):
        return None
    if entry.state == "rejected":
        return ""
    answer = (entry.info or {}).get("modality") if entry.state == "ready" else None
    return answer if answer in _ANSWERS else None
