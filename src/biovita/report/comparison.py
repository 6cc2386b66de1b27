"""The page of a comparison between runs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from biovita.benchmark.compare import ComparedRow
from biovita.benchmark.records import record
from biovita.benchmark.scores import KS
from biovita.csv_safe import write_rows
from biovita.files import make_directory, write_whole
from biovita.report.environment import environment

__all__ = ["write_comparison"]


@dataclass(frozen=True)
class Pair:
    """Another run compared with the first.

    Attributes
    ----------
    reach
        The largest difference that a plot has to show.
    apart
        The tasks that only the first run has, and those that only the other has.
    """

    name: str
    rows: Sequence[ComparedRow]
    reach: float
    apart: tuple[Sequence[str], Sequence[str]]


def write_comparison(
    out: Path,
    first: str,
    found: Mapping[str, Sequence[ComparedRow]],
    apart: Mapping[str, tuple[Sequence[str], Sequence[str]]],
) -> tuple[Path, Path]:
    """Write ``compare.html`` and ``compare.csv`` into ``out``, and return their paths.

    Parameters
    ----------
    found
        By the name of the other run, the rows of `biovita.benchmark.compare.compare`.
    apart
        Likewise the tasks that only the first run has, and those that only the other has.
    """
    make_directory(out)
    pairs = [Pair(name, rows, _reach(rows), apart[name]) for name, rows in found.items()]
    page = environment().get_template("compare.html").render(first=first, pairs=pairs, ks=KS)
    table = io.StringIO()
    columns = ["run", *(field.name for field in fields(ComparedRow))]
    write_rows(table, columns, ({"run": name, **record(row)} for name, rows in found.items() for row in rows))
    for name, content in (("compare.html", page), ("compare.csv", table.getvalue())):
        write_whole(out / name, content)
    return out / "compare.html", out / "compare.csv"


def _reach(rows: Sequence[ComparedRow]) -> float:
    return max((abs(edge) for row in rows for edge in (row.low, row.high)), default=0.0) or 0.01
