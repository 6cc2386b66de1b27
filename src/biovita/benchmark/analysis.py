"""Where a model succeeds and how it fails: by group of queries, how near wrong answers are, what is confused."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.recordings import Recordings
from biovita.benchmark.scores import KS, Scores, TaskScore, bootstrap_interval
from biovita.benchmark.task import Benchmark, Task
from biovita.benchmark.trait_scores import TraitAgreement, trait_agreement
from biovita.modality import Modality, modalities_of
from biovita.taxonomy import Rank
from biovita.traits.known_labels import Traits

__all__ = [
    "Analysis",
    "Confusion",
    "GroupAccuracy",
    "NearMisses",
    "accuracy_by",
    "analyse",
    "by_class",
    "by_family",
    "by_recording",
    "by_samples",
    "confusions",
    "near_misses",
]

_CONFUSED = {Rank.SPECIES: 50, Rank.FAMILY: 500}  # pairs that an analysis lists
_QUERIES_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class GroupAccuracy:
    """Top-k accuracy of one group of a task's queries.

    Attributes
    ----------
    by
        What the queries are grouped by: ``class``, ``family``, ``samples`` (of the correct taxon), ``length`` or
        ``quality`` (of the recording).
    group
        The name of the class or family, or a range.
    accuracy, chance, low, high
        As in `ScoreRow`.
    """

    part: str
    direction: str
    level: str
    by: str
    group: str
    k: int
    accuracy: float
    chance: float
    low: float
    high: float
    queries: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """A pair of taxa that are confused.

    Attributes
    ----------
    count
        How many queries of ``taxon`` have ``taken_for`` in the first place.
    queries
        Of ``taxon``.
    share
        ``count`` of ``queries``.
    directions
        The count in each direction.
    """

    part: str
    level: str
    taxon: str
    taken_for: str
    count: int
    queries: int
    share: float
    directions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NearMisses:
    """How often a wrong species of one task is of the right group.

    Attributes
    ----------
    rank
        ``genus`` or ``family``.
    errors
        How many queries were judged.
    share
        How many of them got a species of the right group.
    chance
        What a wrong candidate drawn at random is expected to get.
    low, high
        The 95 % bootstrap interval of ``share``.
    """

    part: str
    direction: str
    rank: str
    errors: int
    share: float
    chance: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """Where a model succeeds and how it fails, a table an attribute."""

    by_class: tuple[GroupAccuracy, ...]
    by_family: tuple[GroupAccuracy, ...]
    by_samples: tuple[GroupAccuracy, ...]
    by_recording: tuple[GroupAccuracy, ...]
    near_misses: tuple[NearMisses, ...]
    confusions: tuple[Confusion, ...]
    traits: tuple[TraitAgreement, ...]


def analyse(
    benchmark: Benchmark,
    scores: Scores,
    *,
    recordings: Recordings | None,
    traits: Traits,
    seed: int = 0,
) -> Analysis:
    """Return all tables of the analysis of what a model got.

    Parameters
    ----------
    recordings
        Length and contrast of the benchmark's; None where nothing is known of them.
    traits
        Of the benchmark's species.
    seed
        For the bootstrap intervals.
    """
    return Analysis(
        by_class=tuple(by_class(benchmark, scores, seed=seed)),
        by_family=tuple(by_family(benchmark, scores, seed=seed)),
        by_samples=tuple(by_samples(scores, seed=seed)),
        by_recording=() if recordings is None else tuple(by_recording(scores, recordings, seed=seed)),
        near_misses=tuple(near_misses(benchmark, scores, seed=seed)),
        confusions=tuple(
            row
            for level, most in _CONFUSED.items()
            for row in confusions(benchmark, scores, level=level, most=most)
        ),
        traits=tuple(trait_agreement(scores, traits, seed=seed)),
    )


def accuracy_by(score: TaskScore, groups: pa.Array, *, by: str, seed: int = 0) -> list[GroupAccuracy]:
    """Return accuracy, chance and interval for each group of a task's queries.

    Parameters
    ----------
    groups
        ``(queries,)`` the group that each query belongs to, None where it belongs to none.
    by
        What the queries are grouped by.
    """
    task, rows = score.task, []
    counts = task.candidate_counts
    for group, mine in _members(groups):
        for k in KS:
            hits = score.hits(k)[mine]
            low, high = bootstrap_interval(hits, [seed, zlib.crc32(f"{task.name}/{by}/{group}/{k}".encode())])
            rows.append(
                GroupAccuracy(
                    part=task.part,
                    direction=task.direction,
                    level=task.level.value,
                    by=by,
                    group=group,
                    k=k,
                    accuracy=float(hits.mean()),
                    chance=float((np.minimum(k, counts[mine]) / counts[mine]).mean()),
                    low=low,
                    high=high,
                    queries=len(mine),
                )
            )
    return rows


def _members(groups: pa.Array) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each group by its name, with the places of its members, ascending."""
    names, codes = _coded(groups)
    order = np.argsort(codes, kind="stable")
    edges = np.searchsorted(codes[order], np.arange(len(names) + 1))
    for name, start, end in zip(names, edges, edges[1:], strict=False):
        yield name, order[start:end]


def _coded(names: pa.Array | pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """Return the distinct names, sorted, and for each place the number of its name; -1 for None."""
    distinct = names.unique().drop_null().sort()
    codes = pc.fill_null(pc.index_in(names, value_set=distinct), -1)
    return distinct.to_pylist(), codes.to_numpy(zero_copy_only=False)


def by_class(benchmark: Benchmark, scores: Scores, *, seed: int = 0) -> list[GroupAccuracy]:
    """Return accuracy for each taxonomic class of the queries, and for ``All``, in every task.

    The candidates are those of the task: a bird is told from all animals, not from birds alone.
    """
    rows = []
    for score in scores.tasks:
        asked, _ = modalities_of(score.task.direction)
        classes = _labels(benchmark, asked, Rank.CLASS, score.task.queries)
        rows += accuracy_by(score, pa.repeat("All", len(classes)), by="class", seed=seed)
        rows += accuracy_by(score, classes, by="class", seed=seed)
    return rows


def _labels(benchmark: Benchmark, modality: Modality, level: Rank, rows: np.ndarray) -> pa.Array:
    """Return the names at a level of the taxa of items, by their rows."""
    return benchmark.items[modality][level.value].take(pa.array(rows)).combine_chunks()


def by_family(benchmark: Benchmark, scores: Scores, *, seed: int = 0) -> list[GroupAccuracy]:
    """Return accuracy for each family of the queries, in every task at species level."""
    rows = []
    for score in scores.tasks:
        if score.task.level == Rank.SPECIES:
            asked, _ = modalities_of(score.task.direction)
            families = _labels(benchmark, asked, Rank.FAMILY, score.task.queries)
            rows += accuracy_by(score, families, by="family", seed=seed)
    return rows


def by_samples(scores: Scores, *, seed: int = 0) -> list[GroupAccuracy]:
    """Return accuracy by how many samples the correct taxon has; none of a task whose taxa all have alike."""
    rows = []
    for score in scores.tasks:
        task = score.task
        sizes = np.diff(task.offsets)[task.correct_taxa]
        groups = pa.array(binned(sizes, _SAMPLES), pa.string())
        if len(groups.unique()) > 1:
            rows += accuracy_by(score, groups, by="samples", seed=seed)
    return rows


def by_recording(scores: Scores, recordings: Recordings, *, seed: int = 0) -> list[GroupAccuracy]:
    """Return accuracy of recordings as queries, at species level, by their length and by their quality.

    Parameters
    ----------
    recordings
        What is known of the benchmark's.

    Returns
    -------
    Rows by ``length`` (a range of seconds) and by ``quality`` (a range of decibels).
    """
    rows = []
    for score in scores.tasks:
        task = score.task
        if modalities_of(task.direction)[0] != Modality.AUDIO or task.level != Rank.SPECIES:
            continue
        for by, unit, edges, values in (
            ("length", "s", _LENGTHS, recordings.seconds),
            ("quality", "dB", _QUALITIES, recordings.contrast_db),
        ):
            groups = pa.array(binned(values[task.queries], edges, unit), pa.string())
            rows += accuracy_by(score, groups, by=by, seed=seed)
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


def confusions(benchmark: Benchmark, scores: Scores, *, level: Rank, most: int = 20) -> list[Confusion]:
    """Return the pairs of taxa that are confused most, over all directions of a part.

    The first-ranked species of every query at species level is compared with the correct one at ``level``.

    Returns
    -------
    At most ``most`` rows a part, by ``share`` times ``count``, the largest first.
    """
    rows = []
    for part in dict.fromkeys(score.task.part for score in scores.tasks):
        mine = [s for s in scores.tasks if (s.task.part, s.task.level) == (part, Rank.SPECIES)]
        rows += _confused(benchmark, part, mine, level, most)
    return rows


def _confused(
    benchmark: Benchmark, part: str, scores: Sequence[TaskScore], level: Rank, most: int
) -> list[Confusion]:
    """Return the rows of a part; pairs are counted by their number, ``own * names + got``."""
    labels = [pa.array(benchmark.taxon_labels(score.task, level), pa.string()) for score in scores]
    names, codes = _coded(pa.chunked_array(labels, pa.string()))
    queries = np.zeros(len(names), np.int64)
    wrong: dict[str, np.ndarray] = {}
    for score, mine in zip(scores, np.split(codes, np.cumsum([len(each) for each in labels])), strict=False):
        answered = score.retrieved >= 0
        own, got = mine[score.task.correct_taxa[answered]], mine[score.retrieved[answered]]
        queries += np.bincount(own[own >= 0], minlength=len(names))
        pairs = (own.astype(np.int64) * len(names) + got)[(own >= 0) & (got >= 0) & (own != got)]
        wrong[score.task.direction] = pairs
    pairs, counts = np.unique(np.concatenate([np.empty(0, np.int64), *wrong.values()]), return_counts=True)
    own, got = np.divmod(pairs, max(1, len(names)))
    first = np.lexsort((pairs, -counts / queries[own] * counts))[:most]
    return [
        Confusion(
            part=part,
            level=level.value,
            taxon=names[own[at]],
            taken_for=names[got[at]],
            count=int(counts[at]),
            queries=int(queries[own[at]]),
            share=float(counts[at] / queries[own[at]]),
            directions={
                direction: int(count)
                for direction, mine in sorted(wrong.items())
                if (count := (mine == pairs[at]).sum())
            },
        )
        for at in first
    ]


def near_misses(benchmark: Benchmark, scores: Scores, *, seed: int = 0) -> list[NearMisses]:
    """Return how often a wrong species is of the right genus, or of the right family.

    Only queries at species level whose first-ranked species is wrong count. ``chance`` is the mean share of the
    query's wrong candidates that belong to the right group: what a wrong answer drawn at random would get. Queries
    whose species has no name at the rank are left out of it.

    Returns
    -------
    One row a task and rank.
    """
    rows = []
    for score in scores.tasks:
        task = score.task
        if task.level != Rank.SPECIES:
            continue
        wrong = (score.ranks > 1) & (task.candidate_counts > 1)
        for rank in (Rank.GENUS, Rank.FAMILY):
            _, groups = _coded(pa.array(benchmark.taxon_labels(task, rank), pa.string()))
            known = np.flatnonzero(wrong & (groups[task.correct_taxa] >= 0))
            if not len(known):
                continue
            hits = groups[score.retrieved[known]] == groups[task.correct_taxa[known]]
            chance = np.concatenate([_related(task, groups, some) for some in _pieces(known)])
            low, high = bootstrap_interval(hits, [seed, zlib.crc32(f"{task.name}/{rank.value}".encode())])
            rows.append(
                NearMisses(
                    part=task.part,
                    direction=task.direction,
                    rank=rank.value,
                    errors=len(known),
                    share=float(hits.mean()),
                    chance=float(chance.mean()),
                    low=low,
                    high=high,
                )
            )
    return rows


def _related(task: Task, groups: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Return which share of the wrong candidates of each query is of the correct taxon's group."""
    listed = task.candidates[queries]
    right = groups[task.correct_taxa[queries]]
    related = (groups[listed] == right[:, None]) & (listed >= 0)
    shares: np.ndarray = (related.sum(axis=1) - 1) / (task.candidate_counts[queries] - 1)
    return shares


def _pieces(queries: np.ndarray) -> list[np.ndarray]:
    """Return queries in pieces: each has a hundred candidates and more, of which nothing is kept."""
    return np.array_split(queries, -(-len(queries) // _QUERIES_AT_ONCE))
