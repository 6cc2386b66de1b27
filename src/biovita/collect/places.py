"""The places that a plan gives each species, and who fills them: what cannot be used makes way for the next candidate.

The candidates of a species stand in the order of choice. The first of them are fetched, as many as there are places;
each that turns out unusable for good (it is gone, is no sound, is a duplicate ...) gives its place to the next one, and
so on, until all places are filled or the candidates kept, or the budget in bytes, end. One whose server did not answer
keeps its place: another run may get it.

All that are to be looked at are fetched before any is judged, and judging goes by the order of choice. So what comes
out depends on what the files hold, and neither on the order in which they came nor on where a build was stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from biovita.collect.duplicates import Duplicates
from biovita.collect.ledger import Ledger, key_of

__all__ = ["Filled", "Places"]

_ROWS = 20_000
_NONE = 1 << 62  # a number that no candidate has
_COLUMNS = ("modality", "source", "source_id", "taxon_id", "number", "places", "found", "limited", "about_bytes")
Record = Mapping[str, Any]


class PlaceGroup(NamedTuple):
    """The candidates of a species in one modality."""

    taxon_id: str
    modality: str


@dataclass(frozen=True, slots=True)
class Filled:
    """How the places of a species in one modality were filled.

    Attributes
    ----------
    refilled
        Places of unusable files that went to other candidates.
    empty
        Places that stay empty, and why: ``no-candidate``, the sources have no more; ``spares-used``, they have, and
        the plan keeps no more of them; ``budget``, the next one is too large for the budget in bytes.
    """

    refilled: int = 0
    empty: int = 0
    why: str = ""


class Places:
    """Which candidates are to be looked at, and what is known of them by now.

    Attributes
    ----------
    refused
        Reason and detail by key: of files that came, and are duplicates.
    beyond
        Keys of candidates that were looked at and are not needed: a better one can be used after all.
    dropped
        Keys that are taken and whose files were deleted in an earlier run.
    """

    def __init__(self, file: Path, ledger: Ledger, budget: int | None) -> None:
        self.refused: dict[str, tuple[str, str]] = {}
        self.beyond: set[str] = set()
        self.dropped: set[str] = set()
        self.to_fetch = 0
        self._file, self._ledger = file, ledger
        self._reach: dict[PlaceGroup, int] = {}
        self._fresh: dict[PlaceGroup, int] | None = (
            None  # where what is to be fetched begins; None: all that is chosen
        )
        self._filled: dict[PlaceGroup, Filled] = {}
        self._in_use: dict[PlaceGroup, int] = {}
        self._taxon_of: dict[bytes, str] = {}
        self._ambiguous: set[bytes] = set()
        self._left: int | None = budget
        for row in self._rows():
            if row["number"] <= row["places"]:
                self.to_fetch += 1
                if self._left is not None:
                    self._left -= row["about_bytes"]

    def is_looked_at(self, record: Record) -> bool:
        """Whether a candidate is among those that are fetched and judged."""
        return bool(record["number"] <= self._reach.get(_group(record), record["places"]))

    def is_fresh(self, record: Record) -> bool:
        """Whether a candidate came in with the last `judge`, and is to be fetched."""
        if self._fresh is None:
            return self.is_looked_at(record)
        first = self._fresh.get(_group(record))
        return first is not None and record["number"] >= first and self.is_looked_at(record)

    def judge(self) -> bool:
        """Look at what came since the last time; return whether more candidates are to be fetched now."""
        anew: set[str] = set()
        for row in self._rows():
            if self.is_fresh(row):
                anew |= self._note(row)
        fresh = self._fresh
        self._fresh, self.to_fetch = {}, 0
        for group, rows in groupby(self._rows(), _group):
            if fresh is None or group.taxon_id in anew:
                self._judge(group, list(rows), 1)
            elif group in fresh:
                self._judge(group, list(rows), fresh[group])
        waiting = {group for group, filled in self._filled.items() if filled.why == "budget"}
        if waiting and not self.to_fetch:  # now that all that is unusable is known, and its bytes are free
            for group, rows in groupby(self._rows(), _group):
                if group in waiting:
                    self._judge(group, list(rows), _NONE)
        return self.to_fetch > 0

    def look_again(self) -> None:
        """Judge all anew the next time: files that are fetched a second time may hold something else."""
        self._fresh = None
        self._taxon_of, self._ambiguous = {}, set()

    def refilled(self) -> int:
        """Return how many places of unusable files went to other candidates."""
        return sum(each.refilled for each in self._filled.values())

    def empty(self) -> dict[str, int]:
        """Return how many places stay empty, by the reason why no other candidate has them."""
        counts: Counter[str] = Counter()
        for each in self._filled.values():
            counts[each.why] += each.empty
        return {why: number for why, number in sorted(counts.items()) if number}

    def _rows(self) -> Iterator[dict[str, Any]]:
        with pq.ParquetFile(self._file.absolute()) as parquet:
            for batch in parquet.iter_batches(_ROWS, columns=list(_COLUMNS)):
                yield from batch.to_pylist()

    def _note(self, row: Record) -> set[str]:
        """Remember the bytes that came; return the species of which they turn out to be ambiguous."""
        entry = self._ledger.get(key_of(row))
        if entry is None or entry.sha256 is None:
            return set()
        same = bytes.fromhex(entry.sha256)
        first = self._taxon_of.setdefault(same, row["taxon_id"])
        if first == row["taxon_id"]:
            return set()
        self._ambiguous.add(same)
        return {first, row["taxon_id"]}

    def _judge(self, group: PlaceGroup, rows: list[dict[str, Any]], new: int) -> None:
        """Give the places of one group to its candidates in their order, and send for more where some are left.

        What was found of those before the number ``new`` still holds, for they come first.
        """
        places, limited = rows[0]["places"], rows[0]["limited"]
        reach = self._reach.get(group, places)
        duplicates = Duplicates(self._ambiguous)
        held = taken = refilled = in_use = 0
        for row in rows[:reach]:
            key = key_of(row)
            is_new = row["number"] >= new or key in self.beyond
            for said in (self.beyond, self.dropped):
                said.discard(key)
            if is_new:
                self.refused.pop(key, None)
            entry = self._ledger.get(key)
            if (entry is not None and entry.state == "rejected") or key in self.refused:
                continue
            if held + taken == places:
                self.beyond.add(key)
                continue
            if entry is None or entry.sha256 is None:
                held += 1
            elif is_new and (same_as := duplicates.check(row, entry)) is not None:
                self.refused[key] = same_as
                continue
            else:
                duplicates.add(row, entry)
                taken += 1
                refilled += row["number"] > places
                if entry.state == "spare":
                    self.dropped.add(key)
            in_use += row["about_bytes"]
        planned = sum(row["about_bytes"] for row in rows[:places])
        self._spend(in_use - self._in_use.get(group, planned))
        left, why = places - held - taken, ""
        first = reach
        while left and reach < len(rows):
            if self._left is not None and rows[reach]["about_bytes"] > self._left:
                why = "budget"
                break
            self._spend(rows[reach]["about_bytes"])
            in_use += rows[reach]["about_bytes"]
            reach += 1
            left -= 1
        self._in_use[group] = in_use
        if reach > first:
            assert self._fresh is not None
            self._reach[group], self._fresh[group] = reach, first + 1
            self.to_fetch += reach - first
        if limited:
            why = why or ("spares-used" if rows[0]["found"] > len(rows) else "no-candidate")
            self._filled[group] = Filled(refilled, left, why if left else "")

    def _spend(self, size: int) -> None:
        if self._left is not None:
            self._left -= size


def _group(record: Record) -> PlaceGroup:
    return PlaceGroup(record["taxon_id"], record["modality"])
