"""Where a model succeeds and how it fails: by class, and how near the wrong answers are."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from biovita.bench.scores import KS, Scores, TaskScore, bootstrap_interval
from biovita.bench.task import Benchmark, modalities_of
from biovita.taxonomy import Rank

__all__ = ["accuracy_by", "by_class", "near_misses"]


def accuracy_by(
    score: TaskScore, groups: np.ndarray, *, name: str, ks: Sequence[int] = KS, seed: int = 0
) -> list[dict[str, Any]]:
    """Return accuracy, chance and interval for each group of a task's queries.

    Parameters
    ----------
    groups
        ``(queries,)`` what each query belongs to, None for nothing; a string, or something that sorts.
    name
        The field of the rows that holds the group.
    """
    task, rows = score.task, []
    counts = task.candidate_counts
    for group in sorted({group for group in groups if group is not None}):
        mine = groups == group
        for k in ks:
            hits = score.hits(k)[mine]
            low, high = bootstrap_interval(hits, [seed, zlib.crc32(f"{task.name}/{name}/{group}/{k}".encode())])
            rows.append(
                {
                    "part": task.part,
                    "direction": task.direction,
                    "level": task.level.value,
                    name: group,
                    "k": k,
                    "accuracy": float(hits.mean()),
                    "chance": float((np.minimum(k, counts[mine]) / counts[mine]).mean()),
                    "low": low,
                    "high": high,
                    "queries": int(mine.sum()),
                }
            )
    return rows


def by_class(
    benchmark: Benchmark, scores: Scores, *, ks: Sequence[int] = KS, seed: int = 0
) -> list[dict[str, Any]]:
    """Return accuracy for each taxonomic class of the queries, and for ``All``, in every task.

    The candidates stay those of the task: a bird is told from everything it was asked against.
    """
    rows = []
    for score in scores.tasks:
        asked, _ = modalities_of(score.task.direction)
        classes = benchmark.labels(asked, Rank.CLASS)[score.task.queries]
        rows += accuracy_by(score, np.full(len(classes), "All", object), name="class", ks=ks, seed=seed)
        rows += accuracy_by(score, classes, name="class", ks=ks, seed=seed)
    return rows


def near_misses(benchmark: Benchmark, scores: Scores, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return how often a wrong species is of the right genus, or of the right family.

    Only queries at species level whose first-ranked species is wrong count. ``chance`` is the mean share of the
    query's wrong candidates that belong to the right group: what a wrong answer drawn at random would get. Queries
    whose species has no name at the rank are left out of it.

    Returns
    -------
    One row a task and rank: ``part``, ``direction``, ``rank``, ``errors`` (that count), ``share``, ``chance``,
    ``low``, ``high``.
    """
    rows = []
    for score in scores.tasks:
        task = score.task
        if task.level != Rank.SPECIES:
            continue
        wrong = (score.ranks > 1) & (task.candidate_counts > 1)
        for rank in (Rank.GENUS, Rank.FAMILY):
            names = benchmark.taxon_labels(task, rank)
            named = np.array([name is not None for name in names])
            known = wrong & named[task.correct_taxa]
            if not known.any():
                continue
            right = names[task.correct_taxa[known]]
            hits = names[score.retrieved[known]] == right
            listed = task.candidates[known]
            related = (names[listed] == right[:, None]) & (listed >= 0)
            chance = (related.sum(axis=1) - 1) / (task.candidate_counts[known] - 1)
            low, high = bootstrap_interval(hits, [seed, zlib.crc32(f"{task.name}/{rank.value}".encode())])
            rows.append(
                {
                    "part": task.part,
                    "direction": task.direction,
                    "rank": rank.value,
                    "errors": int(known.sum()),
                    "share": float(hits.mean()),
                    "chance": float(chance.mean()),
                    "low": low,
                    "high": high,
                }
            )
    return rows
