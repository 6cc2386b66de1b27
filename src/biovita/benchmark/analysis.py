"""Where a model succeeds and how it fails: by group of queries, how near wrong answers are, what is confused."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from biovita.benchmark.recordings import Recording
from biovita.benchmark.scores import KS, Scores, TaskScore, bootstrap_interval
from biovita.benchmark.task import Benchmark
from biovita.modality import Modality, modalities_of
from biovita.taxonomy import Rank

__all__ = ["accuracy_by", "by_class", "by_family", "by_recording", "by_samples", "confusions", "near_misses"]


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


def by_family(
    benchmark: Benchmark, scores: Scores, *, ks: Sequence[int] = KS, seed: int = 0
) -> list[dict[str, Any]]:
    """Return accuracy for each family of the queries, in every task at species level."""
    rows = []
    for score in scores.tasks:
        if score.task.level == Rank.SPECIES:
            asked, _ = modalities_of(score.task.direction)
            families = benchmark.labels(asked, Rank.FAMILY)[score.task.queries]
            rows += accuracy_by(score, families, name="family", ks=ks, seed=seed)
    return rows


def by_samples(scores: Scores, *, ks: Sequence[int] = KS, seed: int = 0) -> list[dict[str, Any]]:
    """Return accuracy by how many samples the correct taxon has, where it differs; ``samples`` is a range."""
    rows = []
    for score in scores.tasks:
        task = score.task
        sizes = np.diff(task.offsets)[task.correct_taxa]
        groups = binned(sizes, _SAMPLES)
        if len(set(groups)) > 1:
            rows += accuracy_by(score, groups, name="samples", ks=ks, seed=seed)
    return rows


def by_recording(
    scores: Scores,
    recordings: Mapping[int, Recording],
    *,
    ks: Sequence[int] = KS,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return accuracy of recordings as queries, at species level, by their length and by their quality.

    Parameters
    ----------
    recordings
        What is known of them, by row of the benchmark's recordings; see `biovita.benchmark.recordings`.

    Returns
    -------
    Rows of `accuracy_by` with ``length`` (a range of seconds) or ``quality`` (a range of decibels).
    """
    rows = []
    for score in scores.tasks:
        task = score.task
        if modalities_of(task.direction)[0] != Modality.AUDIO or task.level != Rank.SPECIES:
            continue
        known = [recordings.get(int(row)) for row in task.queries]
        for name, unit, edges, values in (
            ("length", "s", _LENGTHS, [found and found.seconds for found in known]),
            ("quality", "dB", _QUALITIES, [found and found.contrast_db for found in known]),
        ):
            groups = binned(np.array([np.nan if value is None else value for value in values]), edges, unit)
            rows += accuracy_by(score, groups, name=name, ks=ks, seed=seed)
    return rows


_SAMPLES = (2, 3, 6, 11, 21, 51)
_LENGTHS = (3, 10, 30, 60)
_QUALITIES = (10, 20, 30)


def binned(values: np.ndarray, edges: Sequence[float], unit: str = "") -> np.ndarray:
    """Return the name of the bin of each value, None for NaN; names sort as their bins do.

    Without a unit values are counts, and the names say so.

    Examples
    --------
    >>> binned(np.array([1, 2, 7]), (2, 3, 6)).tolist()
    ['1: 1', '2: 2', '4: 6 and more']
    >>> binned(np.array([1.5]), (2, 3), "s").tolist()
    ['1: under 2 s']
    """
    if unit:
        names = [f"under {edges[0]} {unit}", *(f"{low} to under {high} {unit}" for low, high in pairwise(edges))]
    else:
        ranges = pairwise((1, *edges))
        names = [f"{low}" if high == low + 1 else f"{low} to {high - 1:g}" for low, high in ranges]
    names.append(f"{edges[-1]} {unit} and more".replace("  ", " "))
    numbered = np.array([f"{number}: {name}" for number, name in enumerate(names, start=1)], object)
    known = ~np.isnan(values.astype(np.float64))
    found = np.full(len(values), None, object)
    found[known] = numbered[np.searchsorted(edges, values[known], side="right")]
    return found


def confusions(benchmark: Benchmark, scores: Scores, *, level: Rank, most: int = 20) -> list[dict[str, Any]]:
    """Return the pairs of taxa that are confused most, over all directions of a part.

    The first-ranked species of every query at species level is compared with the correct one at ``level``.

    Returns
    -------
    At most ``most`` rows a part: ``part``, ``level``, ``taxon``, ``taken_for``, ``count``, ``queries`` (of the taxon),
    ``share``, and ``directions``, the count in each.
    """
    pairs: dict[str, Counter[tuple[str, str]]] = {}
    queries: dict[str, Counter[str]] = {}
    where: dict[tuple[str, str, str], Counter[str]] = {}
    for score in scores.tasks:
        task = score.task
        if task.level != Rank.SPECIES:
            continue
        names = benchmark.taxon_labels(task, level)
        answered = score.retrieved >= 0
        for own, got in zip(names[task.correct_taxa[answered]], names[score.retrieved[answered]], strict=True):
            if own is None:
                continue
            queries.setdefault(task.part, Counter())[own] += 1
            if got is not None and got != own:
                pairs.setdefault(task.part, Counter())[own, got] += 1
                where.setdefault((task.part, own, got), Counter())[task.direction] += 1
    rows = []
    for part, counted in pairs.items():
        ordered = sorted(
            counted.items(), key=lambda item: (-item[1] / queries[part][item[0][0]] * item[1], item[0])
        )
        for (own, got), count in ordered[:most]:
            rows.append(
                {
                    "part": part,
                    "level": level.value,
                    "taxon": own,
                    "taken_for": got,
                    "count": count,
                    "queries": queries[part][own],
                    "share": count / queries[part][own],
                    "directions": dict(sorted(where[part, own, got].items())),
                }
            )
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
