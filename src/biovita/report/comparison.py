"""Comparing runs, and the page of it."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from biovita.benchmark.compare import (
    ComparedRow,
    compare,
    difference_words,
    is_marked,
    not_compared,
    read_ranks,
)
from biovita.benchmark.headlines import Headline, cautions, headline_of_ranks, headline_words
from biovita.benchmark.opening import find_run
from biovita.benchmark.records import record
from biovita.benchmark.scores import KS
from biovita.csv_safe import write_rows
from biovita.files import make_directory, write_whole
from biovita.one_line import OneLine
from biovita.report.environment import environment

__all__ = ["Comparison", "compare_runs", "write_comparison"]

_LISTED = 10  # tasks that are not compared, before the list is folded


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(OneLine):
    """How runs on one benchmark compare with the first of them.

    Attributes
    ----------
    first
        What the first run is called: its directory's name, or its path where two have the same.
    compared
        By the name of the other run, the rows of `biovita.benchmark.compare.compare`.
    not_compared
        By the same name, the tasks that only the first run has, and those that only the other has.
    page, table
        The files that were written; None where none were asked for.
    leaky
        The names of the runs whose model has trained on what it was asked as new.
    headlines
        By the name of each run that has tasks at species level, its mean over the directions there.
    """

    first: str
    compared: Mapping[str, Sequence[ComparedRow]]
    not_compared: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    page: Path | None = None
    table: Path | None = None
    leaky: tuple[str, ...] = ()
    headlines: Mapping[str, Headline] = field(default_factory=dict)


def compare_runs(
    first: str | Path, second: str | Path, *others: str | Path, seed: int = 0, out: str | Path | None = None
) -> Comparison:
    """Compare runs on the same benchmark, query by query: each with the first.

    Parameters
    ----------
    first
        The run that the others are compared with: a directory that `run_benchmark` wrote, as `find_run` finds it.
    second, others
        The other runs.
    seed
        For the intervals.
    out
        Write the comparison as a page and a table (compare.html, compare.csv) into this directory.

    Raises
    ------
    BiovitaError
        Where a directory holds no run, or two runs are not of the same benchmark.
    """
    places = [find_run(place) for place in (first, second, *others)]
    base, *ranks = [read_ranks(place) for place in places]
    short = len({place.resolve().name for place in places}) == len(places)
    called, *names = [place.resolve().name if short else str(place) for place in places]
    found = {name: compare(base, table, seed=seed) for name, table in zip(names, ranks, strict=True)}
    apart = {name: not_compared(base, table) for name, table in zip(names, ranks, strict=True)}
    leaky = tuple(name for name, place in zip((called, *names), places, strict=True) if is_marked(place))
    tables = zip((called, *names), (base, *ranks), strict=True)
    heads = {name: headline_of_ranks(table, seed=seed, leak=name in leaky) for name, table in tables}
    there = {name: head for name, head in heads.items() if head is not None}
    page, table = (
        (None, None) if out is None else write_comparison(Path(out), called, found, apart, leaky, headlines=there)
    )
    return Comparison(called, found, apart, page, table, leaky, there)


@dataclass(frozen=True)
class Pair:
    """Another run compared with the first.

    Attributes
    ----------
    reach
        The difference at which its plots end.
    apart
        The tasks that only the first run has, and those that only the other has.
    words
        The difference at species level, and whether it shows something.
    """

    name: str
    rows: Sequence[ComparedRow]
    reach: float
    apart: tuple[Sequence[str], Sequence[str]]
    words: tuple[str, ...]


def write_comparison(
    out: Path,
    first: str,
    found: Mapping[str, Sequence[ComparedRow]],
    apart: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    leaky: Collection[str] = (),
    *,
    headlines: Mapping[str, Headline] = {},
) -> tuple[Path, Path]:
    """Write ``compare.html`` and ``compare.csv`` into ``out``, and return their paths.

    Parameters
    ----------
    found
        By the name of the other run, the rows of `biovita.benchmark.compare.compare`.
    apart
        Likewise the tasks that only the first run has, and those that only the other has.
    leaky
        The names of the runs whose model has trained on what it was asked as new.
    headlines
        By the name of a run, its headline.
    """
    make_directory(out)
    pairs = [
        Pair(name, rows, _reach(rows), apart[name], difference_words(rows, first, name))
        for name, rows in found.items()
    ]
    heads = {name: (headline_words(head), cautions(head)) for name, head in headlines.items()}
    page = (
        environment()
        .get_template("compare.html")
        .render(first=first, pairs=pairs, ks=KS, leaky=leaky, headlines=heads, listed=_LISTED)
    )
    table = io.StringIO()
    columns = ["run", *(field.name for field in fields(ComparedRow)), "leak"]
    marks = {name: first in leaky or name in leaky for name in found}
    lines = ({"run": name, **record(row), "leak": marks[name]} for name, rows in found.items() for row in rows)
    write_rows(table, columns, lines)
    for name, content in (("compare.html", page), ("compare.csv", table.getvalue())):
        write_whole(out / name, content)
    return out / "compare.html", out / "compare.csv"


def _reach(rows: Sequence[ComparedRow]) -> float:
    """Return where the axis of differences ends on both sides: all intervals lie within, and it is a round number."""
    largest = max((abs(edge) for row in rows for edge in (row.low, row.high)), default=0.0)
    return next((end for end in (0.02, 0.05, 0.1, 0.2, 0.5) if largest <= end), 1.0)
