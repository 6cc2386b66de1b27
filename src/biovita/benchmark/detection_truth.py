"""What people annotated in recordings, as far as a run can be scored on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.archive.archive_tables import Kind, Presence
from biovita.identification.event_runs import ends_of
from biovita.modality import Modality
from biovita.taxonomy import Rank
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.parse import fold

__all__ = ["NotScored", "Spans", "Truth", "annotated_spans", "asked_for", "parts_not_in_run", "truth_of"]

_COLUMNS = ("media_id", "path", "modality", "start_s", "end_s", "label", "taxon_id", "scientific_name", "rank")


@dataclass(frozen=True, eq=False)
class Spans:
    """Spans of recordings in which a candidate is: rows of recordings and candidates, begin and end in seconds."""

    media: np.ndarray
    candidate: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def take(self, rows: np.ndarray) -> Spans:
        """Return some of the spans: a mask, or their places."""
        return Spans(self.media[rows], self.candidate[rows], self.start[rows], self.end[rows])


@dataclass(frozen=True, order=True)
class NotScored:
    """Annotations that say nothing of the run.

    Attributes
    ----------
    reason
        ``not-named``: the run has no candidate of this taxon, or none in its list. ``higher-rank``: likewise, but
        candidates lie within it; what is found of them there is neither right nor wrong. ``not-in-run``: its recording
        is not in the run, or more than one there is called so. ``part-not-in-run``: likewise, of a part that is said to
        be annotated. ``no-times``: of a whole recording. ``outside``: after the end of the recording, or where it was
        not annotated.
    what
        The label, or the path of the recording where that is the reason.
    """

    reason: str
    what: str
    count: int


@dataclass(frozen=True, eq=False)
class Truth:
    """What is there.

    Attributes
    ----------
    present
        What has to be found.
    open
        Where it is not known whether a candidate is there: what is found of it is neither right nor wrong.
    """

    present: Spans
    open: Spans
    not_scored: tuple[NotScored, ...]


def asked_for(candidates: pa.Table) -> np.ndarray:
    """Return ``(candidates,)`` whether a run may answer with it: all but backgrounds, and of taxa those of its list."""
    kinds = candidates["kind"].to_numpy()
    is_taxon, listed = kinds == Kind.TAXON, candidates["listed"].to_numpy()
    in_list = listed if listed[is_taxon].any() else np.ones(len(kinds), bool)
    return np.where(is_taxon, in_list, kinds != Kind.BACKGROUND)


def truth_of(annotations: pa.Table, candidates: pa.Table, recordings: pa.Table, annotated: Spans) -> Truth:
    """Return what `ANNOTATIONS` rows say of the candidates of a run in its recordings.

    A label and a candidate meet where they have the same id, or the same scientific name, or names of one taxon of the
    packaged table. An annotation meets its recording by id, or else by its path: the recording whose path ends with
    the most of it. Rows that say that a taxon is absent only confirm what is true of all time without a row. An
    annotation counts where its middle was annotated.

    Parameters
    ----------
    annotated
        See `annotated_spans`.
    """
    names = _Names.of(candidates)
    files = _Files.of(recordings)
    ends = ends_of(recordings)
    rows: dict[bool, list[tuple[int, int, float, float]]] = {True: [], False: []}
    left: Counter[tuple[str, str]] = Counter()
    for row in _rows(annotations):
        media = files.find(row["media_id"], row["path"])
        if media is None:
            left["not-in-run", row["path"] or row["media_id"] or ""] += 1
            continue
        if row["start_s"] is None or row["end_s"] is None:
            left["no-times", row["label"]] += 1
            continue
        span = float(row["start_s"]), min(float(row["end_s"]), float(ends[media]))
        if not _holds(annotated, media, (span[0] + span[1]) / 2) or span[0] > span[1]:
            left["outside", row["label"]] += 1
            continue
        number = names.find(row)
        if number is not None:
            rows[row["presence"] == Presence.PRESENT].append((media, number, *span))
            continue
        within = names.within(row)
        left["higher-rank" if within else "not-named", row["label"]] += 1
        rows[False].extend((media, each, *span) for each in within)
    found = tuple(NotScored(*what, count) for what, count in sorted(left.items()))
    return Truth(_spans(rows[True]), _spans(rows[False]), found)


def annotated_spans(recordings: pa.Table, stated: pa.Table | None) -> Spans:
    """Return which parts of recordings were annotated, as spans of the candidate 0.

    Parameters
    ----------
    stated
        ``path``, ``start_s``, ``end_s``; recordings that it does not name were not annotated. None: all of all
        recordings was, so that a recording without annotations has nothing in it.
    """
    begins = np.nan_to_num(recordings["start_s"].to_numpy().astype(float))
    ends = ends_of(recordings)
    if stated is None:
        return _spans([(row, 0, begins[row], ends[row]) for row in range(recordings.num_rows)])
    files, rows = _Files.of(recordings), []
    for row in stated.select(["path", "start_s", "end_s"]).to_pylist():
        media = files.find(None, row["path"])
        if media is not None:
            begin = begins[media] if row["start_s"] is None else max(begins[media], row["start_s"])
            end = ends[media] if row["end_s"] is None else min(ends[media], row["end_s"])
            rows.append((media, 0, begin, end))
    return _spans(rows)


def parts_not_in_run(recordings: pa.Table, stated: pa.Table | None) -> tuple[NotScored, ...]:
    """Return the recordings of which parts were annotated, as `annotated_spans` takes them, and that are not there."""
    if stated is None:
        return ()
    files = _Files.of(recordings)
    left = Counter(path for path in stated["path"].to_pylist() if files.find(None, path) is None)
    return tuple(NotScored("part-not-in-run", path, count) for path, count in sorted(left.items()))


def _rows(annotations: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows on sound that say that something is there, or may be."""
    for batch in annotations.select([*_COLUMNS, "kind", "presence"]).to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            if row["modality"] == Modality.AUDIO and row["presence"] != Presence.ABSENT:
                yield row


def _holds(spans: Spans, media: int, moment: float) -> bool:
    return bool(((spans.media == media) & (spans.start <= moment) & (moment <= spans.end)).any())


def _spans(rows: list[tuple[int, int, float, float]]) -> Spans:
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Spans(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


@dataclass(frozen=True)
class _Names:
    """Candidates by whether they are taxa, and what they are called."""

    numbers: dict[tuple[bool, str], int]
    groups: dict[tuple[str, str], list[int]]

    @classmethod
    def of(cls, candidates: pa.Table) -> _Names:
        numbers: dict[tuple[bool, str], int] = {}
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        ranks = [rank.value for rank in Rank if rank != Rank.SPECIES]
        rows = candidates.select(["taxon_id", "scientific_name", "kind", *ranks]).to_pylist()
        asked = [(number, rows[number]) for number in np.flatnonzero(asked_for(candidates)).tolist()]
        for alias in (lambda row: row["taxon_id"], lambda row: fold(row["scientific_name"]), _known):
            for number, row in asked:
                name = alias(row)
                if name is not None:
                    numbers.setdefault((row["kind"] == Kind.TAXON, name), number)
        for number, row in asked:
            for rank in ranks:
                if row["kind"] == Kind.TAXON and row[rank]:
                    groups[rank, fold(row[rank])].append(number)
        return cls(numbers, dict(groups))

    def find(self, row: dict[str, Any]) -> int | None:
        """Return the candidate that an annotation means, of its kind if there is one; None where there is none."""
        is_taxon = row["kind"] == Kind.TAXON
        named = {**row, "scientific_name": row["scientific_name"] or row["label"]}
        aliases = (row["taxon_id"], fold(named["scientific_name"]), _known(named))
        found = (self.numbers.get((kind, each)) for kind in (is_taxon, not is_taxon) for each in aliases if each)
        return next((number for number in found if number is not None), None)

    def within(self, row: dict[str, Any]) -> list[int]:
        """Return the candidates within a taxon of higher rank."""
        name = fold(row["scientific_name"] or row["label"])
        return self.groups.get((row["rank"], name), []) if row["kind"] == Kind.TAXON else []


def _known(row: dict[str, Any]) -> str | None:
    """Return the packaged taxon of a name, as no taxon id is written; None where there is none."""
    found = known_taxa().find(row["scientific_name"]) if row["kind"] == Kind.TAXON else None
    return None if found is None else f"known {found.rank} {found.id}"


@dataclass(frozen=True)
class _Files:
    """Recordings by id, and by the name of their file."""

    ids: dict[str, int]
    names: dict[str, list[tuple[int, tuple[str, ...]]]]

    @classmethod
    def of(cls, recordings: pa.Table) -> _Files:
        names: dict[str, list[tuple[int, tuple[str, ...]]]] = defaultdict(list)
        for row, path in enumerate(recordings["path"].to_pylist()):
            parts = _parts(path)
            names[parts[-1]].append((row, parts))
        return cls({key: row for row, key in enumerate(recordings["id"].to_pylist())}, dict(names))

    def find(self, media_id: str | None, path: str | None) -> int | None:
        """Return the row of a recording; None where there is none, or several fit alike."""
        if media_id in self.ids:
            return self.ids[media_id]
        parts = _parts(path or "")
        shared = [(_ending(parts, other), row) for row, other in self.names.get(parts[-1], [])]
        best = max(shared, default=(0, 0))[0]
        rows = [row for length, row in shared if length == best]
        return rows[0] if len(rows) == 1 else None


def _parts(path: str) -> tuple[str, ...]:
    return PurePath(path.replace("\\", "/")).parts or ("",)


def _ending(parts: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return how many parts two paths have in common at their ends."""
    pairs = zip(reversed(parts), reversed(other), strict=False)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), min(len(parts), len(other)))
