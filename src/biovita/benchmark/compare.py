"""Paired comparison of models on one benchmark: where one is better, and whether that could be chance."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from math import exp, lgamma, log
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from biovita.benchmark.scores import KS, RESAMPLES, Scores, bootstrap_interval
from biovita.benchmark.task import LEVELS, Benchmark, Task
from biovita.errors import BiovitaError
from biovita.modality import DIRECTIONS, modalities_of
from biovita.parquet import read_parquet

__all__ = ["RANKS", "compare", "exact_mcnemar", "holm", "not_compared", "ranks_table", "read_ranks"]

_MOST_PARTS = 100  # 10,000 means are drawn for each task of each

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
        pa.field("offered", pa.string(), nullable=False),  # hash of the candidates in order, and of their samples
    ]
)


def ranks_table(benchmark: Benchmark, scores: Scores) -> pa.Table:
    """Return how every query was ranked, one row each, in the order of tasks and queries."""
    tables = []
    for score in scores.tasks:
        task = score.task
        ids = benchmark.items[modalities_of(task.direction)[0]]["id"].take(pa.array(task.queries))
        taxa = np.array([*task.taxa, None], object)
        count = len(task.queries)
        columns = {
            "part": [task.part] * count,
            "direction": [task.direction] * count,
            "level": [task.level.value] * count,
            "query": ids,
            "correct": taxa[task.correct_taxa].tolist(),
            "retrieved": taxa[score.retrieved].tolist(),
            "rank": score.ranks.astype(np.int32),
            "candidates": task.candidate_counts.astype(np.int32),
            "offered": _offered(benchmark, task),
        }
        tables.append(pa.table(columns, schema=RANKS))
    return pa.concat_tables(tables) if tables else RANKS.empty_table()


def _offered(benchmark: Benchmark, task: Task) -> list[str]:
    ids = benchmark.items[modalities_of(task.direction)[1]]["id"].to_pylist()
    each = b"".join(
        _digest("\0".join([name, *(ids[row] for row in task.samples[begin:end])]).encode())
        for name, begin, end in zip(task.taxa, task.offsets, task.offsets[1:], strict=False)
    )
    taxa = np.frombuffer(each, np.uint64)
    lists = zip(task.candidates, task.candidate_counts, strict=True)
    return [_digest(taxa[row[:count]].tobytes()).hex() for row, count in lists]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=8).digest()


def read_ranks(path: str | Path) -> pa.Table:
    """Return the ``ranks.parquet`` of a run: the file, or the directory that holds it.

    Raises
    ------
    BiovitaError
        Where there is none, or it is not one.
    """
    path = Path(path)
    file = path / "ranks.parquet" if path.is_dir() else path
    if not file.is_file():
        raise BiovitaError(f"{path}: no ranks.parquet there; make one with: biovita bench run")
    try:
        table = read_parquet(file, RANKS)
        table.validate(full=True)
    except (BiovitaError, pa.ArrowException, ValueError) as error:
        raise BiovitaError(f"{file}: is not the ranks of a run: {error}") from error
    for name, known in (("direction", DIRECTIONS), ("level", [level.value for level in LEVELS])):
        if strange := [value for value in table[name].unique().to_pylist() if value not in known]:
            raise BiovitaError(
                f"{file}: is not the ranks of a run: {name} {str(strange[0])[:100]!r} is none there is"
            )
    if (parts := len(table["part"].unique())) > _MOST_PARTS:
        raise BiovitaError(f"{file}: is of a benchmark of {parts:,} parts; {_MOST_PARTS} are accepted")
    for name in RANKS.names:
        if not RANKS.field(name).nullable and table[name].null_count:
            raise BiovitaError(
                f"{file}: is not the ranks of a run: {name} is missing in {table[name].null_count} rows"
            )
    return table


def compare(first: pa.Table, second: pa.Table, *, ks: Sequence[int] = KS, seed: int = 0) -> list[dict[str, Any]]:
    """Compare two runs query by query.

    Returns
    -------
    One row a task and k, and after those of a part, level and k one with the direction ``mean``: ``first`` and
    ``second`` (accuracy), ``difference`` (second less first) with ``low`` and ``high`` (95 % paired bootstrap over
    queries; for the mean, directions are resampled apart), and of a task ``gained`` and ``lost`` (queries that only
    one run gets right), ``p`` (exact McNemar test, two-sided) and ``p_holm`` (corrected for all tasks of this k).

    Raises
    ------
    BiovitaError
        Where the two are not of the same benchmark.
    """
    shared = ("part", "direction", "level", "query", "correct", "offered")
    ones, others = _tasks(first), _tasks(second)
    keys = [key for key in ones if key in others]
    if not keys:
        raise BiovitaError("the two runs have no task in common")
    rows: list[dict[str, Any]] = []
    for k in ks:
        found: list[dict[str, Any]] = []
        drawn: dict[tuple[str, str], list[tuple[np.ndarray, dict[str, Any]]]] = {}
        for key in keys:
            one, other = ones[key], others[key]
            if not one.select(shared).equals(other.select(shared)):
                raise BiovitaError(
                    f"{'/'.join(key)}: the two runs are not of the same benchmark: queries or candidates differ"
                )
            hit, also = (_hits(table, k) for table in (one, other))
            difference = also.astype(np.float64) - hit
            row_seed = [seed, zlib.crc32(f"{'/'.join(key)}/{k}/compare".encode())]
            low, high = bootstrap_interval(difference, row_seed)
            gained, lost = int((also & ~hit).sum()), int((hit & ~also).sum())
            found.append(
                {
                    **dict(zip(("part", "direction", "level"), key, strict=True)),
                    "k": k,
                    "queries": len(hit),
                    "first": float(hit.mean()),
                    "second": float(also.mean()),
                    "difference": float(difference.mean()),
                    "low": low,
                    "high": high,
                    "gained": gained,
                    "lost": lost,
                    "p": exact_mcnemar(gained, lost),
                }
            )
            drawn.setdefault((key[0], key[2]), []).append((_draws(difference, row_seed), found[-1]))
        for row, corrected in zip(found, holm([row["p"] for row in found]), strict=True):
            row["p_holm"] = corrected
        rows += found + [_mean(part, level, k, entries) for (part, level), entries in drawn.items()]
    levels = {level.value: place for place, level in enumerate(LEVELS)}
    return sorted(rows, key=lambda row: (row["k"], row["part"], levels.get(row["level"], len(levels))))


def not_compared(first: pa.Table, second: pa.Table) -> tuple[list[str], list[str]]:
    """Return the tasks that only the first run has, and those that only the second has, as part/direction/level."""
    ones, others = _tasks(first), _tasks(second)
    only = [key for key in ones if key not in others], [key for key in others if key not in ones]
    return ["/".join(key) for key in only[0]], ["/".join(key) for key in only[1]]


def _tasks(table: pa.Table) -> dict[tuple[str, str, str], pa.Table]:
    """Return the rows of each task, by part, direction and level, in their order."""
    keys = list(zip(*(table[name].to_pylist() for name in ("part", "direction", "level")), strict=True))
    places: dict[tuple[str, str, str], list[int]] = {}
    for row, key in enumerate(keys):
        places.setdefault(key, []).append(row)
    return {key: table.take(pa.array(rows)).combine_chunks() for key, rows in places.items()}


def _hits(table: pa.Table, k: int) -> np.ndarray:
    ranks = table["rank"].to_numpy()
    return (ranks > 0) & (ranks <= k)


def _draws(values: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    distinct, counts = np.unique(values, return_counts=True)
    draws = np.random.default_rng([*seed, 1]).multinomial(len(values), counts / len(values), size=RESAMPLES)
    means: np.ndarray = draws @ distinct / len(values)
    return means


def _mean(
    part: str, level: str, k: int, entries: Sequence[tuple[np.ndarray, Mapping[str, Any]]]
) -> dict[str, Any]:
    low, high = np.quantile(np.mean([draws for draws, _ in entries], axis=0), [0.025, 0.975])
    means = {name: float(np.mean([row[name] for _, row in entries])) for name in ("first", "second", "difference")}
    base = {
        "part": part,
        "direction": "mean",
        "level": level,
        "k": k,
        "queries": sum(r["queries"] for _, r in entries),
    }
    return {**base, **means, "low": float(low), "high": float(high)}


def exact_mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p of the exact McNemar test: a fair coin for each query that only one run gets right.

    Examples
    --------
    >>> round(exact_mcnemar(10, 2), 4)
    0.0386
    """
    total = gained + lost
    tail = [lgamma(total + 1) - lgamma(i + 1) - lgamma(total - i + 1) for i in range(min(gained, lost) + 1)]
    return min(1.0, 2 * sum(exp(term - total * log(2)) for term in tail)) if total else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number by Holm's method (Scandinavian Journal of Statistics, 1979)."""
    order = np.argsort(values, kind="stable")
    corrected = np.empty(len(values))
    highest = 0.0
    for place, at in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - place) * values[at]))
        corrected[at] = highest
    return corrected.tolist()
