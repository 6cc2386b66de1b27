"""What became of the rows of each source: records, rejected or skipped; and why a source gives nothing."""
# ruff: noqa: S608 - what is put into SQL are names and numbers of ours

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from biovita.collect.select import Selection
from biovita.redact import redacted
from biovita.sources.licenses import allowed
from biovita.sources.source import SourceViews

if TYPE_CHECKING:
    import duckdb

__all__ = ["SourceAccount", "account_lines", "accounts_of"]

_SHOWN = 300  # characters of what is said of a row
_NOTES = 10  # of a source
_LICENSES, _LICENSES_READ = 3, 1000  # that are shown, and read at most


@dataclass(frozen=True, slots=True)
class SourceAccount:
    """What became of the rows of one source.

    Attributes
    ----------
    read
        Rows of all its tables; each gives one or more records, is rejected, or is skipped.
    rejected
        Rows that give no record, and media that cannot be used.
    skipped
        Rows that hold nothing.
    items
        Of the records, how many the plan takes.
    notes
        What is odd about its tables, and how they were read.
    reasons
        Of the rejected, how many for which reason.
    why
        Where the plan takes none of it: how many rows for which reason, and which the first is.
    """

    source: str
    read: int
    records: int
    rejected: int
    skipped: int
    items: int
    notes: tuple[str, ...] = ()
    why: str | None = None
    reasons: Mapping[str, int] = field(default_factory=dict)


def accounts_of(selection: Selection) -> tuple[SourceAccount, ...]:
    """Return the account of each source of a plan, in their order."""
    connection = selection.connection
    items = dict(connection.sql("select source, count(*) from chosen group by source").fetchall())
    candidates = connection.sql("select source, reason, count(*) from candidates group by all").fetchall()
    return tuple(
        _account(
            connection,
            label,
            views,
            {reason: rows for source, reason, rows in candidates if source == number},
            items.get(number, 0),
            accepted=selection.plan.licenses,
        )
        for number, (label, views) in enumerate(zip(selection.labels, selection.views, strict=True))
    )


def account_lines(accounts: Sequence[SourceAccount]) -> list[str]:
    """Return accounts as lines of text: what was read, notes, and why a source gives nothing."""
    lines = []
    for each in accounts:
        skipped = f", {each.skipped:,} empty rows skipped" if each.skipped else ""
        whys = ", ".join(f"{rows:,} {reason}" for reason, rows in each.reasons.items())
        rejected = f"{each.rejected:,} rejected" + (f" ({whys})" if whys else "")
        lines.append(f"{each.source}: {each.read:,} rows read, {each.records:,} records, {rejected}{skipped}")
        lines += [f"  note: {note}" for note in each.notes[:_NOTES]]
        if len(each.notes) > _NOTES:
            lines.append(f"  and {len(each.notes) - _NOTES:,} more notes, which --json shows")
        if each.why is not None:
            lines.append(f"  gives nothing: {each.why}")
    return lines


def _account(
    connection: duckdb.DuckDBPyConnection,
    label: str,
    views: SourceViews,
    candidates: Mapping[str | None, int],
    items: int,
    *,
    accepted: tuple[str, ...],
) -> SourceAccount:
    """Return an account; candidates are counted by why they are none, problems of the source's own among them."""
    unread = dict(connection.sql(f"select reason, count(*) from {views.unread} group by reason").fetchall())
    problems = Counter({reason: candidates[reason] for reason in views.problems if reason in candidates})
    reasons = problems + Counter(unread)
    records, rejected = sum(candidates.values()) - problems.total(), reasons.total()
    why = None
    if not items:
        every = Counter({reason: rows for reason, rows in candidates.items() if reason is not None})
        why = _why(connection, views, every + Counter(unread), is_read=bool(records))
        if every["license"]:
            why += _licenses_not_taken(connection, views, accepted)
    return SourceAccount(
        label,
        sum(table.rows for table in views.tables) if views.tables else records + rejected,
        records,
        rejected,
        sum(table.skipped for table in views.tables),
        items,
        tuple(redacted(note) for table in views.tables for note in table.notes),
        why,
        dict(sorted(reasons.items())),
    )


def _licenses_not_taken(
    connection: duckdb.DuckDBPyConnection, views: SourceViews, accepted: tuple[str, ...]
) -> str:
    """Return how a source writes the licences that the plan does not take, and how biovita reads them, if it does."""
    stated = connection.sql(
        f"select license_given, license, count(*) from {views.records} where problem is null "
        f"group by all order by count(*) desc, license_given limit {_LICENSES_READ}"
    )
    others = [row for row in stated.fetchall() if not allowed(row[1], accepted)]
    if all(given is None for given, _, _ in others):
        return ""
    said = [
        f"{rows:,} rows "
        + (
            "state none"
            if given is None
            else f"have {given[:_SHOWN]!r}, which is {license_ or 'none that is known'}"
        )
        for given, license_, rows in others[:_LICENSES]
    ]
    more = f", and {len(others) - _LICENSES:,} more" if len(others) > _LICENSES else ""
    return f". Licences that the plan does not take: {'; '.join(said)}{more}"


def _why(
    connection: duckdb.DuckDBPyConnection, views: SourceViews, reasons: Mapping[str, int], *, is_read: bool
) -> str:
    """Return why a source gives nothing."""
    if not reasons:
        return "it has no rows" if not is_read else "its records go beyond the plan's limits or budget"
    counts = ", ".join(f"{rows:,} {reason}" for reason, rows in sorted(reasons.items()))
    shown = "coalesce(name, 'no name') || ', licence ' || coalesce(license_given, 'not stated')"
    first = connection.sql(
        f"select file, row, reason || ': ' || detail from {views.rejected} order by file, row limit 1"
        if not is_read
        else f"select file, row, {shown} from {views.records} where problem is null limit 1"
    ).fetchall()
    if not first:
        return counts
    ((file, row, said),) = first
    return redacted(f"{counts}; the first is row {row} of {file}: {said[:_SHOWN]}")
