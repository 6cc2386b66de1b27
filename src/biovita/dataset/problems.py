"""What is wrong in a dataset, counted and listed: the first problems in memory, all of them in a Parquet file."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa

from biovita.dataset.dataset import write_table
from biovita.dataset.schema import LARGE_TABLES, TABLES

__all__ = ["PROBLEMS", "DatasetProblem", "ListedProblems", "list_problems"]

PROBLEMS = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("code", "table", "item", "message")]
)
_SHOWN = 100
_AT_ONCE = 8192  # problems


@dataclass(frozen=True, slots=True)
class DatasetProblem:
    """Something that is wrong in a dataset.

    Attributes
    ----------
    code
        Short and stable: ``schema``, ``counts``, ``missing-value``, ``duplicate-id``, ``unknown-taxon``,
        ``bad-value``, ``span``, ``coordinates``, ``missing-file``, ``changed-file``, ``leaking-group``,
        ``leaking-file``, ``leaking-species``, ``packed`` (the packed media that ``dataset.toml`` names cannot be read),
        ``unsafe-name`` (an id that could lead out of a folder, or cannot be a name), ``unsafe-path`` (a path that has
        ``..`` elsewhere than at its start, or cannot be a path), ``not-media`` (with ``hashes``: a file that begins as
        something else than a recording or a photograph).
    table, item
        Where: a table, and the id of an item or taxon; empty where it concerns more than one.
    """

    code: str
    table: str
    item: str
    message: str

    def __str__(self) -> str:
        place = f"{self.table}.parquet" if self.table in {*TABLES, *LARGE_TABLES} else self.table
        return f"{place}{f' {self.item}' if self.item else ''}: {self.message} [{self.code}]"


@dataclass(frozen=True, slots=True)
class ListedProblems:
    """The problems of a dataset, which may be millions.

    Attributes
    ----------
    number
        How many there are.
    codes
        How many of each code, most first.
    problems
        The first 100.
    file
        The Parquet file that lists all; None where `problems` has all, and none was asked for.
    """

    number: int
    codes: Mapping[str, int]
    problems: tuple[DatasetProblem, ...]
    file: Path | None


def list_problems(problems: Iterable[DatasetProblem], out: Path | None = None) -> ListedProblems:
    """Count problems, keep the first 100, and write all to a Parquet file with the columns `PROBLEMS`.

    Parameters
    ----------
    out
        The file. None writes one among the system's temporary files, where there are more than 100.
    """
    codes: Counter[str] = Counter()
    first: list[DatasetProblem] = []

    def counted() -> Iterator[DatasetProblem]:
        for problem in problems:
            codes[problem.code] += 1
            if len(first) < _SHOWN:
                first.append(problem)
            yield problem

    every = counted()
    start = list(islice(every, _SHOWN + 1)) if out is None else []
    if len(start) > _SHOWN:
        with tempfile.NamedTemporaryFile(prefix="biovita-problems-", suffix=".parquet", delete=False) as made:
            out = Path(made.name)
    if out is not None:
        write_table(pa.RecordBatchReader.from_batches(PROBLEMS, _batches(chain(start, every))), out)
    ranked = dict(sorted(codes.items(), key=lambda pair: (-pair[1], pair[0])))
    return ListedProblems(codes.total(), ranked, tuple(first), out)


def _batches(problems: Iterable[DatasetProblem]) -> Iterator[pa.RecordBatch]:
    left = iter(problems)
    while some := list(islice(left, _AT_ONCE)):
        columns = [pa.array([getattr(each, name) or "" for each in some], pa.string()) for name in PROBLEMS.names]
        yield pa.RecordBatch.from_arrays(columns, schema=PROBLEMS)
