"""The page of a comparison between runs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biovita.csv_safe import write_rows
from biovita.files import make_directory, write_whole
from biovita.report.page import environment

__all__ = ["write_comparison"]


def write_comparison(
    out: Path,
    first: str,
    found: Mapping[str, Sequence[Mapping[str, Any]]],
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
    pairs = []
    for name, rows in found.items():
        reach = max((abs(row[edge]) for row in rows for edge in ("low", "high")), default=0.0) or 0.01
        pairs.append({"name": name, "rows": rows, "reach": reach, "apart": apart[name]})
    page = environment().get_template("compare.html").render(first=first, pairs=pairs, ks=(1, 5, 10))
    table = io.StringIO()
    names = ["run", *dict.fromkeys(key for rows in found.values() for row in rows for key in row)]
    write_rows(table, names, ({"run": name, **row} for name, rows in found.items() for row in rows))
    for name, content in (("compare.html", page), ("compare.csv", table.getvalue())):
        write_whole(out / name, content)
    return out / "compare.html", out / "compare.csv"
