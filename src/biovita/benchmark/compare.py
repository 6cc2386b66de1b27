"""Paired comparison of models on one benchmark: where one is better, and whether that could be chance."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biovita.benchmark.headlines import main_part, mean_of
from biovita.benchmark.scores import KS, Scores, bootstrap_interval, bootstrap_means, interval_of
from biovita.benchmark.task import LEVELS, Benchmark, Task
from biovita.errors import BiovitaError
from biovita.modality import DIRECTIONS, modalities_of
from biovita.parquet import read_parquet
from biovita.suggestion import suggested

__all__ = [
    "RANKS",
    "ComparedRow",
    "compare",
    "difference_words",
    "exact_mcnemar",
    "holm",
    "is_marked",
    "marked",
    "not_compared",
    "ranks_table",
    "read_ranks",
]

_MOST_PARTS = 100  # 10,000 means are drawn for each task of each
_SHARED = ("part", "direction", "level", "query", "correct", "offered")  # by runs of one benchmark

RANKS = pa.schema(
    [
        pa.field("part", pa.string(), nullable=False),
        pa.field("direction", pa.string(), nullable=False),
        pa.field("level", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),  # the item's id
        pa.field("correct", pa.string(), nullable=False),
        pa.field("retrieved", pa.string()),  # None for a query without a vector
        pa.field("rank", pa.int32(), nullable=False),  # from 1; 0 for a query without a vector
        pa.field("candidates", pa.int32(), nullable=False),
        pa.field(
            "offered", pa.string(), nullable=False
        ),  # hash of candidates in order, their samples, and several texts that ask
    ]
)
_MARK = pa.schema([pa.field("leak", pa.bool_())])


def ranks_table(benchmark: Benchmark, scores: Scores) -> pa.Table:
    """Return how every query was ranked, one row each, in the order of tasks and queries."""
    tables = []
    for score in scores.tasks:
        task = score.task
        ids = benchmark.items[modalities_of(task.direction)[0]]["id"].take(pa.array(task.queries))
        taxa = pa.array([*task.taxa, None], pa.string())
        count = len(task.queries)
        columns = {
            "part": pa.repeat(task.part, count),
            "direction": pa.repeat(task.direction, count),
            "level": pa.repeat(task.level.value, count),
            "query": ids,
            "correct": taxa.take(pa.array(task.correct_taxa)),
            "retrieved": taxa.take(pa.array(score.retrieved % len(taxa))),
            "rank": score.ranks.astype(np.int32),
            "candidates": task.candidate_counts.astype(np.int32),
            "offered": _offered(benchmark, task),
        }
        tables.append(pa.table(columns, schema=RANKS))
    return pa.concat_tables(tables) if tables else RANKS.empty_table()


def _offered(benchmark: Benchmark, task: Task) -> pa.Array:
    ids = benchmark.items[modalities_of(task.direction)[1]]["id"].take(pa.array(task.samples)).to_pylist()
    each = b"".join(
        _digest("\0".join([name, *ids[begin:end]]).encode())
        for name, begin, end in zip(task.taxa, task.offsets, task.offsets[1:], strict=False)
    )
    taxa = np.frombuffer(each, np.uint64)
    lists = zip(task.candidates, task.candidate_counts, _asked(benchmark, task), strict=True)
    return pa.array(
        (_digest(taxa[row[:count]].tobytes() + asked).hex() for row, count, asked in lists), pa.string()
    )


def _asked(benchmark: Benchmark, task: Task) -> Iterable[bytes]:
    """Return what tells the texts of each query from others; nothing where its id does."""
    if task.texts is None:
        return repeat(b"", len(task.queries))
    ids = benchmark.ids(modalities_of(task.direction)[0])
    return ("\0".join(ids[row] for row in rows if row >= 0).encode() for rows in task.texts)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()


def marked(ranks: pa.Table, *, leak: bool) -> pa.Table:
    """Return the ranks of a run with a column ``leak``: whether the model has trained on what it was asked as new."""
    return ranks.append_column(_MARK.field("leak"), pa.repeat(pa.scalar(leak), len(ranks)))


def is_marked(path: str | Path) -> bool:
    """Return whether the ranks of a run, as `read_ranks` takes them, are marked; those of earlier versions are not."""
    file = _file(Path(path))
    try:
        return bool(pc.any(read_parquet(file, _MARK)["leak"]).as_py())
    except BiovitaError:  # it lacks the column
        return False


def _file(path: Path) -> Path:
    return path / "ranks.parquet" if path.is_dir() else path


def read_ranks(path: str | Path) -> pa.Table:
    """Return the ``ranks.parquet`` of a run: the file, or the directory that holds it.

    Raises
    ------
    BiovitaError
        Where the file is missing, or does not hold the ranks of a run.
    """
    path = Path(path)
    file = _file(path)
    if not file.is_file():
        what = "has no ranks.parquet" if path.exists() else "does not exist"
        run = suggested("bench run", "BENCHMARK --model MODEL --out", path)
        raise BiovitaError(f"{path} {what}, and runs are compared. Make one with: {run}")
    try:
        table = read_parquet(file, RANKS)
        table.validate(full=True)
    except (BiovitaError, pa.ArrowException, ValueError) as error:
        raise BiovitaError(f"{file} cannot be read as the ranks of a run: {error}") from error
    for name, known in (("direction", DIRECTIONS), ("level", [level.value for level in LEVELS])):
        if strange := [value for value in table[name].unique().to_pylist() if value not in known]:
            raise BiovitaError(
                f"{file} does not hold the ranks of a run: there is no {name} {str(strange[0])[:100]!r}"
            )
    if (parts := len(table["part"].unique())) > _MOST_PARTS:
        raise BiovitaError(f"{file} is of a benchmark of {parts:,} parts. At most {_MOST_PARTS} are accepted")
    for name in RANKS.names:
        if not RANKS.field(name).nullable and table[name].null_count:
            raise BiovitaError(
                f"{file} does not hold the ranks of a run: {table[name].null_count} rows have no {name}"
            )
    return table


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """Top-k accuracy of two runs in one task, or the mean over the directions of a part and level.

    Attributes
    ----------
    direction
        Of the task; ``mean`` in the row of a mean.
    first, second
        The accuracy of each run, from 0 to 1.
    difference
        ``second`` less ``first``.
    low, high
        The 95 % paired bootstrap interval of ``difference`` over queries; for a mean, directions are resampled apart.
    gained, lost
        Queries that the second run alone gets right, and those that the first alone does; None of a mean.
    p
        Of the exact McNemar test, two-sided; None of a mean.
    p_holm
        ``p`` corrected for all tasks of this k.
    """

    part: str
    direction: str
    level: str
    k: int
    queries: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    gained: int | None = None
    lost: int | None = None
    p: float | None = None
    p_holm: float | None = None


def compare(first: pa.Table, second: pa.Table, *, seed: int = 0) -> list[ComparedRow]:
    """Compare two runs query by query.

    Returns
    -------
    One row a task and k, and after those of a part, level and k their mean.

    Raises
    ------
    BiovitaError
        Where the two are not of the same benchmark.
    """
    ones, others = _tasks(first), _tasks(second)
    keys = [key for key in ones if key in others]
    if not keys:
        raise BiovitaError("The two runs have no task in common. Compare runs of one benchmark")
    for key in keys:
        if not ones[key].select(_SHARED).equals(others[key].select(_SHARED)):
            raise BiovitaError(
                f"{'/'.join(key)}: the two runs are not of the same benchmark: their queries or candidates differ"
            )
    rows: list[ComparedRow] = []
    for k in KS:
        found = [_compared(key, _hits(ones[key], k), _hits(others[key], k), k, seed) for key in keys]
        corrected = holm([p for _, _, p in found])
        rows += [replace(row, p_holm=p) for (row, _, _), p in zip(found, corrected, strict=True)]
        drawn: dict[tuple[str, str], list[tuple[ComparedRow, np.ndarray]]] = {}
        for row, draws, _ in found:
            drawn.setdefault((row.part, row.level), []).append((row, draws))
        rows += [_mean(entries) for entries in drawn.values()]
    levels = {level.value: place for place, level in enumerate(LEVELS)}
    return sorted(rows, key=lambda row: (row.k, row.part, levels.get(row.level, len(levels))))


def _compared(
    key: tuple[str, str, str], first: np.ndarray, second: np.ndarray, k: int, seed: int
) -> tuple[ComparedRow, np.ndarray, float]:
    """Return the row of a task, drawn means of its difference, and its p."""
    difference = second.astype(np.float64) - first
    row_seed = [seed, zlib.crc32(f"{'/'.join(key)}/{k}/compare".encode())]
    low, high = bootstrap_interval(difference, row_seed)
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    p = exact_mcnemar(gained, lost)
    part, direction, level = key
    row = ComparedRow(
        part=part,
        direction=direction,
        level=level,
        k=k,
        queries=len(first),
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(difference.mean()),
        low=low,
        high=high,
        gained=gained,
        lost=lost,
        p=p,
    )
    return row, bootstrap_means(difference, [*row_seed, 1]), p


def not_compared(first: pa.Table, second: pa.Table) -> tuple[list[str], list[str]]:
    """Return the tasks that only the first run has, and those that only the second has, as part/direction/level."""
    ones, others = _tasks(first), _tasks(second)
    only = [key for key in ones if key not in others], [key for key in others if key not in ones]
    return ["/".join(key) for key in only[0]], ["/".join(key) for key in only[1]]


def _tasks(table: pa.Table) -> dict[tuple[str, str, str], pa.Table]:
    """Return the rows of each task, by part, direction and level, in their order."""
    names = ["part", "direction", "level"]
    tasks = table.select(names).group_by(names, use_threads=False).aggregate([]).to_pylist()
    return {
        (task["part"], task["direction"], task["level"]): table.filter(
            (pc.field("part") == task["part"])
            & (pc.field("direction") == task["direction"])
            & (pc.field("level") == task["level"])
        ).combine_chunks()
        for task in tasks
    }


def _hits(table: pa.Table, k: int) -> np.ndarray:
    ranks = table["rank"].to_numpy()
    return (ranks > 0) & (ranks <= k)


def _mean(entries: Sequence[tuple[ComparedRow, np.ndarray]]) -> ComparedRow:
    """Return the mean of the rows of one part, level and k."""
    rows = [row for row, _ in entries]
    low, high = interval_of(np.mean([draws for _, draws in entries], axis=0))
    return ComparedRow(
        part=rows[0].part,
        direction="mean",
        level=rows[0].level,
        k=rows[0].k,
        queries=sum(row.queries for row in rows),
        first=float(np.mean([row.first for row in rows])),
        second=float(np.mean([row.second for row in rows])),
        difference=float(np.mean([row.difference for row in rows])),
        low=low,
        high=high,
    )


def difference_words(rows: Sequence[ComparedRow], first: str, second: str, *, k: int = 1) -> tuple[str, ...]:
    """Return the difference of two runs at species level in words; a second sentence where it shows nothing.

    Parameters
    ----------
    rows
        Those of `compare`.
    first, second
        What the runs are called.
    """
    asked = [row for row in rows if (row.level, row.k) == ("species", k)]
    part = main_part({row.part for row in asked})
    if part is None:
        return ()
    mine = [row for row in asked if row.part == part]
    mean = next(row for row in mine if row.direction == "mean")
    directions = mean_of([row.direction for row in mine if row is not mean])
    told = (
        f"{part} species, {directions}: Top-{k} of {second} less {first} is {100 * mean.difference:+.1f} points "
        f"({100 * mean.low:+.1f} to {100 * mean.high:+.1f})"
    )
    if mean.low <= 0 <= mean.high:
        return told, "This shows no difference: 0 lies within the interval."
    return (told,)


def exact_mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p of the exact McNemar test: a fair coin for each query that only one run gets right.

    Examples
    --------
    >>> round(exact_mcnemar(10, 2), 4)
    0.0386
    """
    from scipy.special import bdtr  # scipy.stats takes a second to import

    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number by Holm's method (Scandinavian Journal of Statistics, 1979)."""
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    highest = 0.0
    for place, at in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - place) * values[at]))
        corrected[at] = highest
    return corrected.tolist()
