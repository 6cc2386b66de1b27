"""The published tables (Shinoda et al. 2026, BioVITA): Top-1 and Top-5 in percent, species level."""

from __future__ import annotations

from dataclasses import dataclass

from biovita.benchmark.task import Benchmark
from biovita.report.content import ReportContent
from biovita.report.scores_section import stages_of
from biovita.taxonomy import Rank

__all__ = [
    "AVERAGES",
    "COLUMNS",
    "RELEASED_QUERIES",
    "TABLES",
    "PublishedRow",
    "PublishedTable",
    "is_released",
    "published_tables",
]

COLUMNS: tuple[str, ...] = ("A2T", "T2A", "A2I", "I2A", "I2T", "T2I")  # of the tables below, as printed
RELEASED_QUERIES = {"A2T": 1003, "T2A": 325, "A2I": 887, "I2A": 1352, "I2T": 1352, "T2I": 288}

_Cell = tuple[float, float] | None

TABLES: dict[str, dict[str, tuple[_Cell, ...]]] = {
    "seen": {
        "random": ((1.0, 5.0),) * 6,  # printed as fractions, 0.01 / 0.05
        "CLIP": (None, None, None, None, (50.9, 65.1), (63.8, 72.5)),
        "CLAP": ((0.7, 4.7), (1.0, 4.7), None, None, None, None),
        "ImageBind": ((2.0, 8.9), (2.8, 12.9), (1.8, 8.7), (2.9, 12.2), (59.5, 81.4), (67.9, 86.7)),
        "BioCLIP 2": (None, None, None, None, (65.1, 80.5), (84.8, 95.3)),
        "TaxaBind": ((9.6, 28.1), (11.8, 32.9), (13.3, 35.8), (16.2, 41.4), (56.9, 80.0), (66.9, 86.9)),
        "BioVITA stage 1": ((60.3, 80.0), (79.3, 93.9), (47.8, 72.8), (48.6, 78.8), (65.1, 80.5), (84.8, 95.3)),
        "BioVITA stage 2": ((63.7, 83.8), (81.1, 94.7), (50.3, 77.4), (57.5, 85.6), (86.3, 96.0), (91.2, 97.5)),
    },
    "unseen": {
        "ImageBind": ((2.2, 11.8), (1.5, 8.9), (1.1, 9.2), (3.0, 12.1), (42.8, 67.5), (47.6, 71.5)),
        "BioCLIP 2": (None, None, None, None, (33.0, 59.5), (37.1, 66.7)),
        "BioVITA stage 1": ((14.6, 32.9), (20.0, 43.4), (7.8, 23.6), (6.4, 25.8), (33.0, 59.5), (37.1, 66.7)),
        "BioVITA stage 2": ((36.6, 62.2), (54.1, 74.8), (29.3, 54.3), (28.0, 55.5), (76.8, 94.7), (86.5, 96.2)),
    },
}

AVERAGES: dict[str, dict[str, tuple[float, float]]] = {  # as printed
    "seen": {
        "random": (1.0, 5.0),
        "ImageBind": (22.8, 35.1),
        "TaxaBind": (29.1, 50.9),
        "BioVITA stage 1": (64.3, 83.6),
        "BioVITA stage 2": (71.7, 89.2),
    },
    "unseen": {"ImageBind": (16.4, 30.2), "BioVITA stage 1": (19.8, 42.0), "BioVITA stage 2": (51.9, 73.0)},
}


def is_released(benchmark: Benchmark) -> bool:
    """Return whether a benchmark has the released unseen species tasks, by their numbers of queries."""
    found = {
        task.direction: len(task.queries)
        for task in benchmark.tasks
        if task.level == Rank.SPECIES and task.part != "seen"
    }
    return found == RELEASED_QUERIES


@dataclass(frozen=True)
class PublishedRow:
    """A model's Top-1 and Top-5 in percent: a cell a direction, and their average.

    Attributes
    ----------
    own
        Whether it is the run's, and not the paper's.
    """

    name: str
    cells: tuple[_Cell, ...]
    own: bool


@dataclass(frozen=True)
class PublishedTable:
    """The published rows of one part, and after them the run's own."""

    part: str
    rows: tuple[PublishedRow, ...]


def published_tables(run: ReportContent) -> tuple[PublishedTable, ...]:
    """Return the published tables of the parts that a run has scores of, with the run's own row in each."""
    tables = []
    for part, rows in TABLES.items():
        found = {
            (row.direction, row.k): 100 * row.accuracy
            for row in run.rows
            if (row.stage, row.part, row.level) == (run.last, part, "species")
        }
        if found:
            listed = [
                PublishedRow(name, (*cells, AVERAGES[part].get(name)), own=False) for name, cells in rows.items()
            ]
            cells = tuple((found[d, 1], found[d, 5]) if (d, 1) in found else None for d in COLUMNS)
            last = stages_of(run)[-1].label
            name = f"{last}, which has trained on what it is asked" if run.leaks else last
            listed.append(PublishedRow(name, (*cells, _average(cells)), own=True))
            tables.append(PublishedTable(part, tuple(listed)))
    return tuple(tables)


def _average(cells: tuple[_Cell, ...]) -> _Cell:
    """Return the mean over the directions; None where one of them is missing."""
    whole = [cell for cell in cells if cell is not None]
    if len(whole) < len(COLUMNS):
        return None
    return sum(top1 for top1, _ in whole) / len(COLUMNS), sum(top5 for _, top5 in whole) / len(COLUMNS)
