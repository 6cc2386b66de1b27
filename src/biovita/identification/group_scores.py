"""Scores of genera, families and other groups, from those of the taxa in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.archive.archive_tables import CANDIDATES, WINDOWS, Kind
from biovita.taxonomy import RANKS, Rank, taxon_id_of

__all__ = ["groups_at", "windows_at"]


def groups_at(candidates: pa.Table, rank: Rank) -> tuple[pa.Table, np.ndarray]:
    """Return the groups of a rank as candidates, and the group of each candidate, ``(candidates,)``, int64.

    A taxon whose group at that rank is not known, or that is wider itself, stands for itself, and so does what is no
    taxon. A group takes its lineage from its first member.
    """
    names = (
        candidates[rank.value].to_pylist() if rank != Rank.SPECIES else candidates["scientific_name"].to_pylist()
    )
    kinds, ranks = candidates["kind"].to_pylist(), candidates["rank"].to_pylist()
    ids = candidates["taxon_id"].to_pylist()
    numbers: dict[tuple[str, str], int] = {}
    first: list[int] = []
    of = np.empty(len(names), np.int64)
    grouped: list[str | None] = []
    for place, (name, kind, own, taxon_id) in enumerate(zip(names, kinds, ranks, ids, strict=True)):
        is_group = kind == Kind.TAXON and name is not None and own != rank.value
        key = (rank.value, name) if is_group or own == rank.value else (kind, taxon_id)
        if key not in numbers:
            numbers[key] = len(first)
            first.append(place)
            grouped.append(name if is_group else None)
        of[place] = numbers[key]
    rows = candidates.take(pa.array(first, pa.int64()))
    return _as_groups(rows, grouped, rank), of


def _as_groups(rows: pa.Table, names: list[str | None], rank: Rank) -> pa.Table:
    """Return the first members with the names of their groups in place of their own, where they are in one."""
    name = pa.array(names, pa.string())
    there = name.is_valid()
    columns = {field.name: rows[field.name].combine_chunks() for field in CANDIDATES}
    columns["scientific_name"] = pc.coalesce(name, columns["scientific_name"])
    ids = pa.array([None if each is None else taxon_id_of(each) for each in names], pa.string())
    columns["taxon_id"] = pc.coalesce(ids, columns["taxon_id"])
    columns["common_name"] = pc.if_else(there, pa.scalar(None, pa.string()), columns["common_name"])
    columns["rank"] = pc.if_else(there, rank.value, columns["rank"])
    for lower in RANKS[RANKS.index(rank) + 1 :]:
        if lower != Rank.SPECIES:
            columns[lower.value] = pc.if_else(there, pa.scalar(None, pa.string()), columns[lower.value])
    return pa.table(columns, schema=CANDIDATES)


def windows_at(windows: Iterable[pa.RecordBatch], of: np.ndarray, wanted: np.ndarray) -> Iterator[pa.RecordBatch]:
    """Yield windows with the scores of groups in place of those of taxa.

    A group's score is ``1 - product(1 - s)`` over the scores s of its members that were kept: that one of them is
    there, if each is there or not by itself. It is at least the largest of them and at most their sum.

    Parameters
    ----------
    of
        The group of each candidate, as `groups_at` gives it.
    wanted
        ``(candidates,)``, bool: which candidates count.
    """
    for batch in windows:
        lists = batch.column("candidates")
        row = pc.list_parent_indices(lists).to_numpy()
        candidate = lists.flatten().to_numpy()
        score = batch.column("scores").flatten().to_numpy().astype(np.float64)
        evidence = batch.column("evidence").flatten().to_numpy()
        keep = wanted[candidate]
        row, group, score, evidence = row[keep], of[candidate[keep]], score[keep], evidence[keep]
        order = np.lexsort((-score, group, row))  # the likeliest member first
        row, group, score, evidence = row[order], group[order], score[order], evidence[order]
        begins = np.flatnonzero(np.diff(row, prepend=-1) | np.diff(group, prepend=-1))
        none = np.add.reduceat(np.log1p(-np.minimum(score, 1 - 1e-12)), begins) if len(begins) else np.empty(0)
        row, group, evidence = row[begins], group[begins], evidence[begins]
        joined = (-np.expm1(none)).astype(np.float32)
        order = np.lexsort((group, -joined, row))
        counts = np.bincount(row, minlength=batch.num_rows)
        ends = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        made = {
            "candidates": pa.array(group[order].astype(np.int32)),
            "scores": pa.array(joined[order]),
            "evidence": pa.array(evidence[order]),
        }
        columns = [
            pa.ListArray.from_arrays(ends, made[field.name]).cast(field.type)
            if field.name in made
            else batch.column(field.name)
            for field in WINDOWS
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=WINDOWS)
