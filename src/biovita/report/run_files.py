"""All files of a run: the page, the numbers, and the rank of every query."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biovita.benchmark.compare import marked, ranks_table
from biovita.benchmark.records import records
from biovita.csv_safe import write_rows
from biovita.dataset.dataset import write_table
from biovita.files import write_whole
from biovita.report.content import ReportContent
from biovita.report.page import write_report

__all__ = ["RunFiles", "write_run"]


@dataclass(frozen=True, repr=False)
class RunFiles:
    """Where the files of a run are; ``generalised`` is there where all taxa were candidates."""

    report: Path
    results: Path
    scores: Path
    ranks: Path
    generalised: Path | None = None

    def __repr__(self) -> str:
        return f"<RunFiles in {str(self.report.parent)!r}>"


def write_run(out: str | Path, run: ReportContent) -> RunFiles:
    """Write ``report.html``, ``results.json``, ``scores.csv`` and ``ranks.parquet`` of a run into ``out``.

    Where all taxa are candidates, ``generalised.csv`` has the scores of seen and unseen taxa among them; where they
    are not, one of an earlier run is removed. The tables are of the last stage;
    `biovita.benchmark.compare` reads the ranks.
    """
    report, results = write_report(out, run)
    generalised = records(row for row in run.generalised if row.stage == run.last)
    file = report.with_name("generalised.csv")
    if generalised:
        _write_csv(file, generalised)
    else:
        file.unlink(missing_ok=True)
    files = RunFiles(
        report,
        results,
        report.with_name("scores.csv"),
        report.with_name("ranks.parquet"),
        file if generalised else None,
    )
    _write_csv(files.scores, records(row for row in run.rows if row.stage == run.last))
    write_table(marked(ranks_table(run.benchmark, run.final), leak=run.leaks), files.ranks)
    return files


def _write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    stream = io.StringIO()
    write_rows(stream, list(rows[0]), rows)
    write_whole(file, stream.getvalue())
